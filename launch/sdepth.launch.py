"""Depth and odometry of one camera on a vehicle.

ros2 launch sdepth_ros sdepth.launch.py image_topic:=/front/image_raw
"""

from __future__ import annotations

import os

from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

SHARE = FindPackageShare("sdepth_ros")
# Fast DDS 3 renamed it, and reads a file twice, with errors, where both are set.
PROFILES_VARIABLE = (
    "FASTRTPS_DEFAULT_PROFILES_FILE"
    if os.environ.get("ROS_DISTRO") in ("humble", "iron", "jazzy")
    else "FASTDDS_DEFAULT_PROFILES_FILE"
)


def _config(name: str) -> PathJoinSubstitution:
    """Return the path of an installed configuration file."""
    return PathJoinSubstitution([SHARE, "config", name])


ARGUMENTS = (
    ("image_topic", "/camera/image_raw", "Topic of the image; camera_info is its sibling"),
    ("image_transport", "raw", "raw, or compressed (topic image_topic/compressed)"),
    ("rectify", "false", "Whether images have lens distortion, which camera_info describes"),
    ("camera_info_url", "", "Calibration .yaml where no camera_info comes: path or URL"),
    ("mode", "auto", "Which weights: day, night, or auto by the image's brightness"),
    ("device", "auto", "Where the networks run: auto, cpu, cuda or cuda:N"),
    ("base_frame", "base_link", "Frame whose pose is published; /tf_static has its camera"),
    ("odom_frame", "odom", "Frame the pose is given in"),
    ("publish_tf", "true", "Whether odom -> base_frame goes to /tf; false where a filter does it"),
    ("autostart", "true", "Whether the nodes configure and activate themselves"),
    ("namespace", "", "Namespace of nodes and topics"),
    ("use_sim_time", "false", "Whether time comes from /clock, as from a bag"),
    ("log_level", "info", "debug, info, warn, error or fatal"),
    ("rviz", "false", "Whether to open RViz"),
    ("depth_params", _config("depth.param.yaml"), "Parameter file of the depth node"),
    ("odometry_params", _config("odometry.param.yaml"), "Parameter file of the odometry node"),
    ("rviz_config", PathJoinSubstitution([SHARE, "rviz", "sdepth.rviz"]), "What RViz shows"),
)


def _typed(name: str, kind: type) -> ParameterValue:
    """Return a launch argument as a parameter of this type: text would be guessed at."""
    return ParameterValue(LaunchConfiguration(name), value_type=kind)


def _node(name: str, params_file: str, parameters: dict[str, ParameterValue]) -> Node:
    """Return one of our nodes: its file first, launch arguments over it."""
    common = {
        "use_sim_time": _typed("use_sim_time", bool),
        "autostart": _typed("autostart", bool),
        "image_transport": _typed("image_transport", str),
        "rectify": _typed("rectify", bool),
        "camera_info_url": _typed("camera_info_url", str),
        "model.device": _typed("device", str),
    }
    return Node(
        package="sdepth_ros",
        executable=f"{name}_node",
        name=name,
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration(params_file), common | parameters],
        remappings=[("image", LaunchConfiguration("image_topic"))],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        output="screen",
    )


def generate_launch_description() -> LaunchDescription:
    """Return the two nodes, RViz, and Fast DDS's profile for large images."""
    odometry = {
        "base_frame": _typed("base_frame", str),
        "odom_frame": _typed("odom_frame", str),
        "publish_tf": _typed("publish_tf", bool),
    }
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", LaunchConfiguration("rviz_config")],
        parameters=[{"use_sim_time": _typed("use_sim_time", bool)}],
        remappings=[("/camera/image_raw", LaunchConfiguration("image_topic"))],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(n, default_value=v, description=d) for n, v, d in ARGUMENTS),
            SetEnvironmentVariable(PROFILES_VARIABLE, _config("fastdds.xml")),
            _node("depth", "depth_params", {"mode": _typed("mode", str)}),
            _node("odometry", "odometry_params", odometry),
            rviz,
        ]
    )
