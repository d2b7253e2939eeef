"""Depth that the odometry node fuses with the frames before, over real DDS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from tf2_msgs.msg import TFMessage

from sdepth.depth.validity import in_range
from sdepth_ros.conversions import image_fields, stamp_ns, to_depth
from sdepth_ros.depth_outputs import to_millimetres
from sdepth_ros.node_params import DepthOutputParams
from tests.core.test_odometry import CAMERA, see_room
from tests.core.test_parallax import off, wrong
from tests.ros import processes, test_odometry_node, test_vision_node
from tests.ros.manager import Manager
from tests.ros.test_lifecycle import roll
from tests.ros.test_odometry_node import FakeDepthCamera
from tests.ros.test_vision_node import leaving_times, rolling_camera

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros
DEPTH, POINTS = "/fused/depth/image_rect", "/fused/points"
TOPICS = {
    DEPTH: Image,
    f"{DEPTH}/compressedDepth": CompressedImage,
    "/fused/depth/camera_info": CameraInfo,
    "/fused/depth/color": Image,
    POINTS: PointCloud2,
}


def values(reports: list, node: str = "odometry") -> dict[str, str]:
    """Return what a node's newest diagnostics say."""
    newest = [r.status[0] for r in reports if r.status[0].name == f"{node}: frames"][-1:]
    return {v.key: v.value for status in newest for v in status.values}


class RoomCamera(FakeDepthCamera):
    """Drives through a room and publishes depth that is off by up to 30 %, above it sky.

    Attributes:
        z: where the camera is, metres.
        dark: whether nothing is seen.
        encoding: of the depth.
    """

    camera = CAMERA
    z, dark, encoding = 0.0, False, "32FC1"

    def send(self, **changes: object) -> None:
        """Publish the next image and its depth."""
        pixels, self.truth = see_room(self.z, finer=2)
        self._pixels = 0 * pixels if self.dark else pixels
        super(FakeDepthCamera, self).send(**changes)
        depth = wrong(self.truth)
        depth[:4] = np.inf
        if self.encoding == "16UC1":
            depth = to_millimetres(depth)
        fields = image_fields(depth, self.encoding)
        self._depth.publish(Image(header=self._header(), **fields))

    def drive(self, answers: list, count: int) -> None:
        """Publish images 0.3 m apart, each after the answer to the one before."""
        for _ in range(count):
            self.z += 0.3
            self.send_and_wait(1, answers)


def room_camera(peer: Peer) -> RoomCamera:
    """Return a camera whose place on the vehicle is known."""
    camera = RoomCamera(peer)
    camera.send_mounting()
    return camera


@contextmanager
def both(apart: bool, peer: Peer, weights: Path, *more: str) -> Iterator[None]:
    """Run depth and odometry, in one process or apart, while the block runs."""
    args = [*test_vision_node.arguments(weights), *(w for m in more for w in ("-p", m))]
    if not apart:
        with processes.running("vision_node", *args):
            yield
        return
    with processes.running("depth_node", *args), processes.running("odometry_node", *args):
        assert peer.spin_until(lambda: peer.count_subscribers("/depth/image_rect") == 2, 60)
        yield


@pytest.mark.parametrize("apart", [False, True], ids=["one process", "apart"])
def test_every_output_bears_stamp_frame_and_size_of_its_depth(
    peer: Peer, weights: Path, apart: bool
) -> None:
    heard = {topic: peer.listen(kind, topic) for topic, kind in TOPICS.items()}
    depths = peer.listen(Image, "/depth/image_rect")
    infos = peer.listen(CameraInfo, "/depth/camera_info")
    camera = rolling_camera(peer)
    with both(apart, peer, weights, "depth.resolution:=model"):
        camera.wait_for_node(nodes=2 if apart else 1)
        roll(camera, heard[POINTS], 3)
        everything = [depths, infos, *heard.values()]
        assert peer.spin_until(lambda: all(len(m) == len(depths) >= 3 for m in everything))
    for messages in everything:
        assert [m.header for m in messages] == [m.header for m in depths]
    assert [stamp_ns(m.header) for m in depths] == camera.stamps
    assert {m.header.frame_id for m in depths} == {"camera_optical"}
    for ours, theirs in zip(heard[DEPTH], depths, strict=True):
        assert (ours.encoding, ours.width, ours.height) == ("32FC1", 128, 64)
        assert (ours.encoding, ours.step) == (theirs.encoding, theirs.step)
        np.testing.assert_array_equal(np.isfinite(to_depth(ours)), np.isfinite(to_depth(theirs)))
    for ours, theirs in zip(heard["/fused/depth/camera_info"], infos, strict=True):
        assert (ours.width, ours.height) == (theirs.width, theirs.height)
        np.testing.assert_allclose(ours.k, theirs.k, atol=1e-9)
    assert {(m.encoding, m.width) for m in heard["/fused/depth/color"]} == {("bgr8", 128)}
    assert {(m.width, m.height) for m in heard[POINTS]} == {(64, 32)}


