"""The study of day priors in night training, after DASP."""
