"""One camera to metric depth, point clouds and odometry: the ROS-free core."""
