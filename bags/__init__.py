"""Recorded and rendered drives as rosbag2 bags, written and read without a ROS install."""
