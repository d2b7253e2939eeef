"""The odometry node as a process of its own, over real DDS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMsg
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage

from sdepth.geometry.camera import R_BODY_OPTICAL
from sdepth_ros.conversions import image_fields, read_transform, stamp_ns
from tests.ros import processes
from tests.ros.camera_peer import SECOND_NS, FakeCamera

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros


class FakeDepthCamera(FakeCamera):
    """Publishes with each image its depth, 10 m everywhere."""

    def __init__(self, peer: Peer) -> None:
        """Create the publishers."""
        super().__init__(peer)
        self._depth = peer.create_publisher(Image, "/depth/image_rect", 5)
        self._outputs.append(self._depth)

    def send(self, **changes: object) -> None:
        """Publish the next image and its depth."""
        super().send(**changes)
        depth = np.full((self.camera.height, self.camera.width), 10, np.float32)
        self._depth.publish(Image(header=self._header(), **image_fields(depth, "32FC1")))


def arguments(weights: Path, *more: str) -> list[str]:
    """Return a command line with these weights."""
    options = [word for value in (f"model.path:={weights}", *more) for word in ("-p", value)]
    return ["--ros-args", "-r", "image:=/camera/image_raw", *options]


def test_every_image_gives_a_pose_that_tf_repeats(peer: Peer, weights: Path) -> None:
    odoms = peer.listen(Odometry, "/odom")
    transforms = peer.listen(TFMessage, "/tf")
    paths = peer.listen(PathMsg, "/path")
    camera = FakeDepthCamera(peer)
    camera.send_mounting()
    with processes.running("odometry_node", *arguments(weights)):
        camera.send_and_wait(10, odoms)
        assert peer.spin_until(lambda: len(transforms) == 10 and paths)
    assert [stamp_ns(m.header) for m in odoms] == camera.stamps
    for odom, tf in zip(odoms, (m.transforms[0] for m in transforms), strict=True):
        pose, moved = odom.pose.pose, tf.transform
        T_odom = read_transform(pose.position, pose.orientation)
        T_tf = read_transform(moved.translation, moved.rotation)
        np.testing.assert_array_equal(T_odom, T_tf)
        assert odom.header == tf.header
        assert (tf.header.frame_id, tf.child_frame_id) == ("odom", "base_link")


def test_the_first_pose_is_the_origin_and_covariances_are_positive(
    peer: Peer, weights: Path
) -> None:
    odoms = peer.listen(Odometry, "/odom")
    camera = FakeDepthCamera(peer)
    camera.send_mounting()
    with processes.running("odometry_node", *arguments(weights)):
        camera.send_and_wait(3, odoms)
    first = odoms[0].pose.pose
    np.testing.assert_allclose(
        read_transform(first.position, first.orientation), np.eye(4), atol=1e-9
    )
    for odom in odoms[1:]:
        for covariance in (odom.pose.covariance, odom.twist.covariance):
            assert np.linalg.eigvalsh(np.reshape(covariance, (6, 6))).min() > 0


def test_without_the_mounting_it_waits_and_says_so(peer: Peer, weights: Path) -> None:
    odoms = peer.listen(Odometry, "/odom")
    camera = FakeDepthCamera(peer)
    with processes.running("odometry_node", *arguments(weights)) as node:
        camera.wait_for_node()
        camera.send()
        peer.spin_until(lambda: odoms, timeout_s=2.0)
        assert not odoms
        camera.send_mounting()
        assert peer.spin_until(lambda: odoms)
        output = processes.finish(node)
    assert "waiting for the transform base_link <- camera_optical on /tf_static" in output


def test_without_a_base_frame_the_camera_itself_moves(peer: Peer, weights: Path) -> None:
    odoms = peer.listen(Odometry, "/odom")
    transforms = peer.listen(TFMessage, "/tf")
    camera = FakeDepthCamera(peer)
    args = arguments(weights, "base_frame:=''", "publish_tf:=false")
    with processes.running("odometry_node", *args):
        camera.send_and_wait(1, odoms)
    first = odoms[0].pose.pose
    R_odom_cam = read_transform(first.position, first.orientation)[:3, :3]
    assert odoms[0].child_frame_id == "camera_optical"
    np.testing.assert_allclose(R_odom_cam, R_BODY_OPTICAL, atol=1e-9)
    assert not transforms


def test_stamps_that_start_over_start_the_odometry_anew(peer: Peer, weights: Path) -> None:
    odoms = peer.listen(Odometry, "/odom")
    camera = FakeDepthCamera(peer)
    camera.send_mounting()
    with processes.running("odometry_node", *arguments(weights)) as node:
        camera.send_and_wait(3, odoms)
        camera.next_ns -= 50 * SECOND_NS
        camera.send_and_wait(1, odoms)
        output = processes.finish(node)
    position = odoms[-1].pose.pose.position
    np.testing.assert_allclose([position.x, position.y, position.z], 0, atol=1e-9)
    assert "odometry starts anew" in output


def test_diagnostics_say_how_well_the_motion_is_known(peer: Peer, weights: Path) -> None:
    odoms = peer.listen(Odometry, "/odom")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeDepthCamera(peer)
    camera.send_mounting()

    def values_after(frames: int) -> dict[str, str]:
        """Return the diagnostics once so many frames are answered."""

        def last() -> dict[str, str]:
            return {v.key: v.value for r in reports[-1:] for v in r.status[0].values}

        assert peer.spin_until(lambda: last().get("frames out") == str(frames))
        return last()

    with processes.running("odometry_node", *arguments(weights)):
        camera.show_texture()
        camera.send_and_wait(3, odoms)
        good = values_after(3)
        camera.show_texture(0)
        camera.send_and_wait(1, odoms)
        bad = values_after(4)
    assert (good["tracking"], bad["tracking"]) == ("ok", "degraded")
    assert float(good["residual refined over initial"]) <= 1.001
    assert float(good["image seen %"]) > 90
    assert "image seen %" not in bad
    assert good["refinements refused %"] == "0.0"
    assert bad["refinements refused %"] == "33.3"  # of the three frames after the first


def test_missing_weights_end_the_node_in_one_line(domain: int) -> None:
    args = arguments(Path("/none.safetensors"))
    code, output = processes.outcome("odometry_node", *args)
    assert code == 1
    assert "/none.safetensors: no such checkpoint" in output
    assert "Traceback" not in output
