"""Depth fused with the frames before: nearer the truth where it can be, untouched elsewhere."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sdepth.checkpoint import bundled
from sdepth.depth.estimator import DepthEstimator
from sdepth.depth.fused_parallax import carry, spread, sweep
from sdepth.depth.parallax import LOGS, WIDEST, FusedDepth, Parallax
from sdepth.errors import ShapeError
from sdepth.geometry.camera import Camera
from sdepth.geometry.projection import MIN_Z
from sdepth.geometry.warp import warp
from sdepth.odometry.odometry import Odometry
from sdepth.odometry.pipeline import AlignmentConfig, OdometryPipeline, load_odometry
from tests.core.test_odometry import CAMERA, HEIGHT, PERIOD_NS, WIDTH, see_room
from training.data.open_drive import read_drive

Depth = NDArray[np.float32]
pytestmark = pytest.mark.usefixtures("one_thread")


def wrong(depth: Depth) -> Depth:
    """Return depth that is off by up to 30 %, here too near and there too far."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    return (depth * np.exp(0.26 * np.sin(u / 12) * np.sin(v / 12))).astype(np.float32)


def pose(z: float) -> NDArray[np.float64]:
    """Return T_world_cam so far ahead."""
    T = np.eye(4)
    T[2, 3] = z
    return T


def fuse(frames: int, step_m: float, scale: float = 1.0) -> tuple[FusedDepth, Depth, Depth]:
    """Return the last frame's depth fused, said and true; the path is told ``scale`` as long."""
    parallax = Parallax()
    for i in range(frames):
        image, truth = see_room(i * step_m, finer=2)
        fused = parallax.update(image, wrong(truth), CAMERA, pose(scale * i * step_m))
    return fused, wrong(truth), truth


def off(depth: Depth, truth: Depth) -> float:
    """Return the mean error of log depth but for its scale."""
    log = np.log(depth / truth)
    return float(np.abs(log - np.median(log)).mean())


def test_motion_takes_most_of_the_error_away() -> None:
    fused, said, truth = fuse(4, 0.3)
    assert fused.told > 0.5
    assert off(fused.depth, truth) < 0.5 * off(said, truth)


def test_frames_before_add_to_it() -> None:
    two, _, truth_of_two = fuse(2, 0.3)
    six, _, truth_of_six = fuse(6, 0.3)
    assert off(six.depth, truth_of_six) < off(two.depth, truth_of_two)
    assert six.told >= two.told


def test_without_motion_depth_stays_as_it_is() -> None:
    fused, said, _ = fuse(4, 0.0)
    np.testing.assert_array_equal(fused.depth, said)
    assert fused.told == 0


def test_what_goes_along_with_the_camera_stays_as_it_is() -> None:
    """It stays in its place in the image, as what is infinitely far does."""
    parallax, rng = Parallax(), np.random.default_rng(0)
    spots = cv2.GaussianBlur(rng.normal(size=(40, 40)), (0, 0), 2)
    lorry = np.clip(128 + 400 * spots, 0, 255).astype(np.uint8)[..., None]
    for i in range(4):
        image, truth = see_room(0.3 * i, finer=2)
        image[30:70, 110:150], truth[30:70, 110:150] = lorry, 8
        fused = parallax.update(image, truth, CAMERA, pose(0.3 * i))
    ratio = (fused.depth / truth)[36:64, 116:144]
    assert np.median(ratio) == pytest.approx(1, abs=0.01)


def test_the_scale_stays_that_of_the_depth() -> None:
    right, said, _ = fuse(4, 0.3)
    longer, _, _ = fuse(4, 0.3, scale=1.15)
    for fused in (right, longer):
        assert np.median(fused.depth / said) == pytest.approx(1, abs=0.05)


def test_depth_in_another_unit_is_fused_alike() -> None:
    metres, other = Parallax(), Parallax()
    for i in range(4):
        image, truth = see_room(0.3 * i, finer=2)
        said = wrong(truth)
        found = metres.update(image, said, CAMERA, pose(0.3 * i)).depth
        alike = other.update(image, said / 4, CAMERA, pose(0.3 * i / 4)).depth
    np.testing.assert_allclose(4 * alike, found, rtol=0.01)


