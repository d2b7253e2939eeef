"""Inputs of a node, between two nodes of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import Image
from std_msgs.msg import Int32
from tf2_msgs.msg import TFMessage

from demo.peer import Peer
from sdepth_ros.qos import InputSubscription
from tests.ros import processes, test_depth_node, test_odometry_node
from tests.ros.camera_peer import FakeCamera
from tests.ros.test_odometry_node import FakeDepthCamera

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.ros


def test_messages_that_do_not_come_are_counted(peer: Peer, domain: int) -> None:
    sender, received, lost = Peer(domain), list[int](), list[int]()
    keep: Callable[[Int32], None] = lambda msg: received.append(msg.data)  # noqa: E731
    heard = InputSubscription(peer, Int32, "/x", keep, "auto", on_lost=lost.append)
    output = sender.create_publisher(Int32, "/x", 100)
    assert sender.spin_until(output.get_subscription_count)
    assert peer.spin_until(lambda: output.publish(Int32(data=-1)) or received)
    peer.spin_until(lambda: False, 1)  # what was sent meanwhile
    assert not lost
    received.clear()
    for number in range(12):  # while the node has no time: it keeps the newest
        output.publish(Int32(data=number))
    assert output.wait_for_all_acked()
    assert peer.spin_until(lambda: received[-1:] == [11])
    heard.close()
    sender.close()
    if not heard._numbers:
        pytest.skip("this middleware does not number messages")
    assert (len(received) + sum(lost), len(lost)) == (12, 1)
    assert received == list(range(12 - len(received), 12))


def message_of(reports: list) -> str:
    """Return what the newest diagnostics warn of."""
    status = reports[-1].status[0] if reports else DiagnosticStatus()
    return status.message if status.level == DiagnosticStatus.WARN else ""


@pytest.mark.parametrize("reliability", ["reliable", "auto"])
def test_a_best_effort_camera_that_cannot_be_heard_is_named_with_the_way_out(
    reliability: str, peer: Peer, weights: Path
) -> None:
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    depths = peer.listen(Image, "/depth/image_rect")
    camera = FakeCamera(peer, best_effort=True)
    args = test_depth_node.arguments(weights, f"input_reliability:={reliability}")
    with processes.running("depth_node", *args) as node:
        if reliability == "auto":
            camera.send_and_wait(3, depths)
        else:
            assert peer.spin_until(lambda: "is not heard" in message_of(reports), 60)
            said = message_of(reports)
            camera.leave()
            assert peer.spin_until(lambda: "is not heard" not in message_of(reports))
            for topic in ("/camera/image_raw", "/camera/camera_info"):
                assert (
                    f"{topic}: /peer is not heard, its reliability is best effort, expected "
                    "reliable; let it publish reliable, or set input_reliability to auto"
                ) in said
        output = processes.finish(node)
    assert ("is not heard" in output) == (reliability == "reliable")
    assert all("is not heard" not in message_of([r]) for r in reports) == (reliability == "auto")


def test_static_transforms_that_are_not_latched_are_named(peer: Peer, weights: Path) -> None:
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeDepthCamera(peer)
    peer.create_publisher(TFMessage, "/tf_static", 10)
    with processes.running("odometry_node", *test_odometry_node.arguments(weights)):
        camera.wait_for_node()
        camera.send()
        assert peer.spin_until(lambda: "is not heard" in message_of(reports))
        assert peer.spin_until(lambda: "waiting for the transform" in message_of(reports))
    assert (
        "; /tf_static: /peer is not heard, its durability is volatile, expected transient local; "
        "let it publish latched"
    ) in message_of(reports)
