"""A bag played through the nodes, and RViz to look at it.

ros2 launch sdepth_ros replay.launch.py bag:=/path/to/bag mode:=night

The arguments of sdepth.launch.py can be given too.
"""

from __future__ import annotations

from math import inf
from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    Shutdown,
)
from launch.conditions import IfCondition
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from sdepth.errors import ConfigError

ARGUMENTS = (
    ("bag", None, "Folder of the bag"),
    ("rate", "1.0", "Speed, 1.0 is real time"),
    ("loop", "false", "Whether to start over at the end"),
    ("start_delay", "2.0", "Seconds from when both nodes listen to the first message"),
    ("rviz", "true", "Whether to open RViz"),
)


def _is_true(name: str, context: LaunchContext) -> bool:
    """Return a bool argument; another value ends the launch."""
    return IfCondition(LaunchConfiguration(name)).evaluate(context)


def _check(context: LaunchContext) -> None:
    """Refuse what the player would refuse, while nothing runs: what runs is not stopped by that.

    Raises:
        ConfigError: there is no bag, or a number is none.
    """
    _is_true("loop", context)
    given = context.launch_configurations
    if not Path(given["bag"]).exists():
        raise ConfigError(f"bag:={given['bag']}: no such file or folder; give its whole path")
    for name, least in (("rate", 1e-9), ("start_delay", 0.0)):
        try:
            fits = least <= float(given[name]) < inf
        except ValueError:
            fits = False
        if not fits:
            sign = "more than 0" if name == "rate" else "0 or more"
            raise ConfigError(f"{name}:={given[name]}: expected a number, {sign}")


def _ended(event: ProcessExited, _: LaunchContext) -> list[Shutdown]:
    """Return that all is to end where the player failed; at the bag's end one still looks."""
    return [Shutdown(reason="the bag cannot be played")] if event.returncode else []


def _play(context: LaunchContext) -> list[Node]:
    """Return our player with /clock; unlike ``ros2 bag play`` it waits for the nodes."""
    timing = ["--rate", LaunchConfiguration("rate")]
    timing += ["--start-delay", LaunchConfiguration("start_delay")]
    # Depth from the one node to the other; in one process it is when the image is heard.
    ready = [] if _is_true("one_process", context) else ["--wait-for", "depth/image_rect"]
    again = ["--loop"] if _is_true("loop", context) else []
    player = Node(
        package="sdepth_ros",
        executable="replay",
        namespace=LaunchConfiguration("namespace"),
        arguments=[LaunchConfiguration("bag"), "--clock", *timing, *ready, *again],
        output="screen",
        on_exit=_ended,
    )
    return [player]


def generate_launch_description() -> LaunchDescription:
    """Return the vehicle's launch file in the bag's time, and the player."""
    launch_file = PathJoinSubstitution(
        [FindPackageShare("sdepth_ros"), "launch", "sdepth.launch.py"]
    )
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(n, default_value=v, description=d) for n, v, d in ARGUMENTS),
            OpaqueFunction(function=_check),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(launch_file),
                launch_arguments=[("use_sim_time", "true"), ("rviz", LaunchConfiguration("rviz"))],
            ),
            OpaqueFunction(function=_play),
        ]
    )
