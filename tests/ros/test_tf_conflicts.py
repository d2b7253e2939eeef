"""Somebody else who publishes the odometry's transform, over real DDS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from tf2_msgs.msg import TFMessage

from sdepth_ros.qos import TF
from tests.ros import processes
from tests.ros.test_odometry_node import FakeDepthCamera, arguments
from tests.ros.test_qos import message_of

if TYPE_CHECKING:
    from pathlib import Path

    from demo.peer import Peer

pytestmark = pytest.mark.ros
CLASH = "publishes {} -> base_link on {}, too"


class Drive:
    """A driven odometry node, and a filter that publishes transforms beside it."""

    def __init__(self, peer: Peer) -> None:
        self._peer, self._topic = peer, "/tf"
        self.reports = peer.listen(DiagnosticArray, "/diagnostics")
        self._odoms = peer.listen(Odometry, "/odom")
        self._camera = FakeDepthCamera(peer)
        self._camera.send_mounting()
        self._output = peer.create_publisher(TFMessage, "/tf", TF)

    def move(self, topic: str) -> None:
        """Let the filter publish on another topic."""
        self.stop()
        self._topic = topic
        self._output = self._peer.create_publisher(TFMessage, topic, TF)

    def go(self, parent: str, child: str, seconds: int = 6) -> bool:
        """Drive with a filter's transform beside; tell whether the diagnostics name it."""
        moved = TransformStamped(child_frame_id=child)
        moved.header.frame_id = parent
        for _ in range(seconds):
            self._camera.send_and_wait(1, self._odoms)
            moved.header.stamp = self._odoms[-1].header.stamp
            moved.transform.translation.x += 0.5
            self._output.publish(TFMessage(transforms=[moved]))
            self._peer.spin_until(lambda: False, 1)
            if CLASH.format(parent, self._topic) in message_of(self.reports):
                return True
        return False

    def stop(self) -> None:
        """Let the filter leave."""
        self._peer.destroy_publisher(self._output)


@pytest.fixture
def drive(peer: Peer) -> Drive:
    return Drive(peer)


@pytest.mark.parametrize(("parent", "topic"), [("odom", "/tf"), ("map", "/robot/tf")])
def test_who_publishes_our_frame_too_is_named_until_it_leaves(
    parent: str, topic: str, drive: Drive, peer: Peer, weights: Path
) -> None:
    drive.move(topic)
    args = arguments(weights)
    with processes.running("odometry_node", *args, "-r", f"/tf:={topic}") as node:
        assert drive.go(parent, "base_link", 20)
        said = message_of(drive.reports)
        drive.stop()
        assert peer.spin_until(lambda: "somebody else" not in message_of(drive.reports))
        output = processes.finish(node)
    assert "somebody else (/peer)" in said
    assert "set publish_tf to false, or stop the other" in said
    assert output.count(CLASH.format(parent, topic)) == 1


def test_other_frames_and_our_own_transforms_are_no_rivals(drive: Drive, weights: Path) -> None:
    with processes.running("odometry_node", *arguments(weights)):
        assert not drive.go("base_link", "old_base_link")
        assert not drive.go("odom", "wheel", 2)


def test_without_a_transform_of_our_own_there_is_no_rival(drive: Drive, weights: Path) -> None:
    with processes.running("odometry_node", *arguments(weights, "publish_tf:=false")):
        assert not drive.go("odom", "base_link")
