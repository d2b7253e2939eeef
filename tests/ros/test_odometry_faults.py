"""What goes wrong around the odometry node: it never jumps silently, and goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image

from sdepth.odometry.motion import LOST_VARIANCE
from sdepth_ros.conversions import image_fields, stamp_ns
from tests.ros import processes
from tests.ros.camera_peer import SECOND_NS, values_of
from tests.ros.test_odometry_node import FakeDepthCamera, arguments

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros
STEP_M = 2 * 10 / 250
"""What two pixels are at 10 m, seen with a focal length of 250 pixels."""


class MovingCamera(FakeDepthCamera):
    """Moves sideways by ``STEP_M`` per image, sent or not."""

    def __init__(self, peer: Peer) -> None:
        """Create the publishers."""
        super().__init__(peer)
        self.send_mounting()
        self.show_texture()
        self.depth_m = 10.0

    def miss(self) -> None:
        """Move on, unseen."""
        self._pixels = np.roll(self._pixels, 2 * self.camera.width // 256, 1)
        self.next_ns += SECOND_NS // 10

    def send(self, with_depth: bool = True, **changes: object) -> None:
        """Publish the next image, and its depth."""
        self.miss()
        self.next_ns -= SECOND_NS // 10
        super(FakeDepthCamera, self).send(**changes)
        if with_depth:
            depth = np.full(self._pixels.shape[:2], self.depth_m, np.float32)
            self._depth.publish(Image(header=self._header(), **image_fields(depth, "32FC1")))


def places(odoms: list) -> np.ndarray:
    """Return positions (N, 3), metres."""
    return np.array([[p.x, p.y, p.z] for p in (m.pose.pose.position for m in odoms)])


def steps(odoms: list) -> np.ndarray:
    """Return the distances from pose to pose, metres."""
    return np.linalg.norm(np.diff(places(odoms), axis=0), axis=1)


def value(reports: list, name: str, text: str) -> Callable[[], bool]:
    """Return whether the diagnostics say so by now."""
    return lambda: values_of(reports).get(name) == text


def test_late_and_repeated_images_are_dropped_and_the_way_goes_on(
    peer: Peer, weights: Path
) -> None:
    odoms = peer.listen(Odometry, "/odom")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = MovingCamera(peer)
    with processes.running("odometry_node", *arguments(weights)) as node:
        camera.send_and_wait(4, odoms)
        for back in (2, 1):  # late; again the last one
            camera.next_ns -= back * SECOND_NS // 10
            camera.send()
            camera.next_ns += (back - 1) * SECOND_NS // 10
        assert peer.spin_until(value(reports, "frames bad", "2"))
        camera.send_and_wait(2, odoms)
        output = processes.finish(node)
    in_order = sorted(set(camera.stamps))
    assert [stamp_ns(m.header) for m in odoms] == in_order
    assert np.linalg.norm(places(odoms)[-1]) > 4 * STEP_M
    assert output.count("does not come after") >= 1
    assert "starts anew" not in output


def test_with_a_tenth_of_the_images_lost_the_way_is_the_same(peer: Peer, weights: Path) -> None:
    odoms = peer.listen(Odometry, "/odom")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera, rng = MovingCamera(peer), np.random.default_rng(3)
    depthless = 0
    with processes.running("odometry_node", *arguments(weights)):
        camera.send_and_wait(3, odoms)
        for chance in rng.random(40):
            if chance < 0.1:
                camera.miss()
            elif chance < 0.2:
                camera.send(with_depth=False)
                depthless += 1
            else:
                camera.send_and_wait(1, odoms)
        camera.send_and_wait(1, odoms)
        assert peer.spin_until(value(reports, "frames out", str(len(odoms))))
    assert depthless > 0
    assert len(odoms) < 43
    values = values_of(reports)
    assert (values["tracking"], values["refinements refused %"]) == ("ok", "0.0")
    assert values["frames dropped"] == str(depthless)
    assert int(values["frames in"]) == len(odoms) + depthless
    driven = places(odoms)[-1] - places(odoms)[0]
    seconds = (stamp_ns(odoms[-1].header) - stamp_ns(odoms[0].header)) / SECOND_NS
    assert np.linalg.norm(driven) == pytest.approx(STEP_M * 10 * seconds, rel=0.03)


def test_depth_of_nothing_but_nan_is_lost_or_bridged_by_the_keyframe(
    peer: Peer, weights: Path
) -> None:
    odoms = peer.listen(Odometry, "/odom")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = MovingCamera(peer)
    camera.depth_m = np.nan
    with processes.running("odometry_node", *arguments(weights)) as node:
        camera.send_and_wait(8, odoms)
        assert peer.spin_until(value(reports, "frames out", "8"))
        blind = values_of(reports)["tracking"], max(odoms[-1].pose.covariance)
        camera.depth_m = 10.0
        camera.send_and_wait(4, odoms)
        camera.depth_m = np.nan
        camera.send_and_wait(10, odoms)
        assert peer.spin_until(value(reports, "frames out", "22"))
        assert values_of(reports)["tracking"] == "ok"
        output = processes.finish(node)
    assert blind == ("lost", pytest.approx(LOST_VARIANCE))
    assert "tracking lost" in output
    assert max(odoms[8].twist.covariance) >= LOST_VARIANCE  # found again: nobody knows how
    assert not steps(odoms[:8]).any()
    assert np.linalg.norm(places(odoms)[-1] - places(odoms)[-11]) == pytest.approx(
        10 * STEP_M, rel=0.03
    )


def test_when_the_image_changes_its_size_the_pose_does_not_jump(peer: Peer, weights: Path) -> None:
    odoms = peer.listen(Odometry, "/odom")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = MovingCamera(peer)
    with processes.running("odometry_node", *arguments(weights)):
        camera.send_and_wait(4, odoms)
        camera.resize(128, 48)
        camera.send_and_wait(8, odoms)
        assert peer.spin_until(value(reports, "frames out", "12"))
        values = values_of(reports)
    assert values["tracking"] == "ok"
    assert float(values["refinements refused %"]) > 0  # the change was not passed over
    assert steps(odoms).max() < 2 * STEP_M
    assert [stamp_ns(m.header) for m in odoms] == camera.stamps


def test_a_node_that_was_killed_is_replaced_and_begins_at_the_origin(
    peer: Peer, weights: Path
) -> None:
    odoms = peer.listen(Odometry, "/odom")
    camera = MovingCamera(peer)
    with processes.running("odometry_node", *arguments(weights)) as node:
        camera.send_and_wait(4, odoms)
        node.send_signal(signal.SIGKILL)
        node.wait(20)
        camera.send()  # to nobody
        with processes.running("odometry_node", *arguments(weights)) as heir:
            assert peer.spin_until(lambda: peer.count_publishers("/odom") == 1, 60)
            before = len(odoms)

            def answered() -> bool:
                camera.send()
                return peer.spin_until(lambda: len(odoms) > before, 1)

            assert peer.spin_until(answered, 60)
            output = processes.finish(heir)
    first = odoms[before]
    assert node.returncode == -signal.SIGKILL
    assert stamp_ns(first.header) in camera.stamps
    np.testing.assert_allclose(places([first])[0], 0, atol=1e-9)
    assert max(first.twist.covariance) >= LOST_VARIANCE  # nothing is claimed of the way between
    assert "Traceback" not in output
