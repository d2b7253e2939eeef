"""A procedural driving world: streets by day and night with exact depth, poses and masks."""
