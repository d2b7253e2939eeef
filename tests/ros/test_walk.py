"""The way of an image through our files is the one that docs/architecture.md shows."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

import rclpy
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage

from sdepth_ros.conversions import stamp_ns
from sdepth_ros.depth_node import DepthNode
from sdepth_ros.odometry_node import OdometryNode
from tests.conftest import ROOT
from tests.ros.camera_peer import FakeCamera
from tests.ros.test_depth_node import REMAP

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros
SOURCES = f"{ROOT}/ros2_ws/src/"
NETWORK = ("sdepth/models/", "sdepth/engines/")
DIAGNOSTICS = ("health", "managed_node", "memory", "notices", "card", "pixels")
"""Files that run once a second, not for each image of 8 bits."""


class Walk:
    """Notes which files of ours run in threads that start while it is open, while ``on``."""

    def __init__(self) -> None:
        """Start with none."""
        self.on = threading.Event()
        self._found: set[str] = set()

    def look(self, frame: FrameType, event: str, _: object) -> None:
        """Note a call."""
        if event == "call" and self.on.is_set():
            self._found.add(frame.f_code.co_filename)

    @property
    def files(self) -> set[str]:
        """Those found, as the page names them."""
        ours = {f.removeprefix(SOURCES).partition("/")[2] for f in self._found if SOURCES in f}
        return {f for f in ours if not f.startswith(NETWORK) and Path(f).stem not in DIAGNOSTICS}


@contextmanager
def both_nodes(weights: Path) -> Iterator[Walk]:
    """Run both nodes in this process, their frames going from one to the other."""
    models = [f"model.{name}:={weights}" for name in ("day_path", "night_path")]
    given = [*models, "base_frame:=''", "model.engine:=torch", "model.precision:=fp32"]
    rclpy.init(args=["--ros-args", *REMAP, *(w for v in given for w in ("-p", v))])
    executor, walk = SingleThreadedExecutor(), Walk()
    threading.setprofile(walk.look)
    spin = threading.Thread(target=executor.spin, daemon=True)
    nodes: list[DepthNode | OdometryNode] = [depth := DepthNode(), OdometryNode(depth)]
    try:
        for node in nodes:
            assert node.autostart()
            executor.add_node(node)
        spin.start()
        yield walk
    finally:
        threading.setprofile(None)  # type: ignore[arg-type]
        executor.shutdown()
        for node in nodes:
            node.close()
        rclpy.try_shutdown()
        spin.join(10)


def newest(messages: list) -> int:
    """Return the stamp of the last message, ns; 0 where none came."""
    items = [item for m in messages[-1:] for item in getattr(m, "transforms", [m])]
    return stamp_ns(items[0].header) if items else 0


def test_an_image_runs_through_the_files_that_the_page_names(peer: Peer, weights: Path) -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    section = page.split("## One image")[1].split("## One training step")[0]
    outputs = [
        peer.listen(kind, topic)
        for kind, topic in (
            (Odometry, "/odom"), (TFMessage, "/tf"), (Image, "/depth/image_rect"),
            (Image, "/fused/depth/image_rect"),
        )
    ]  # fmt: skip
    with both_nodes(weights) as walk:
        camera = FakeCamera(peer)
        camera.show_texture()  # depth is fused where the motion is known
        camera.send_and_wait(3, outputs[-1])
        assert peer.spin_until(lambda: {*map(newest, outputs)} == {camera.stamps[-1]})
        walk.on.set()
        camera.send_and_wait(1, outputs[-1])
        assert peer.spin_until(lambda: {*map(newest, outputs)} == {camera.stamps[-1]})
        walk.on.clear()

    named = set(re.findall(r"`(sdepth(?:_ros)?/[\w/]+\.py)`", section))
    assert walk.files - named == set()
    count = re.search(r"runs through (\d+) of our files", section)
    assert count is not None
    assert len(walk.files) == int(count[1]), "\n".join(sorted(walk.files))
