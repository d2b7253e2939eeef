"""Depth and odometry in one process, over real DDS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image

from sdepth_ros.conversions import read_transform, stamp_ns
from tests.conftest import ROOT
from tests.ros import processes
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