@pytest.mark.parametrize("encoding", ["32FC1", "16UC1"])
def test_motion_changes_depth_and_standing_does_not(
    peer: Peer, weights: Path, encoding: str
) -> None:
    fused, depths = peer.listen(Image, DEPTH), peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = room_camera(peer)
    camera.encoding = encoding
    with processes.running("odometry_node", *test_odometry_node.arguments(weights)):
        camera.send_and_wait(3, fused)
        standing = len(fused)
        assert peer.spin_until(lambda: values(reports).get("fused told") == "0.00")
        camera.drive(fused, 6)
        assert peer.spin_until(lambda: float(values(reports)["fused told"]) > 0.3)
    assert {m.encoding for m in fused} == {encoding}
    said = {stamp_ns(m.header): to_depth(m) for m in depths}
    pairs = [(to_depth(m), said[stamp_ns(m.header)]) for m in fused]
    for ours, theirs in pairs[:standing]:
        np.testing.assert_array_equal(ours, theirs)
    ours, theirs = pairs[-1]
    np.testing.assert_array_equal(ours[:4], theirs[:4])  # the sky
    assert off(ours[4:], camera.truth[4:]) < 0.7 * off(theirs[4:], camera.truth[4:])


def test_where_the_motion_is_not_known_depth_comes_as_it_is(peer: Peer, weights: Path) -> None:
    fused, depths = peer.listen(Image, DEPTH), peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = room_camera(peer)
    with processes.running("odometry_node", *test_odometry_node.arguments(weights)):
        camera.drive(fused, 4)
        camera.dark = True
        camera.send_and_wait(1, fused)
        assert peer.spin_until(lambda: values(reports).get("tracking") == "degraded")
    assert values(reports)["fused told"] == "0.00"
    assert fused[-2] != depths[-2]
    assert fused[-1] == depths[-1]


def test_nothing_is_fused_that_nobody_hears(peer: Peer, weights: Path) -> None:
    odoms = peer.listen(Odometry, "/odom")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = room_camera(peer)

    def keys_after(frames: int) -> set[str]:
        """Return what the diagnostics tell once so many frames are answered."""
        done = str(frames)
        assert peer.spin_until(lambda: values(reports).get("frames out") == done)
        return {*values(reports)}

    with processes.running("odometry_node", *test_odometry_node.arguments(weights)):
        camera.drive(odoms, 3)
        unheard = keys_after(len(odoms))
        fused = peer.listen(Image, DEPTH)
        assert peer.spin_until(lambda: peer.count_subscribers(DEPTH))
        camera.drive(fused, 1)
        assert peer.spin_until(lambda: len(odoms) == len(camera.stamps))
        heard = keys_after(len(odoms))
        assert not Manager(peer, "odometry").set("fused.enable", value=False)
        camera.drive(odoms, 2)
        off_again = keys_after(len(odoms))
    mine = {"fused told", "fuse p50 ms", "fuse p95 ms"}
    assert mine.isdisjoint(unheard)
    assert mine <= heard
    assert "fused told" not in off_again
    assert [stamp_ns(m.header) for m in fused] == camera.stamps[-2 - len(fused) : -2]


def test_points_leave_after_the_transform_at_a_rate_of_their_own(
    peer: Peer, weights: Path
) -> None:
    moved = leaving_times(peer, TFMessage, "/tf", lambda m: stamp_ns(m.transforms[0].header))
    left = leaving_times(peer, PointCloud2, POINTS, lambda m: stamp_ns(m.header))
    clouds, plain = peer.listen(PointCloud2, POINTS), peer.listen(PointCloud2, "/points")
    odoms = peer.listen(Odometry, "/odom")
    camera = rolling_camera(peer)
    with both(False, peer, weights, "fused.cloud.max_rate_hz:=5.0", "fused.cloud.stride:=8"):
        roll(camera, odoms, 9)
        assert peer.spin_until(lambda: len(clouds) >= 4 and len(plain) >= 8)
    assert {b - a for a, b in zip([*left], [*left][1:], strict=False)} == {200_000_000}
    assert all(left[stamp] > moved[stamp] for stamp in left)
    assert {(m.width, m.height, m.header.frame_id) for m in clouds} == {(32, 12, "camera_optical")}
    assert {(m.width, m.height) for m in plain} == {(128, 48)}


def test_it_looks_as_the_depth_of_its_process_does(peer: Peer, weights: Path) -> None:
    fused, depths = peer.listen(Image, DEPTH), peer.listen(Image, "/depth/image_rect")
    camera = rolling_camera(peer)
    looks = "depth.encoding:=16UC1", "depth.max_m:=12.0", "depth.sky:=clip"
    with both(False, peer, weights, *looks):
        roll(camera, fused, 6)
        assert peer.spin_until(lambda: len(depths) >= len(fused))
    assert {(m.encoding, m.step) for m in (*fused, *depths)} == {("16UC1", 2 * 256)}
    assert max(np.nanmax(to_depth(m)) for m in fused) <= 12.001


def test_depth_that_leaves_the_range_stands_at_its_end() -> None:
    said = np.float32([0.2, 39, 10, np.inf, -np.inf, np.nan, 90])
    told = np.float32([0.05, 50, 11, np.inf, -np.inf, np.nan, 90])
    limits = DepthOutputParams(min_m=0.1, max_m=40.0)
    found = in_range(told[None], said[None], limits)
    expected = np.float32([[0.1, 40, 11, np.inf, -np.inf, np.nan, 90]])
    np.testing.assert_array_equal(found, expected)


def test_a_wrong_parameter_ends_the_node_in_one_line(domain: int, weights: Path) -> None:
    args = test_odometry_node.arguments(weights, "fused.cloud.stride:=0")
    code, output = processes.outcome("odometry_node", *args)
    assert code == 1
    assert "parameter fused.cloud.stride" in output
    assert "Traceback" not in output
