"""Offline training: synthetic and recorded drives in, checkpoints and numbers out."""
