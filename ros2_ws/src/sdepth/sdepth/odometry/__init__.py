"""The camera's path: motions chained from frame to frame."""
