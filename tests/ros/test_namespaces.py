"""Two cameras, each with both nodes in a namespace of its own, over real DDS."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image

from sdepth_ros.conversions import stamp_ns
from tests.ros import processes
from tests.ros.camera_peer import FakeCamera

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = [pytest.mark.ros, pytest.mark.slow]
NAMES = ("/left", "/right")


def arguments(namespace: str, node: str, weights: Path) -> list[str]:
    """Return a node's command line, as the launch file gives it for a camera in a namespace."""
    remap = [f"__ns:={namespace}", f"__node:={node}", "image:=camera/image_raw"]
    given = {
        "depth": [f"model.day_path:={weights}", f"model.night_path:={weights}"],
        "odometry": [f"model.path:={weights}", "base_frame:=''", "publish_tf:=false"],
    }
    options = [("-r", item) for item in remap] + [("-p", item) for item in given[node]]
    return ["--ros-args", *(word for option in options for word in option)]


def test_two_cameras_do_not_hear_each_other(peer: Peer, weights: Path) -> None:
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    depths = {name: peer.listen(Image, f"{name}/depth/image_rect") for name in NAMES}
    odoms = {name: peer.listen(Odometry, f"{name}/odom") for name in NAMES}
    cameras = {name: FakeCamera(peer, namespace=name) for name in NAMES}
    with ExitStack() as nodes:
        for name in NAMES:
            for node in ("depth", "odometry"):
                command = arguments(name, node, weights)
                nodes.enter_context(processes.running(f"{node}_node", *command))
        for name, camera in cameras.items():
            camera.wait_for_node()
            for _ in range(100):  # the first ones are lost while the two nodes find each other
                camera.send()
                if peer.spin_until(lambda answers=odoms[name]: len(answers) > 3, 1):
                    break
        named = {f"{name[1:]}/{node}: frames" for name in NAMES for node in ("depth", "odometry")}
        assert peer.spin_until(lambda: {r.status[0].name for r in reports} == named)
    for name, camera in cameras.items():
        assert len(odoms[name]) > 3
        assert {m.header.frame_id for m in depths[name]} == {camera.frame}
        assert {m.child_frame_id for m in odoms[name]} == {camera.frame}
        for answers in (depths[name], odoms[name]):
            stamps = [stamp_ns(m.header) for m in answers]
            assert stamps == sorted(set(stamps) & set(camera.stamps))
