"""Launch files, RViz's configuration and Fast DDS's profile."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RVIZ = yaml.safe_load((ROOT / "rviz/sdepth.rviz").read_text())
# What RViz 14 (Jazzy) declares; an unknown class shows as an error in its window.
CLASSES = {
    *(f"rviz_common/{n}" for n in ("Displays", "Selection", "Tool Properties", "Views", "Time")),
    *(
        f"rviz_default_plugins/{n}"
        for n in (
            "Grid", "TF", "Image", "PointCloud2", "Odometry", "Path", "ThirdPersonFollower",
            "Interact", "MoveCamera", "Select", "FocusCamera", "Measure",
        )
    ),
}  # fmt: skip
QOS_KEYS = {"Depth", "Durability Policy", "History Policy", "Reliability Policy", "Value"}


def nodes_of(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every map of a YAML tree."""
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(child, dict | list):
            yield from nodes_of(child)


def test_rviz_knows_every_class() -> None:
    classes = {node["Class"] for node in nodes_of(RVIZ) if node.get("Class")}
    assert classes <= CLASSES


def test_rviz_shows_every_output_with_a_complete_qos() -> None:
    topics = {d["Topic"]["Value"]: d for d in nodes_of(RVIZ) if "Topic" in d}
    assert set(topics) == {"/camera/image_raw", "/depth/color", "/points", "/odom", "/path"}
    for display in topics.values():
        assert set(display["Topic"]) >= QOS_KEYS
        assert display["Enabled"]


def test_the_dds_profile_makes_room_for_large_images() -> None:
    tree = ET.parse(ROOT / "ros2_ws/src/sdepth_ros/config/fastdds.xml")
    name = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"
    sizes = [int(item.text or 0) for item in tree.iter(f"{name}segment_size")]
    used = {item.text for item in tree.iter(f"{name}transport_id")}
    assert sizes == [32 * 1024 * 1024]
    assert used == {"large_shm", "udp"}


@pytest.mark.parametrize("name", ["sdepth", "replay"])
def test_every_launch_argument_is_described(name: str) -> None:
    pytest.importorskip("launch_ros", reason="launch is not on PyPI, needs a ROS 2 install")
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    path = ROOT / f"launch/{name}.launch.py"
    description = get_launch_description_from_python_launch_file(str(path))
    arguments = [item for item in description.entities if hasattr(item, "default_value")]
    assert arguments
    assert all(item.description for item in arguments)
