"""Every distribution we promise: what we call is there, and how it calls us is understood."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from nav_msgs.msg import Odometry
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from sdepth_ros.conversions import stamp_ns
from sdepth_ros.qos import with_info
from tests.ros import processes
from tests.ros.camera_peer import FakeCamera
from tests.ros.test_depth_node import REMAP

if TYPE_CHECKING:
    from tests.ros.processes import Peer

pytestmark = pytest.mark.ros


@contextmanager
def as_on(distribution: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    """Run an executable of ours on an rclpy that is made to be an older one."""
    command = [sys.executable, "-m", "tests.ros.older", distribution, *args]
    node = subprocess.Popen(
        command, env=processes.environment(), cwd=processes.ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield node
    finally:
        processes.finish(node)


@pytest.mark.parametrize("distribution", ["humble", "jazzy"])
def test_images_are_answered_as_on_an_older_distribution(
    distribution: str, peer: Peer, weights: Path
) -> None:
    depths, odoms = peer.listen(Image, "/depth/image_rect"), peer.listen(Odometry, "/odom")
    camera = FakeCamera(peer)
    models = [f"{name}:={weights}" for name in ("model.day_path", "model.night_path")]
    options = [word for value in (*models, "base_frame:=''") for word in ("-p", value)]
    with as_on(distribution, "vision_node", "--ros-args", *REMAP, *options) as node:
        camera.send_and_wait(3, odoms)
        assert peer.spin_until(lambda: len(depths) == 3)
        output = processes.finish(node)
    assert [stamp_ns(m.header) for m in odoms] == camera.stamps
    assert (node.returncode, "Traceback" in output) == (0, False), output


def test_a_callback_is_called_with_the_message_alone_or_with_what_is_known_of_it() -> None:
    heard: list[tuple] = []
    callback = with_info(lambda msg, info: heard.append((msg, dict(info))))
    callback("as on Humble")
    callback("later", {"publisher_gid": 7})
    assert heard == [("as on Humble", {}), ("later", {"publisher_gid": 7})]
    with pytest.raises(TypeError):  # so that later ones take it for one that wants both
        inspect.signature(callback).bind(object())
    if hasattr(Subscription, "CallbackType"):
        inspect.signature(callback).bind(object(), object())
