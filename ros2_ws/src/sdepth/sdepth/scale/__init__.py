"""Sources of metric scale: the networks, the camera's height, the vehicle's speed, GPS."""
