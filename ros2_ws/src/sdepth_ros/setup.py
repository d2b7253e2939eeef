"""Package the ROS 2 nodes with their launch files, parameters and RViz views."""

import sys
from pathlib import Path

from setuptools import find_packages, setup

NAME = "sdepth_ros"
COMMANDS = ("depth_node", "odometry_node", "vision_node", "replay", "record", "doctor")
# colcon (install, develop) puts them where ``ros2 run sdepth_ros replay`` looks. pip puts them on
# the PATH, where many a program is called replay: there it is sdepth-replay.
ON_PATH = not {"install", "develop"} & {*sys.argv}
HERE = Path(__file__).parent


def files(folder: str) -> tuple[str, list[str]]:
    """Return the install folder and the files of ``folder`` (launch and rviz are links)."""
    paths = (p for p in (HERE / folder).glob("*") if p.is_file())
    return f"share/{NAME}/{folder}", sorted(f"{folder}/{p.name}" for p in paths)


def program(command: str) -> str:
    """Return the name of the program that runs ``sdepth_ros.start``'s ``command``."""
    return f"sdepth-{command}".replace("_", "-") if ON_PATH else command


setup(
    name=NAME,
    version="0.1.0",
    description="ROS 2 nodes of sdepth: metric depth, point clouds and odometry from one camera.",
    author="The sdepth authors",
    maintainer="The sdepth authors",
    maintainer_email="sdepth@users.noreply.github.com",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        files("launch"),
        files("rviz"),
        files("config"),
    ],
    entry_points={"console_scripts": [f"{program(c)} = {NAME}.start:{c}" for c in COMMANDS]},
    install_requires=[
        "numpy",
        "opencv-python-headless",
        "pyyaml",
        "rosbags",
        "sdepth",
        "torch",
        "tqdm",
        "transforms3d",
    ],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
)
