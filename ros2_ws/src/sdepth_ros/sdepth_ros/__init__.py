"""ROS 2 nodes around the sdepth core: they convert in, call the core and convert out."""
