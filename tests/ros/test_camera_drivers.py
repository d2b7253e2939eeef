"""Nodes with cameras as they are: distorted, without camera_info, or with a latched one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from sdepth_ros.conversions import camera_info_fields, stamp_ns, to_depth, to_lens
from tests.ros import processes
from tests.ros.camera_peer import FakeCamera, values_of
from tests.ros.test_depth_node import arguments
from tests.ros.test_odometry_node import FakeDepthCamera
from tests.training.test_datasets_custom import write_calib

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros
D = (-0.35, 0.12, 0.0, 0.0, 0.0)
RECTIFIED = replace(FakeCamera.camera, fx=240.0, cx=124.0)


class DistortedCamera(FakeCamera):
    """Publishes images of a red spot through a lens."""

    def __init__(self, peer: Peer) -> None:
        """Create the publishers."""
        super().__init__(peer)
        self._pixels = np.zeros_like(self._pixels)
        cv2.circle(self._pixels, (40, 20), 6, (255, 0, 0), -1)

    def camera_info(self, model: str = "plumb_bob") -> CameraInfo:
        """Return the camera_info of a lens."""
        info = FakeCamera.camera_info(self)
        info.distortion_model, info.d = model, list(D)
        info.p[0], info.p[2] = RECTIFIED.fx, RECTIFIED.cx
        return info

    def rectified(self) -> np.ndarray:
        """Return the image after rectification."""
        camera, rectify = to_lens(self.camera_info()).rectification()
        assert rectify is not None
        assert camera == RECTIFIED
        return rectify(self._pixels)


class DistortedDepthCamera(FakeDepthCamera, DistortedCamera):
    """Publishes images of moving blobs through a lens, or the same rectified; and their depth."""

    def __init__(self, peer: Peer, bent: bool) -> None:
        """Create the publishers."""
        super().__init__(peer)
        self.show_texture()
        self._bent, self._texture = bent, self._pixels

    def send(self, **changes: object) -> None:
        """Publish the next image, in which the blobs have moved on."""
        self._pixels = np.roll(self._texture, 2 * len(self.stamps), 1)
        if not self._bent:
            self._pixels = self.rectified()
        super().send(**changes)

    def send_info(self) -> None:
        """Publish the camera_info of the newest image."""
        pinhole = CameraInfo(header=self._header(), **camera_info_fields(RECTIFIED))
        self._info.publish(self.camera_info() if self._bent else pinhole)


def test_a_distorted_image_gives_points_of_the_rectified_one(peer: Peer, weights: Path) -> None:
    clouds = peer.listen(PointCloud2, "/points")
    depths = peer.listen(Image, "/depth/image_rect")
    infos = peer.listen(CameraInfo, "/depth/camera_info")
    camera = DistortedCamera(peer)
    args = arguments(weights, "rectify:=true", "cloud.stride:=1", "depth.max_m:=1000.0")
    with processes.running("depth_node", *args) as node:
        camera.send_and_wait(2, clouds)
        assert peer.spin_until(lambda: len(depths) == len(infos) == 2)
        output = processes.finish(node)
    assert "lens distortion" not in output
    seen = np.frombuffer(clouds[0].data, np.uint8).reshape(96, 256, 16)
    np.testing.assert_array_equal(seen[..., 14:11:-1], camera.rectified())
    assert not any(infos[0].d)
    made = to_lens(infos[0]).rectified
    assert made == RECTIFIED
    points = np.frombuffer(clouds[0].data, np.float32).reshape(96, 256, 4)
    depth = to_depth(depths[0])
    row, column = np.argwhere(np.isfinite(depth))[0]
    x, y, z = points[row, column, :3]
    uv = made.fx * x / z + made.cx, made.fy * y / z + made.cy
    np.testing.assert_allclose([*uv, z], [column, row, depth[row, column]], rtol=1e-4, atol=1e-3)


def test_the_odometry_of_distorted_images_is_that_of_rectified_ones(
    peer: Peer, weights: Path
) -> None:
    poses = []
    for bent in (True, False):
        odoms = peer.listen(Odometry, f"/odom_{bent}")
        camera = DistortedDepthCamera(peer, bent)
        args = ["--ros-args", "-r", "image:=/camera/image_raw", "-r", f"odom:=/odom_{bent}"]
        for value in (f"model.path:={weights}", "base_frame:=''", f"rectify:={bent}".lower()):
            args += ["-p", value]
        with processes.running("odometry_node", *args):
            camera.send_and_wait(3, odoms)
        camera.leave()
        assert [stamp_ns(m.header) for m in odoms] == camera.stamps
        poses.append([m.pose.pose for m in odoms])
    assert poses[0] == poses[1]
    assert poses[0][0] != poses[0][2]


def test_without_rectify_the_node_says_how_to(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    camera = DistortedCamera(peer)
    with processes.running("depth_node", *arguments(weights)) as node:
        camera.send_and_wait(2, depths)
        output = processes.finish(node)
    assert output.count("camera_info has lens distortion") == 1
    assert "set rectify:=true" in output


def test_an_unknown_lens_is_waited_out_naming_the_known(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = DistortedCamera(peer)
    with processes.running("depth_node", *arguments(weights, "rectify:=true")):
        camera.wait_for_node()
        camera._info.publish(camera.camera_info("omni"))
        camera.send(with_info=False)
        message = "distortion 'omni' with 5 coefficients; expected plumb_bob or"
        assert peer.spin_until(lambda: reports and message in reports[-1].status[0].message)
        camera.send_info()
        assert peer.spin_until(lambda: depths)


def test_a_calibration_file_serves_where_no_camera_info_comes(
    peer: Peer, weights: Path, tmp_path: Path
) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    infos = peer.listen(CameraInfo, "/depth/camera_info")
    camera = FakeCamera(peer)
    changes = {"image_width": 256, "image_height": 96}
    path = write_calib(tmp_path / "camera.yaml", [0.0] * 5, **changes)
    args = arguments(weights, f"camera_info_url:={path.as_uri()}")
    with processes.running("depth_node", *args):
        camera.wait_for_node()
        camera.send(with_info=False)
        assert peer.spin_until(lambda: depths and infos)
        assert to_lens(infos[0]).rectified.fx == 80
        camera.send_info()
        assert peer.spin_until(lambda: camera.send(with_info=False) or infos[-1].k[0] == 250)


@pytest.mark.parametrize("text", ["", None, "image_width: 256"], ids=["empty", "missing", "cut"])
def test_without_a_calibration_in_the_file_the_node_refuses_to_start(
    domain: int, weights: Path, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "camera.yaml"
    if text is not None:
        path.write_text(text)
    code, output = processes.outcome("depth_node", *arguments(weights, f"camera_info_url:={path}"))
    assert code == 1
    assert f"{path}: no calibration" in output
    assert "expected the .yaml of ROS' camera_calibration" in output
    assert "Traceback" not in output


def test_a_latched_camera_info_from_before_the_node_is_heard(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer)
    camera.latch_info()
    with processes.running("depth_node", *arguments(weights)):
        camera.wait_for_node()
        camera.send(with_info=False)
        assert peer.spin_until(lambda: depths)
        assert peer.spin_until(lambda: values_of(reports).get("frames out") == "1")