def test_what_is_unknown_stays_unknown() -> None:
    parallax = Parallax()
    for i in range(3):
        image, truth = see_room(0.3 * i)
        said = wrong(truth)
        said[:20], said[20:30], said[30:40] = np.inf, np.nan, 0
        fused = parallax.update(image, said, CAMERA, pose(0.3 * i), below_m=11.0)
    np.testing.assert_array_equal(fused.depth[:40], said[:40])
    far = said[40:] >= 11
    assert far.any()
    np.testing.assert_array_equal(fused.depth[40:][far], said[40:][far])
    assert (fused.depth[40:][~far] != said[40:][~far]).any()


@pytest.mark.parametrize("seed", range(12))
def test_any_size_and_motion_leave_the_unknown_unknown(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width, *size = (int(rng.integers(1, n)) for n in (150, 400, 150, 400))
    centre = (width - 1) / 2, (height - 1) / 2
    camera = Camera(*rng.uniform(0.1, 2, 2) * width, *centre, width, height)
    parallax = Parallax()
    for _ in range(4):
        depth = np.exp(rng.normal(1, 3, size)).astype(np.float32)
        depth[rng.random(size) < 0.1], depth[rng.random(size) < 0.05] = np.nan, np.inf
        T = np.eye(4)
        T[:3, 3] = rng.normal(0, 10 ** rng.uniform(-2, 2), 3)
        image = rng.integers(0, 255, (height, width, 3), np.uint8)
        fused = parallax.update(image, depth, camera, T, 10 ** rng.uniform(0, 4)).depth
        np.testing.assert_array_equal(np.isfinite(fused), np.isfinite(depth))


def test_another_size_of_depth_starts_anew() -> None:
    parallax = Parallax()
    image, truth = see_room(0)
    parallax.update(image, truth, CAMERA, pose(0))
    image, truth = see_room(0.3)
    half = np.ascontiguousarray(truth[::2, ::2])
    assert parallax.update(image, half, CAMERA, pose(0.3)).told == 0
    with pytest.raises(ShapeError, match="image"):
        parallax.update(image[1:], half, CAMERA, pose(0.3))


def fused_of(pipeline: OdometryPipeline, number: int) -> FusedDepth:
    """Return the fused depth of the room's frame ``number``."""
    image, depth = see_room(0.3 * number)
    moved = pipeline.process(image, CAMERA, depth, number * PERIOD_NS)
    return pipeline.fuse(image, CAMERA, depth, moved)


def test_a_guessed_motion_is_not_fused() -> None:
    pipeline = OdometryPipeline(Odometry(None, "cpu"), AlignmentConfig())
    assert [fused_of(pipeline, i).told for i in range(4)][-1] > 0.3
    black, far = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.full((HEIGHT, WIDTH), 10, np.float32)
    lost = pipeline.process(black, CAMERA, far, 4 * PERIOD_NS)
    assert lost.state.tracking == "degraded"
    fused = pipeline.fuse(black, CAMERA, far, lost)
    assert fused.told == 0
    np.testing.assert_array_equal(fused.depth, far)
    assert fused_of(pipeline, 5).told == 0  # what was seen before is forgotten


def test_frames_from_before_a_gap_are_forgotten() -> None:
    pipeline = OdometryPipeline(Odometry(None, "cpu"), AlignmentConfig())
    assert [fused_of(pipeline, i).told > 0 for i in range(2)] == [False, True]
    image, depth = see_room(0.6)
    pipeline.process(image, CAMERA, depth, 2 * PERIOD_NS)
    assert [fused_of(pipeline, i).told > 0 for i in range(3, 5)] == [False, True]


def test_the_sweep_warps_as_training_does() -> None:
    rng = np.random.default_rng(0)
    now, past = (rng.normal(size=(20, 30, 3)).astype(np.float32) for _ in range(2))
    depth = rng.uniform(4, 9, (20, 30)).astype(np.float32)
    depth[3, 4] = 0
    K = np.array([[25, 0, 14.5], [0, 24, 9.5], [0, 0, 1]])
    T = pose(0.4)
    T[:2, 3] = 0.1, -0.05
    unlike, shown = sweep(now, past, T, depth, np.exp(LOGS), (25.0, 24.0, 14.5, 9.5), 0.5, MIN_Z)
    as_batch = [torch.from_numpy(x).permute(2, 0, 1)[None] for x in (now, past)]
    tensors = torch.from_numpy(T).float()[None], torch.from_numpy(K).float()[None]
    assert shown[3, 4] == 0
    assert 0.3 < shown.mean() < 1
    for ratio, found in zip(np.exp(LOGS), unlike, strict=True):
        z = torch.from_numpy(depth * ratio)[None, None]
        seen, _ = warp(as_batch[1], z, *tensors)
        square = (seen - as_batch[0]).square().sum(1)[0].numpy()
        expected = square / (square + 0.5)
        np.testing.assert_allclose(found[shown > 0], expected[shown > 0], atol=2e-4)


def test_carried_depth_is_what_is_seen_from_there() -> None:
    K = (CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy)
    _, here = see_room(0)
    _, there = see_room(0.5)
    depth, weight = carry(here, np.ones_like(here), np.linalg.inv(pose(0.5)), K, MIN_Z, WIDEST)
    assert (weight > 0).mean() > 0.9
    seen = weight > 0
    assert np.abs(depth[seen] / there[seen] - 1).mean() < 0.02


def test_after_a_jump_one_pixel_does_not_fill_the_image() -> None:
    K = (CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy)
    weight = np.zeros((HEIGHT, WIDTH), np.float32)
    weight[48, 80] = 1
    far = np.full_like(weight, 50)
    depth, seen = carry(far, weight, np.linalg.inv(pose(45)), K, MIN_Z, WIDEST)
    assert 0 < (seen > 0).sum() <= 25
    assert depth.max() == pytest.approx(5)


def test_neighbours_share_what_is_told_up_to_an_edge() -> None:
    guide = np.ones((40, 60), np.float32)
    guide[:, 30:] = 3
    weight = np.zeros_like(guide)
    weight[20, 25] = 1
    total, trust = spread(np.full_like(guide, 0.2), weight, guide, 8, 0.38)
    assert trust[20, 25] > trust[20, 15] > 0
    np.testing.assert_allclose(total, 0.2 * trust, rtol=1e-4)
    assert trust[:, 30:].max() == 0


def test_on_a_real_street_parts_agree_better(shared_data: Path) -> None:
    """Neighbouring frames' depths, one carried to the other, differ less once they are fused."""
    drive = read_drive(shared_data / "kitti_odom/sequences/06")
    estimator = DepthEstimator(bundled("day"), "cpu", "model")
    config = AlignmentConfig()
    pipeline = OdometryPipeline(load_odometry(config, None, "cpu"), config)
    apart: dict[str, list[float]] = {"said": [], "fused": []}
    before: dict[str, tuple[Depth, NDArray[np.float64]]] = {}
    for frame in drive.frames[:12]:
        image = drive.read(frame)
        said = estimator.predict(image, drive.camera)
        view = image, drive.camera, said.depth
        found = pipeline.process(*view, frame.stamp_ns)
        fused = pipeline.fuse(*view, found)
        T, camera = found.state.T_world_cam, said.camera
        K = (camera.fx, camera.fy, camera.cx, camera.cy)
        for name, depth in (("said", said.depth), ("fused", fused.depth)):
            if name in before:
                old, T_old = before[name]
                seen, weight = carry(
                    old, np.ones_like(old), np.linalg.inv(T) @ T_old, K, MIN_Z, WIDEST
                )
                near = (weight > 0) & (depth < 40)
                apart[name].append(float(np.abs(np.log(seen[near] / depth[near])).mean()))
            before[name] = depth, T
    assert np.mean(apart["fused"][3:]) < 0.9 * np.mean(apart["said"][3:])
