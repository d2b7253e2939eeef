"""The study of pose refinement in training, after SA4Depth."""
