"""What RViz and Foxglove show is what the nodes publish."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.conftest import ROOT

if TYPE_CHECKING:
    from demo.peer import Peer

RVIZ = yaml.safe_load((ROOT / "rviz/sdepth.rviz").read_text())
FOXGLOVE = json.loads((ROOT / "rviz/sdepth.foxglove.json").read_text())
SHOWN = {"/depth/color", "/points", "/fused/points", "/odom", "/path"}
AT_HAND = {"/fused/points"}  # off: a recording need not have it, and it costs where it is heard
# What RViz 14 (Jazzy) declares; an unknown class shows as an error in its window.
CLASSES = {
    "rviz_common/Displays",
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
    assert set(topics) == {"/camera/image_raw"} | SHOWN
    for topic, display in topics.items():
        assert set(display["Topic"]) >= QOS_KEYS
        assert display["Enabled"] == display["Value"] == (topic not in AT_HAND)


def test_rviz_hears_a_best_effort_camera_and_keeps_no_clouds_waiting() -> None:
    displays = {d["Name"]: d for d in nodes_of(RVIZ) if "Topic" in d}
    assert displays["Camera"]["Topic"]["Reliability Policy"] == "Best Effort"
    filtered = {name for name, d in displays.items() if "Filter size" in d["Topic"]}
    assert filtered == {"Odometry", "Path"}


def test_rviz_looks_from_the_vehicle_over_a_grid_that_stands_still() -> None:
    # A cloud comes before the transform of its stamp, and RViz does not wait for that from Jazzy.
    options = RVIZ["Visualization Manager"]["Global Options"]
    grid = next(d for d in nodes_of(RVIZ) if d.get("Name") == "Grid")
    assert (options["Fixed Frame"], grid["Reference Frame"]) == ("base_link", "odom")


def test_rviz_opens_with_large_images_and_a_large_view() -> None:
    state = bytes.fromhex(RVIZ["Window Geometry"]["QMainWindow State"])
    header, docks = state[:12].hex(), state.split(b"\xfb")[1:]  # one marker before each dock
    assert header == "000000ff00000000fd000000"  # QMainWindow.saveState(), version 0
    found = {}
    for dock in docks:
        (size,) = struct.unpack(">I", dock[:4])
        name, shown = dock[4 : 4 + size].decode("utf-16-be"), dock[4 + size]
        found[name] = (shown, *struct.unpack(">II", dock[5 + size : 13 + size]))
    width = struct.unpack(">I", state[17:21])[0]
    assert sorted(found) == ["Camera", "Depth", "Displays"]
    assert all(shown == 1 for shown, _, _ in found.values())
    assert min(width, RVIZ["Window Geometry"]["Width"] - width) > 500
    assert min(height for _, _, height in found.values()) > 250


def foxglove_topics() -> set[str]:
    """Return every topic that a panel of the layout names."""
    found = set()
    for node in nodes_of(FOXGLOVE["configById"]):
        found |= {name for name in node if name.startswith("/")}
        for key, value in node.items():
            if key in ("imageTopic", "calibrationTopic", "topicToRender"):
                found.add(value)
            elif key == "value" and isinstance(value, str):
                found.add(value.split(".")[0])
    return found


def test_foxglove_lays_out_each_panel_once() -> None:
    def leaves(tree: Any) -> Iterator[str]:
        if isinstance(tree, str):
            yield tree
        else:
            yield from (*leaves(tree["first"]), *leaves(tree["second"]))

    panels = list(leaves(FOXGLOVE["layout"]))
    assert sorted(panels) == sorted(FOXGLOVE["configById"])
    kinds = {name.split("!")[0] for name in panels}
    assert kinds == {"Image", "3D", "StateTransitions", "DiagnosticSummary"}


def test_foxglove_and_rviz_show_the_same_scene() -> None:
    scene = FOXGLOVE["configById"]["3D!scene"]
    options = RVIZ["Visualization Manager"]["Global Options"]
    view = RVIZ["Visualization Manager"]["Views"]["Current"]
    assert scene["followTf"] == view["Target Frame"] == options["Fixed Frame"]
    assert {t for t, how in scene["topics"].items() if not how["visible"]} == AT_HAND
    assert foxglove_topics() >= SHOWN | {"/depth/mode", "/diagnostics"}


@pytest.mark.ros
@pytest.mark.slow
def test_the_nodes_publish_what_viewers_show(peer: Peer, weights: Path) -> None:
    from tests.ros import processes

    models = [("-p", f"model.{name}_path:={weights}") for name in ("day", "night")]
    depth = [word for option in models for word in option]
    displays = {
        d["Topic"]["Value"]: d["Class"].split("/")[1] for d in nodes_of(RVIZ) if "Topic" in d
    }
    ours = {topic: kind for topic, kind in displays.items() if topic in SHOWN}
    expected = (foxglove_topics() | SHOWN) - {"/camera/image_raw", "/camera/camera_info"}
    with (
        processes.running("depth_node", "--ros-args", *depth),
        processes.running("odometry_node", "--ros-args", "-p", f"model.path:={weights}"),
    ):
        assert peer.spin_until(lambda: all(map(peer.count_publishers, expected)), 60)
        types = dict(peer.get_topic_names_and_types())
    for topic, kind in ours.items():
        assert [name.split("/")[-1] for name in types[topic]] == [kind]
