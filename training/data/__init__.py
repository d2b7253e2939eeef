"""Recorded drives as data: one reader for synthetic and public data."""
