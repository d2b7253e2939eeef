"""A stop from day through dusk, night and a tunnel's lamps into day, through the real nodes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image
from std_msgs.msg import String

from sdepth.checkpoint import bundled
from sdepth.depth.daynight import DAY, NIGHT, DayNightConfig
from sdepth.depth.estimator import DepthEstimator
from sdepth.geometry.camera import Camera
from sdepth.pipeline import DepthConfig, DepthPipeline, pinhole
from sdepth_ros.conversions import stamp_ns, to_depth
from sdepth_ros.qos import LATCHED
from tests.ros import processes
from tests.ros.camera_peer import FakeCamera
from training.data.open_drive import find_drives, read_drive
from training.synth.config import DatasetConfig
from training.synth.generate import generate

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = [pytest.mark.ros, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
HZ = 10
SIZE = (320, 96)
NS = 1_000_000_000


def gains() -> np.ndarray:
    """Return how bright each frame is, by day 1: half a minute from day to day."""
    lamps = np.where(np.arange(5 * HZ) % 4 < 2, 0.15, 0.9)  # pass above five times a second
    dusk = [np.geomspace(1, 0.4, 3 * HZ), np.geomspace(0.4, 0.2, 8 * HZ)]
    return np.concatenate([np.ones(3 * HZ), *dusk, np.full(6 * HZ, 0.2), lamps, np.ones(5 * HZ)])


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> tuple[Camera, np.ndarray]:
    """Return a camera, and what it sees of a rendered street."""
    out = tmp_path_factory.mktemp("street") / "d"
    generate(out, DatasetConfig("day", 1, 2, *SIZE, seed=1000))
    drive = read_drive(find_drives(out)[0])
    return drive.camera, drive.read(drive.frames[0])


@pytest.fixture(scope="module")
def images(street: tuple[Camera, np.ndarray]) -> list[np.ndarray]:
    """Return the frames; by night headlights glare into the camera for half a second, twice."""
    frames = [np.clip(street[1] * gain, 0, 255).astype(np.uint8) for gain in gains()]
    v, u = np.mgrid[: SIZE[1], : SIZE[0]]
    glare = np.hypot(u - 120, v - 50) < 45
    for start in (14 * HZ, 17 * HZ):
        for frame in frames[start : start + HZ // 2]:
            frame[glare] = 255
    return frames


def steps(depths: list[np.ndarray]) -> np.ndarray:
    """Return by how much the scale of depth moves from frame to frame, relative."""
    logs = [np.log(depth) for depth in depths]
    return np.array([abs(np.expm1(np.median(b - a))) for a, b in pairwise(logs)])


def test_two_changes_no_others_no_frame_missing_and_no_step(
    peer: Peer, street: tuple[Camera, np.ndarray], images: list[np.ndarray]
) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    odoms = peer.listen(Odometry, "/odom")
    modes = peer.listen(String, "/depth/mode", LATCHED)
    camera = FakeCamera(peer)
    camera.camera = street[0]
    args = ("-p", "base_frame:=''", "-p", "depth.max_m:=10000.0", "-p", "depth.resolution:=model")
    remap = ("-r", "image:=/camera/image_raw")
    changes: list[int] = []
    with processes.running("vision_node", "--ros-args", *remap, *args):
        for i, image in enumerate(images):
            camera._pixels = image
            camera.send_and_wait(1, odoms)
            if len(modes) > len(changes):
                changes.append(i)
        assert peer.spin_until(lambda: len(depths) == len(images))
    assert [m.data for m in modes] == [DAY, NIGHT, DAY]
    for answers in (depths, odoms):
        assert [stamp_ns(m.header) for m in answers] == camera.stamps
    moved = steps([to_depth(m) for m in depths])
    for change in changes[1:]:
        assert moved[change - 1 : change + 6].max() < 0.03
    places = [m.pose.pose.position for m in odoms]
    driven = np.diff([[p.x, p.y, p.z] for p in places], axis=0)
    assert np.linalg.norm(driven, axis=1).max() < 0.02


def test_without_a_hand_over_depth_would_step(
    street: tuple[Camera, np.ndarray], images: list[np.ndarray]
) -> None:
    # Networks that ship see this street alike; another network's depth is another.
    paths = {DAY: bundled(DAY), NIGHT: ROOT / "training/weights/light.safetensors"}
    estimators = {m: DepthEstimator(path, "cpu") for m, path in paths.items()}
    largest = {}
    for frames in (0, 5):
        config = DepthConfig(day_night=DayNightConfig(crossfade_frames=frames))
        pipeline, depths, modes = DepthPipeline(estimators, config), [], []
        for i, image in enumerate(images[: 15 * HZ]):  # into the night
            seen = pipeline.process(image, pinhole(street[0]), i * NS // HZ)
            modes.append(seen.mode)
            depths.append(seen.predicted)
        at = [i for i in range(1, len(modes)) if modes[i] != modes[i - 1]]
        moved = steps(depths)
        largest[frames] = max(moved[i - 1 : i + 6].max() for i in at)
    assert largest[0] > 0.05
    assert largest[5] < 0.03
