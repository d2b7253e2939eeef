"""Depth and odometry of one camera on a vehicle.

ros2 launch sdepth_ros sdepth.launch.py image_topic:=/front/image_raw
"""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from sdepth_ros.middleware import PROFILES_VARIABLE

SHARE = FindPackageShare("sdepth_ros")
DEPTH, ODOMETRY, RVIZ = "depth", "odometry", "rviz"
BOTH = (DEPTH, ODOMETRY)
AS_FILE = "as in the parameter file"
"""Default of arguments that are parameters, so that what is written in a file holds."""
PARAMETERS = (
    ("mode", (DEPTH,), "mode", str, "day, night, or auto by the image's brightness"),
    ("day_model", (DEPTH,), "model.day_path", str, "Checkpoint for the day"),
    ("night_model", (DEPTH,), "model.night_path", str, "Checkpoint for the night"),
    ("odometry_model", (ODOMETRY,), "model.path", str, "Checkpoint of the odometry"),
    ("device", BOTH, "model.device", str, "auto, cpu, cuda or cuda:N"),
    ("image_transport", BOTH, "image_transport", str, "raw, or compressed"),
    ("rectify", BOTH, "rectify", bool, "Whether images have lens distortion"),
    ("camera_info_url", BOTH, "camera_info_url", str, "Calibration .yaml"),
    ("base_frame", (ODOMETRY,), "base_frame", str, "Frame whose pose it is"),
    ("odom_frame", (ODOMETRY,), "odom_frame", str, "Frame the pose is given in"),
    ("publish_tf", (ODOMETRY,), "publish_tf", bool, "Whether odom -> base goes to /tf"),
    ("autostart", BOTH, "autostart", bool, "Whether the nodes activate themselves"),
    ("use_sim_time", (*BOTH, RVIZ), "use_sim_time", bool, "Whether time is /clock's"),
)


def _shared(folder: str, name: str) -> PathJoinSubstitution:
    """Return the path of an installed file."""
    return PathJoinSubstitution([SHARE, folder, name])


ARGUMENTS = (
    ("image_topic", "/camera/image_raw", "Topic of the image"),
    ("camera_info_topic", "camera_info", "Topic of camera_info; default: the image's sibling"),
    ("namespace", "", "Namespace of nodes and topics, as for a second camera"),
    ("depth_params", _shared("config", "depth.param.yaml"), "Parameter file of the depth node"),
    ("odometry_params", _shared("config", "odometry.param.yaml"), "And of the odometry node"),
    ("one_process", "false", "Whether both nodes share a process, and images cross DDS once"),
    ("log_level", "info", "debug, info, warn, error or fatal"),
    ("respawn", "false", "Whether a node that ended is started again"),
    ("rviz", "false", "Whether to open RViz"),
    ("rviz_config", _shared("rviz", "sdepth.rviz"), "What RViz shows"),
    *((name, AS_FILE, description) for name, *_, description in PARAMETERS),
)
VIEWED = ("depth/color", "points", "odom", "path")
"""Topics of ours in sdepth.rviz, where they are absolute."""


def _given(nodes: tuple[str, ...], context: LaunchContext) -> dict[str, ParameterValue]:
    """Return the parameters of nodes that arguments give, typed: text would be guessed at."""
    return {
        parameter: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, takers, parameter, kind, _ in PARAMETERS
        if {*nodes} & {*takers} and context.launch_configurations[name] != AS_FILE
    }


def _process(executable: str, nodes: tuple[str, ...], context: LaunchContext) -> Node:
    """Return a process of our nodes: their parameter files first, arguments over them."""
    files = [LaunchConfiguration(f"{name}_params") for name in nodes]
    return Node(
        package="sdepth_ros",
        executable=executable,
        namespace=LaunchConfiguration("namespace"),
        parameters=[*files, _given(nodes, context)],
        remappings=[
            ("image", LaunchConfiguration("image_topic")),
            ("camera_info", LaunchConfiguration("camera_info_topic")),
        ],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        respawn=LaunchConfiguration("respawn"),
        respawn_delay=2.0,
        output="screen",
    )


def _rviz(context: LaunchContext) -> Node:
    """Return RViz, looking at the namespace."""
    odom = context.launch_configurations["odom_frame"]
    frame = [] if odom == AS_FILE else ["--fixed-frame", odom]
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["--display-config", LaunchConfiguration("rviz_config"), *frame],
        parameters=[_given((RVIZ,), context)],
        remappings=[
            ("/camera/image_raw", LaunchConfiguration("image_topic")),
            *((f"/{topic}", topic) for topic in VIEWED),
        ],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )


def _start(context: LaunchContext) -> list[Node]:
    """Return what runs, once the arguments are known."""
    if IfCondition(LaunchConfiguration("one_process")).evaluate(context):
        return [_process("vision_node", BOTH, context), _rviz(context)]
    apart = [_process(f"{name}_node", (name,), context) for name in BOTH]
    return [*apart, _rviz(context)]


def generate_launch_description() -> LaunchDescription:
    """Return the nodes, RViz, and Fast DDS's profile for large images, unless one is set."""
    profile = EnvironmentVariable(
        PROFILES_VARIABLE, default_value=_shared("config", "fastdds.xml")
    )
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(n, default_value=v, description=d) for n, v, d in ARGUMENTS),
            SetEnvironmentVariable(PROFILES_VARIABLE, profile),
            OpaqueFunction(function=_start),
        ]
    )
