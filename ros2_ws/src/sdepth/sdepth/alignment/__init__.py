"""The motion between two frames: features aligned under the depth, coarse to fine."""
