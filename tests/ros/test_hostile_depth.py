"""Depth images of any content for the odometry node: it neither ends nor jumps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import strategies as st

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image

from sdepth_ros.conversions import image_fields, stamp_ns
from tests.ros import processes
from tests.ros.camera_peer import SECOND_NS, FakeCamera
from tests.ros.hostile import HEIGHT, WIDTH, Pace, each, flawed, settled
from tests.ros.test_odometry_node import FakeDepthCamera, arguments

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros


def odd_depth(kind: str, seed: int) -> dict[str, Any]:
    """Return the fields of a depth image that can be decoded, whatever it says."""
    rng = np.random.default_rng(seed)
    shape = (HEIGHT, WIDTH) if seed % 2 else tuple(rng.integers(1, 40, 2))
    special = rng.choice([np.nan, np.inf, -np.inf, 0, -5, 1e-45, 1e-6, 1e5, 1e38, 10], shape)
    pixels = {
        "bits": rng.integers(0, 2**32, shape, np.uint32).view(np.float32),
        "special": special.astype(np.float32),
        "one": np.full(shape, special.flat[0], np.float32),
        "millimetres": rng.integers(0, 2**16, shape, np.uint16),
    }[kind]
    return image_fields(pixels, "16UC1" if kind == "millimetres" else "32FC1")


def test_no_depth_image_makes_the_odometry_jump_or_end(peer: Peer, weights: Path) -> None:
    odoms = peer.listen(Odometry, "/odom")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera, pace = FakeDepthCamera(peer), Pace(peer, "odometry")
    camera.send_mounting()
    camera.show_texture()
    ten = np.full((HEIGHT, WIDTH), 10, np.float32)
    odd = st.builds(
        odd_depth, st.sampled_from(["bits", "special", "one", "millimetres"]), st.integers(0, 999)
    )
    with processes.running("odometry_node", *arguments(weights)) as node:
        camera.send_and_wait(3, odoms)

        def send(fields: dict[str, Any]) -> None:
            camera._pixels = np.roll(camera._pixels, 2, 1)
            FakeCamera.send(camera)
            camera._depth.publish(Image(header=camera._header(), **fields))
            pace()
            if len(camera.stamps) % 5 == 0:  # none need be dropped, or few
                peer.spin_until(lambda: stamp_ns(odoms[-1].header) == camera.stamps[-1], 0.2)

        bad = each(200, st.one_of(flawed(ten, "32FC1"), odd), send)
        camera.send_and_wait(3, odoms)
        values = settled(reports, peer, bad + 6)
        assert (values["frames out"], values["tracking"]) == (str(len(odoms)), "ok")
        assert "Traceback" not in processes.finish(node)
    assert node.returncode == 0
    assert 6 < len(odoms) < bad
    places = np.array([[p.x, p.y, p.z] for p in (m.pose.pose.position for m in odoms)])
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert steps.max() < 5  # 0.08 m per image at 10 m; some in a row are bad, or deep
    for odom in odoms:
        for covariance in (odom.pose.covariance, odom.twist.covariance):
            assert np.linalg.eigvalsh(np.reshape(covariance, (6, 6))).min() > 0
    assert stamp_ns(odoms[-1].header) - stamp_ns(odoms[0].header) == (bad + 5) * SECOND_NS // 10
