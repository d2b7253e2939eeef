"""Where metres come from: the networks, the camera's height, speed, GPS."""
