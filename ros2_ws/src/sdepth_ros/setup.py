"""Package the ROS 2 nodes with their launch files, parameters and RViz views."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "sdepth_ros"
NODES = ("depth_node", "odometry_node", "vision_node", "replay", "record", "doctor")
HERE = Path(__file__).parent


def files(folder: str) -> tuple[str, list[str]]:
    """Return the install folder and the files of ``folder`` (launch and rviz are links)."""
    paths = (p for p in (HERE / folder).glob("*") if p.is_file())
    return f"share/{NAME}/{folder}", sorted(f"{folder}/{p.name}" for p in paths)


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
    entry_points={"console_scripts": [f"{node} = {NAME}.start:{node}" for node in NODES]},
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
