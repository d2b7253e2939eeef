"""Depth and odometry in one process, over real DDS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image, PointCloud2
from tf2_msgs.msg import TFMessage

from sdepth_ros.conversions import read_transform, stamp_ns
from tests.conftest import ROOT
from tests.ros import processes
from tests.ros.camera_peer import FakeCamera
from tests.ros.manager import Manager
from tests.ros.test_lifecycle import roll
from tests.ros.test_odometry_node import FakeDepthCamera

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros
CONFIG = ROOT / "ros2_ws/src/sdepth_ros/config"


def arguments(weights: Path) -> list[str]:
    """Return a command line with these weights for everything."""
    names = ("model.day_path", "model.night_path", "model.path")
    options = [word for name in names for word in ("-p", f"{name}:={weights}")]
    return ["--ros-args", "-r", "image:=/camera/image_raw", *options]


def path(odoms: list) -> np.ndarray:
    """Return the poses (N, 4, 4)."""
    poses = (m.pose.pose for m in odoms)
    return np.stack([read_transform(pose.position, pose.orientation) for pose in poses])


def rolling_camera(peer: Peer) -> FakeDepthCamera:
    """Return a camera that shows texture; its own depth nobody is to hear."""
    camera = FakeDepthCamera(peer)
    camera.send_mounting()
    camera.show_texture()
    camera._outputs.remove(camera._depth)
    peer.destroy_publisher(camera._depth)
    camera.send = super(FakeDepthCamera, camera).send  # type: ignore[method-assign]
    return camera


def test_both_answer_every_image_and_no_depth_crosses_dds(peer: Peer, weights: Path) -> None:
    odoms = peer.listen(Odometry, "/odom")
    camera = rolling_camera(peer)
    with processes.running("vision_node", *arguments(weights)):
        roll(camera, odoms, 5)
        assert peer.count_subscribers("/depth/image_rect") == 0
        assert peer.count_subscribers("/camera/image_raw") == 1
        depths = peer.listen(Image, "/depth/image_rect")
        assert peer.spin_until(lambda: peer.count_subscribers("/depth/image_rect"))
        roll(camera, depths, 2)
        assert peer.spin_until(lambda: len(odoms) == 7)
    assert [stamp_ns(m.header) for m in odoms] == camera.stamps
    assert [stamp_ns(m.header) for m in depths] == camera.stamps[-2:]


def test_the_path_is_that_of_two_processes(peer: Peer, weights: Path) -> None:
    together = peer.listen(Odometry, "/odom")
    camera = rolling_camera(peer)
    with processes.running("vision_node", *arguments(weights)):
        roll(camera, together, 6)
    camera.leave()
    apart = peer.listen(Odometry, "/apart")
    camera = rolling_camera(peer)
    args = arguments(weights)
    with (
        processes.running("depth_node", *args),
        processes.running("odometry_node", *args, "-r", "odom:=/apart"),
    ):
        camera.wait_for_node(nodes=2)
        assert peer.spin_until(lambda: peer.count_subscribers("/depth/image_rect") == 1, 60)
        roll(camera, apart, 6)
    assert np.linalg.norm(path(together)[-1, :3, 3]) > 0.005
    np.testing.assert_allclose(path(together), path(apart), atol=1e-4)


def leaving_times(peer: Peer, kind: type, topic: str, stamp_of: Callable) -> dict[int, int]:
    """Return a dict that grows: when a topic's messages left their publisher, by stamp, ns."""
    left: dict[int, int] = {}

    def heard(msg: object, info: dict) -> None:
        left[stamp_of(msg)] = info["source_timestamp"]

    peer.create_subscription(kind, topic, heard, 100)
    return left


def test_a_cloud_leaves_beside_the_transform_of_its_stamp(peer: Peer, weights: Path) -> None:
    moved = leaving_times(peer, TFMessage, "/tf", lambda m: stamp_ns(m.transforms[0].header))
    clouds = leaving_times(peer, PointCloud2, "/points", lambda m: stamp_ns(m.header))
    odoms = peer.listen(Odometry, "/odom")
    camera = rolling_camera(peer)
    with processes.running("vision_node", *arguments(weights)):
        roll(camera, odoms, 8)
        assert peer.spin_until(lambda: len(clouds) == len(moved) == 8)
    assert [*clouds] == [*moved] == camera.stamps
    # The first image may come before /tf_static, which no cloud waits for.
    after_ms = np.array([clouds[stamp] - moved[stamp] for stamp in camera.stamps[1:]]) * 1e-6
    assert after_ms.min() > 0  # never before: a viewer would look for the transform in vain
    assert np.median(after_ms) < 15


def test_a_cloud_does_not_wait_for_a_pose_that_may_never_come(peer: Peer, weights: Path) -> None:
    clouds = peer.listen(PointCloud2, "/points")
    camera = FakeCamera(peer)
    with processes.running("vision_node", *arguments(weights)):
        camera.send_and_wait(2, clouds)  # nobody says where the camera sits
        camera.send_mounting()
        odometry = Manager(peer, "odometry")
        camera.send_and_wait(1, clouds)
        assert odometry.change("deactivate") == [True]
        camera.send_and_wait(1, clouds)
    assert [stamp_ns(m.header) for m in clouds] == camera.stamps


def test_each_node_keeps_its_own_states_and_says_whom_it_misses(peer: Peer, weights: Path) -> None:
    odoms = peer.listen(Odometry, "/odom")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = rolling_camera(peer)
    depth, odometry = Manager(peer, "depth"), Manager(peer, "odometry")
    with processes.running("vision_node", *arguments(weights)):
        roll(camera, odoms, 2)
        assert depth.change("deactivate") == [True]
        silent = "s from /depth, in this process"
        assert peer.spin_until(lambda: any(silent in r.status[0].message for r in reports))
        assert odometry.state() == "active"
        assert depth.change("cleanup", "configure", "activate") == [True] * 3
        assert odometry.change("deactivate", "activate") == [True] * 2
        roll(camera, odoms, 1)
    assert np.abs(path(odoms)[-1] - np.eye(4)).max() < 1e-9  # begun anew


def test_both_parameter_files_serve_one_process(peer: Peer, weights: Path) -> None:
    files = [f"--params-file {CONFIG}/{name}.param.yaml" for name in ("depth", "odometry")]
    options = [*" ".join(files).split(), "-p", "autostart:=false", "-p", "odom_fram:=map"]
    with processes.running("vision_node", *arguments(weights), *options) as node:
        assert Manager(peer, "odometry").state() == "unconfigured"
        output = processes.finish(node)
    assert output.count("no parameter odom_fram, ignored") == 2
    assert output.count("no parameter") == 2
