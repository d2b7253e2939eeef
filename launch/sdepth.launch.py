"""Depth and odometry of one camera on a vehicle.

ros2 launch sdepth_ros sdepth.launch.py image_topic:=/front/image_raw
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import Action, LaunchContext, LaunchDescription
from sdepth.errors import ConfigError
from sdepth_ros.middleware import PROFILES_VARIABLE

SHARE = FindPackageShare("sdepth_ros")
DEPTH, ODOMETRY, RVIZ = "depth", "odometry", "rviz"
BOTH = (DEPTH, ODOMETRY)
AS_FILE = "as in the parameter file"
"""Default of arguments that are parameters, so that what is written in a file holds."""
NONE = "none"
"""Stands for an empty text, which ``ros2 launch`` has no way to say."""
TRUE, FALSE = ("true", "True", "1"), ("false", "False", "0")
LEVELS = ("debug", "info", "warn", "error", "fatal")
PARAMETERS = (
    ("mode", (DEPTH,), "mode", ("day", "night", "auto"), "auto: by the image's brightness"),
    ("day_model", (DEPTH,), "model.day_path", str, "Checkpoint for the day"),
    ("night_model", (DEPTH,), "model.night_path", str, "Checkpoint for the night"),
    ("odometry_model", (ODOMETRY,), "model.path", str, "Checkpoint of the odometry"),
    ("device", BOTH, "model.device", str, "auto, cpu, cuda or cuda:N"),
    ("image_transport", BOTH, "image_transport", ("raw", "compressed"), "How images come"),
    ("rectify", BOTH, "rectify", bool, "Whether images have lens distortion"),
    ("camera_info_url", BOTH, "camera_info_url", str, "Calibration .yaml"),
    ("base_frame", (ODOMETRY,), "base_frame", str, "Frame whose pose it is; none: the camera's"),
    ("odom_frame", (ODOMETRY,), "odom_frame", str, "Frame the pose is given in"),
    ("publish_tf", (ODOMETRY,), "publish_tf", bool, "Whether odom -> base goes to /tf"),
    ("autostart", BOTH, "autostart", bool, "Whether the nodes activate themselves"),
    ("use_sim_time", (*BOTH, RVIZ), "use_sim_time", bool, "Whether time is /clock's"),
)


def _shared(folder: str, name: str) -> PathJoinSubstitution:
    """Return the path of an installed file."""
    return PathJoinSubstitution([SHARE, folder, name])


ARGUMENTS = (
    ("image_topic", "/camera/image_raw", str, "Topic of the image"),
    ("camera_info_topic", "camera_info", str, "Topic of camera_info; default: image's sibling"),
    ("namespace", "", str, "Namespace of nodes and topics, as for a second camera"),
    ("depth_params", _shared("config", "depth.param.yaml"), str, "Parameters of the depth node"),
    ("odometry_params", _shared("config", "odometry.param.yaml"), str, "And of the odometry"),
    ("one_process", "false", bool, "Whether both nodes share a process, images cross DDS once"),
    ("log_level", "info", (*LEVELS, *map(str.upper, LEVELS)), "From which on logs are shown"),
    ("respawn", "false", bool, "Whether a node that ended is started again"),
    ("rviz", "false", bool, "Whether to open RViz"),
    ("rviz_config", _shared("rviz", "sdepth.rviz"), str, "What RViz shows"),
    *((name, AS_FILE, kind, description) for name, _, _, kind, description in PARAMETERS),
)
FILES = ("depth_params", "odometry_params", "rviz_config")
VIEWED = ("depth/color", "points", "fused/points", "odom", "path")
"""Topics of ours in sdepth.rviz, where they are absolute."""


def _declare(name: str, default: object, kind: object, text: str) -> DeclareLaunchArgument:
    """Return an argument; another value than a bool's or one of the choices ends the launch."""
    choices = (*TRUE, *FALSE) if kind is bool else kind if isinstance(kind, tuple) else None
    if choices and default == AS_FILE:
        choices = (*choices, AS_FILE)
    return DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)


def _is_true(name: str, context: LaunchContext) -> bool:
    """Return a bool argument."""
    return context.launch_configurations[name] in TRUE


def _given(nodes: tuple[str, ...], context: LaunchContext) -> dict[str, object]:
    """Return the parameters of nodes that arguments give, typed: text would be guessed at."""
    given: dict[str, object] = {}
    for name, takers, parameter, kind, _ in PARAMETERS:
        text = context.launch_configurations[name]
        if {*nodes} & {*takers} and text != AS_FILE:
            value = ParameterValue("" if text == NONE else text, value_type=str)
            given[parameter] = _is_true(name, context) if kind is bool else value
    return given


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
        respawn=_is_true("respawn", context),
        respawn_delay=2.0,
        output="screen",
    )


def _view(context: LaunchContext) -> str:
    """Return the file of what RViz shows, for the frames that arguments give.

    Its Fixed Frame is the vehicle's: a cloud comes before the transform of its stamp, and RViz
    shows no cloud late. Of the camera's own odometry (base_frame:=none) no vehicle is known.
    """
    path, frames = context.launch_configurations["rviz_config"], {}
    if (odom := context.launch_configurations["odom_frame"]) != AS_FILE:
        frames["odom"] = odom
    if (base := context.launch_configurations["base_frame"]) != AS_FILE:
        frames["base_link"] = frames.get("odom", "odom") if base == NONE else base
    if not frames:
        return path
    swap = rf"(?m)^( *(?:Fixed|Target|Reference) Frame: )({'|'.join(frames)})$"
    text = re.sub(swap, lambda m: m[1] + frames[m[2]], Path(path).read_text())
    with tempfile.NamedTemporaryFile("w", suffix=".rviz", delete=False) as file:
        file.write(text)
    return file.name


def _rviz(context: LaunchContext) -> Action:
    """Return RViz, looking at the namespace; without one, what to do."""
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        package = f"ros-{os.environ.get('ROS_DISTRO', '<distro>')}-rviz2"
        return LogInfo(msg=f"no RViz, going on without: sudo apt install {package}")
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["--display-config", _view(context)],
        parameters=[_given((RVIZ,), context)],
        remappings=[
            ("/camera/image_raw", LaunchConfiguration("image_topic")),
            *((f"/{topic}", topic) for topic in VIEWED),
        ],
    )


def _start(context: LaunchContext) -> list[Action]:
    """Return what runs, once the arguments are known.

    RViz comes first: where it cannot be started, ``ros2 launch`` ends, and leaves alone what it
    has started before.

    Raises:
        ConfigError: a file is not there; ROS would go on with the defaults.
    """
    for name in FILES:
        if not Path(path := context.launch_configurations[name]).is_file():
            raise ConfigError(f"{name}:={path}: no such file; give its whole path")
    together = _is_true("one_process", context)
    processes = [("vision_node", BOTH)] if together else [(f"{n}_node", (n,)) for n in BOTH]
    view = [_rviz(context)] if _is_true("rviz", context) else []
    return [*view, *(_process(name, nodes, context) for name, nodes in processes)]


def generate_launch_description() -> LaunchDescription:
    """Return the nodes, RViz, and Fast DDS's profile for large images, unless one is set."""
    profile = EnvironmentVariable(
        PROFILES_VARIABLE, default_value=_shared("config", "fastdds.xml")
    )
    return LaunchDescription(
        [
            *(_declare(*argument) for argument in ARGUMENTS),
            SetEnvironmentVariable(PROFILES_VARIABLE, profile),
            OpaqueFunction(function=_start),
        ]
    )
