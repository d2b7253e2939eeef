"""A bag played through the nodes, and RViz to look at it.

ros2 launch sdepth_ros replay.launch.py bag:=/path/to/bag mode:=night

The arguments of sdepth.launch.py can be given too.
"""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument, ExecuteProcess, IncludeLaunchDescription
from launch.conditions import IfCondition, UnlessCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

ARGUMENTS = (
    ("bag", None, "Folder of the bag"),
    ("rate", "1.0", "Speed, 1.0 is real time"),
    ("loop", "false", "Whether to start over at the end"),
    ("start_delay", "10.0", "Seconds for the nodes to load their networks before the bag starts"),
    ("rviz", "true", "Whether to open RViz"),
)


def _play(*more: str, **condition: object) -> ExecuteProcess:
    """Return ``ros2 bag play`` with /clock."""
    command = ["ros2", "bag", "play", LaunchConfiguration("bag"), "--clock", "100"]
    timing = ["--rate", LaunchConfiguration("rate"), "--delay", LaunchConfiguration("start_delay")]
    return ExecuteProcess(cmd=[*command, *timing, *more], output="screen", **condition)


def generate_launch_description() -> LaunchDescription:
    """Return the vehicle's launch file in the bag's time, and the player."""
    launch_file = PathJoinSubstitution(
        [FindPackageShare("sdepth_ros"), "launch", "sdepth.launch.py"]
    )
    loop = LaunchConfiguration("loop")
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(n, default_value=v, description=d) for n, v, d in ARGUMENTS),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(launch_file),
                launch_arguments=[("use_sim_time", "true"), ("rviz", LaunchConfiguration("rviz"))],
            ),
            _play(condition=UnlessCondition(loop)),
            _play("--loop", condition=IfCondition(loop)),
        ]
    )
