"""The nodes over DDS and ``bags.run`` make the same of the same drive: they call one pipeline."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image

from bags.read import read_messages
from bags.run import main
from sdepth_ros.conversions import stamp_ns
from tests.helpers import write_drive
from tests.ros import processes
from tests.ros.camera_peer import SECOND_NS, FakeCamera
from training.data.drive import Drive
from training.data.open_drive import read_drive

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("threads_as_before")]
ENGINE = {"model.engine": "torch", "model.precision": "fp32"}
LATER_NS = 1000 * SECOND_NS


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    """Return a drive towards a wall, six frames."""
    root = write_drive(tmp_path / "drive", frames=6, size=(96, 256), step_m=0.1)
    return read_drive(root / "sequences/00")


def of_bags(tmp_path: Path, name: str, **params: Any) -> tuple[list[Any], list[Any]]:
    """Return depth images and odometry that ``bags.run`` makes of the drive."""
    torch.set_num_threads(1)  # as the nodes have here: sums depend on it
    options = [word for item in params.items() for word in ("--set", "{}={}".format(*item))]
    args = [str(tmp_path / "drive/sequences/00"), str(tmp_path / name), "--camera-height", "1.5"]
    assert main([*args, *options]) == 0
    topics = "/depth/image_rect", "/odom"
    depths, odoms = ([m for _, _, m in read_messages(tmp_path / name, t)] for t in topics)
    return depths, odoms


def of_nodes(
    peer: Peer, drive: Drive, nodes: dict[str, dict[str, Any]]
) -> tuple[list[Any], list[Any]]:
    """Return depth images and odometry of running nodes, each frame sent after the last answer."""
    heard = peer.listen(Image, "/depth/image_rect"), peer.listen(Odometry, "/odom")
    camera = FakeCamera(peer)
    camera.camera = drive.camera
    camera.send_mounting()
    with ExitStack() as stack:
        for name, params in nodes.items():
            options = [w for item in params.items() for w in ("-p", "{}:={}".format(*item))]
            args = ["--ros-args", "-r", "image:=/camera/image_raw", *options]
            stack.enter_context(processes.running(name, *args))
        camera.wait_for_node(len(nodes))
        # First images of another time until all have found each other: with the drive's own
        # stamps, which go back, everything begins anew.
        camera.show_texture()
        camera.next_ns = LATER_NS
        for _ in range(60):
            camera.send()
            if peer.spin_until(lambda: all(heard), 1):
                break
        found: tuple[list[Any], list[Any]] = ([], [])
        for number, frame in enumerate(drive.frames):
            camera._pixels, camera.next_ns = drive.read(frame), frame.stamp_ns
            camera.send()

            def answered(number: int = number) -> bool:
                for own, messages in zip(found, heard, strict=True):
                    own[:] = [m for m in messages if stamp_ns(m.header) < LATER_NS]
                return all(len(own) > number for own in found)

            assert peer.spin_until(answered, 30)
    return found


def poses(odoms: list[Any]) -> np.ndarray:
    """Return positions and quaternions (N, 7)."""
    found = [(m.pose.pose.position, m.pose.pose.orientation) for m in odoms]
    return np.array([[p.x, p.y, p.z, q.x, q.y, q.z, q.w] for p, q in found])


def assert_same(found: tuple[list[Any], list[Any]], expected: tuple[list[Any], list[Any]]) -> None:
    """Require the same depth to the byte, and the same path."""
    for one, other in zip(*(depths for depths, _ in (found, expected)), strict=True):
        assert (stamp_ns(one.header), one.encoding) == (stamp_ns(other.header), other.encoding)
        assert bytes(one.data) == bytes(other.data)
    (_, ours), (_, theirs) = found, expected
    np.testing.assert_allclose(poses(ours), poses(theirs), rtol=0, atol=1e-6)
    covariances = ([m.pose.covariance for m in odoms] for odoms in (ours, theirs))
    np.testing.assert_allclose(*covariances, rtol=1e-3, atol=1e-12)
    assert np.linalg.norm(poses(ours)[-1, :3]) > 0.01


def test_two_nodes_give_what_bags_run_gives(peer: Peer, drive: Drive, tmp_path: Path) -> None:
    expected = of_bags(tmp_path, "out", **ENGINE)

    found = of_nodes(peer, drive, {"depth_node": ENGINE, "odometry_node": ENGINE})

    assert_same(found, expected)


@pytest.fixture
def far_m(drive: Drive, tmp_path: Path) -> float:
    """Return what a quarter of the depth seen in the drive is farther than."""
    depths, _ = of_bags(tmp_path, "whole", **ENGINE)
    return round(float(np.quantile(np.frombuffer(depths[0].data, np.float32), 0.75)), 3)


def test_one_process_gives_what_bags_run_gives(
    peer: Peer, drive: Drive, far_m: float, tmp_path: Path
) -> None:
    params = ENGINE | {"depth.max_m": far_m, "depth.edge_filter": 0.02}
    expected = of_bags(tmp_path, "out", **params)
    assert np.isinf(np.frombuffer(expected[0][0].data, np.float32)).any()

    assert_same(of_nodes(peer, drive, {"vision_node": params}), expected)


def test_clipped_sky_is_no_surface_to_align(
    peer: Peer, drive: Drive, far_m: float, tmp_path: Path
) -> None:
    params = ENGINE | {"depth.max_m": far_m}
    nan, clip = ({**params, "depth.sky": sky} for sky in ("nan", "clip"))
    unknown, clipped = of_bags(tmp_path, "nan", **nan), of_bags(tmp_path, "clip", **clip)
    first = np.frombuffer(clipped[0][0].data, np.float32)
    assert 0.1 < (first == np.float32(far_m)).mean() < 0.5
    np.testing.assert_array_equal(poses(clipped[1]), poses(unknown[1]))

    nodes = {"depth_node": clip, "odometry_node": ENGINE | {"max_depth_m": far_m}}
    assert_same(of_nodes(peer, drive, nodes), clipped)
