"""A bag played through the nodes, and RViz to look at it.

ros2 launch sdepth_ros replay.launch.py bag:=/path/to/bag mode:=night

The arguments of sdepth.launch.py can be given too.
"""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription

ARGUMENTS = (
    ("bag", None, "Folder of the bag"),
    ("rate", "1.0", "Speed, 1.0 is real time"),
    ("loop", "false", "Whether to start over at the end"),
    ("start_delay", "2.0", "Seconds from when both nodes listen to the first message"),
    ("rviz", "true", "Whether to open RViz"),
)


def _play(context: LaunchContext) -> list[Node]:
    """Return our player with /clock; unlike ``ros2 bag play`` it waits for the nodes."""

    def is_true(name: str) -> bool:
        return IfCondition(LaunchConfiguration(name)).evaluate(context)

    timing = ["--rate", LaunchConfiguration("rate")]
    timing += ["--start-delay", LaunchConfiguration("start_delay")]
    # Depth from the one node to the other; in one process it is when the image is heard.
    ready = [] if is_true("one_process") else ["--wait-for", "depth/image_rect"]
    again = ["--loop"] if is_true("loop") else []
    player = Node(
        package="sdepth_ros",
        executable="replay",
        namespace=LaunchConfiguration("namespace"),
        arguments=[LaunchConfiguration("bag"), "--clock", *timing, *ready, *again],
        output="screen",
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
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(launch_file),
                launch_arguments=[("use_sim_time", "true"), ("rviz", LaunchConfiguration("rviz"))],
            ),
            OpaqueFunction(function=_play),
        ]
    )
