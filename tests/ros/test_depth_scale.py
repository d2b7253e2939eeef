"""Metres through the nodes: where they come from, and what is said while they are not known."""

from __future__ import annotations

import json
import shutil
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TwistWithCovarianceStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image, NavSatFix
from std_msgs.msg import Float64

from sdepth_ros.conversions import to_depth
from sdepth_ros.qos import LATCHED
from tests.ros import processes, test_depth_node, test_odometry_node
from tests.ros.camera_peer import FakeCamera, values_of
from tests.ros.test_odometry_node import FakeDepthCamera

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros


@pytest.fixture
def unscaled(weights: Path, tmp_path: Path) -> Path:
    """Return weights that know no metres."""
    path = tmp_path / "unscaled.safetensors"
    shutil.copy(weights, path)
    card = json.loads(weights.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(card | {"metric": False}))
    return path


def test_weights_without_metres_want_another_source(domain: int, unscaled: Path) -> None:
    code, output = processes.outcome("depth_node", *test_depth_node.arguments(unscaled))

    assert code == 1
    assert "weights are not metric; set scale.source to camera_height" in output


def test_an_unknown_scale_is_said_by_topic_and_diagnostics(peer: Peer, unscaled: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    scales = peer.listen(Float64, "/depth/scale", LATCHED)
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer)
    args = test_depth_node.arguments(unscaled, "scale.source:=unknown")
    with processes.running("depth_node", *args):
        camera.send_and_wait(2, depths)
        assert peer.spin_until(lambda: values_of(reports).get("metric") == "False")
    assert [isnan(m.data) for m in scales] == [True]
    status = reports[-1].status[0]
    assert status.level == DiagnosticStatus.WARN
    assert status.message.startswith("depth is true up to a factor: depth/scale is NaN; ")


def test_odometry_promises_no_lengths_while_the_scale_is_unknown(
    peer: Peer, weights: Path
) -> None:
    odoms = peer.listen(Odometry, "/odom")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    scale = peer.create_publisher(Float64, "/depth/scale", LATCHED)
    camera = FakeDepthCamera(peer)
    camera._outputs.append(scale)
    camera.send_mounting()
    scale.publish(Float64(data=float("nan")))
    with processes.running("odometry_node", *test_odometry_node.arguments(weights)):
        assert peer.spin_until(lambda: values_of(reports).get("state") == "active", 60)
        camera.send_and_wait(3, odoms)
        scale.publish(Float64(data=1.5))
        assert peer.spin_until(lambda: _metres(camera, odoms))
    for covariance in (odoms[2].pose.covariance, odoms[2].twist.covariance):
        matrix = np.reshape(covariance, (6, 6))
        assert (np.diag(matrix)[:3] == 9999).all()
        assert (np.diag(matrix)[3:] < 1).all()
        assert np.linalg.eigvalsh(matrix).min() > 0


def _metres(camera: FakeDepthCamera, odoms: list) -> bool:
    """Send a frame; tell whether its position is known."""
    camera.send_and_wait(1, odoms)
    return odoms[-1].pose.covariance[0] < 9999


class Vehicle:
    """Publishes odometry of half the vehicle's speed where depth is not scaled, and that speed."""

    def __init__(self, peer: Peer, kind: Any, topic: str) -> None:
        """Create the publishers."""
        self._own = peer.create_publisher(Odometry, "/odom", 5)
        self._truth = peer.create_publisher(kind, topic, 5)
        self.outputs = [self._own, self._truth]

    def drive(self, camera: FakeCamera, factor: float, speed: float = 10.0) -> None:
        """Publish speeds at the camera's last stamp; depth was multiplied by a factor."""
        own = Odometry(header=camera._header())
        own.twist.twist.linear.x = 0.5 * factor * speed
        self._own.publish(own)
        truth = self._truth.msg_type(header=camera._header())
        if isinstance(truth, NavSatFix):
            truth.status.status = 0
            metres = speed * camera.stamps[-1] * 1e-9
            truth.latitude, truth.longitude = (
                48.0,
                11.0 + metres / (111_320 * np.cos(np.radians(48))),
            )
        else:
            truth.twist.twist.linear.x = speed
        self._truth.publish(truth)


@pytest.mark.parametrize(
    ("source", "kind", "topic"),
    [
        ("wheel", Odometry, "/wheel_odom"),
        ("twist", TwistWithCovarianceStamped, "/vehicle_twist"),
        ("gps", NavSatFix, "/fix"),
    ],
)
def test_the_vehicles_speed_doubles_what_is_half(
    peer: Peer, unscaled: Path, source: str, kind: Any, topic: str
) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    scales = peer.listen(Float64, "/depth/scale", LATCHED)
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera, vehicle = FakeCamera(peer), Vehicle(peer, kind, topic)
    camera._outputs += vehicle.outputs
    limits = ("depth.max_m:=10000.0", "depth.min_m:=0.0", "mode:=day")
    args = test_depth_node.arguments(unscaled, f"scale.source:={source}", *limits)
    with processes.running("depth_node", *args):
        for _ in range(25):
            camera.send_and_wait(1, depths)
            vehicle.drive(camera, factor=1 if len(scales) < 2 else scales[-1].data)
            peer.spin_until(lambda: False, 0.02)
        assert peer.spin_until(lambda: values_of(reports).get("scale source") == source)
    unknown, *known = [m.data for m in scales]
    assert isnan(unknown)
    assert known == pytest.approx([2] * len(known), rel=0.02)
    grown = np.median(to_depth(depths[-1])) / np.median(to_depth(depths[0]))
    assert grown == pytest.approx(known[-1], rel=0.01)
