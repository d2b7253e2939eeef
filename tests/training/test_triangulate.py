"""Depth from where rays meet: exact for exact flow, refused where it is not certain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sdepth.depth.daynight import DAY
from tests.helpers import write_drive
from training.adapt.prepare import divide
from training.adapt.sift import sift
from training.adapt.sources import Options, open_sources
from training.adapt.triangulate import signal_of, steady, triangulate
from training.adapt.two_views import TwoViews, find_motion, intersect

SIZE = (64, 96)
K = np.array([[60.0, 0, 47.5], [0, 60, 31.5], [0, 0, 1]])


def moved(T: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return the exact flow (h, w, 2) of a depth image under a motion."""
    v, u = np.indices(depth.shape).astype(float)
    points = np.linalg.inv(K) @ np.stack([u, v, np.ones_like(u)]).reshape(3, -1) * depth.ravel()
    x, y, z = K @ (T[:3, :3] @ points + T[:3, 3:])
    there = np.stack([x / z, y / z], 1).reshape(*depth.shape, 2)
    return np.asarray(there - np.stack([u, v], -1), np.float32)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Return a depth image (h, w) and a motion forward of one metre, turning."""
    T, turn = np.eye(4), 0.02
    T[:3, :3] = [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    T[:3, 3] = [0.05, 0.02, -1.0]
    T[:3, 3] /= np.linalg.norm(T[:3, 3])
    return np.random.default_rng(0).uniform(5, 30, SIZE), T


def test_motion_and_depth_come_back_from_exact_flow() -> None:
    depth, T = scene()
    flow, ok = moved(T, depth), np.ones(SIZE, bool)

    found = find_motion(flow, ok, K, seed=0)
    assert found is not None
    np.testing.assert_allclose(found, T, atol=2e-3)

    inverse, weight = intersect(flow, ok, T, K)
    certain = weight * inverse**2 > 100
    assert certain.mean() > 0.5
    np.testing.assert_allclose((1 / inverse)[certain], depth[certain], rtol=1e-3)


def test_what_moves_by_itself_is_refused_and_the_way_ahead_is_not_certain() -> None:
    depth, T = scene()
    flow, ok = moved(T, depth), np.ones(SIZE, bool)
    flow[40:50, 10:30] += (3.0, -3.0)  # across its epipolar line
    inverse, weight = intersect(flow, ok, T, K)
    assert (weight[40:50, 10:30] == 0).mean() > 0.95
    # Where the motion points nothing moves, so no depth is certain there.
    ahead = K @ T[:3, 3]
    u, v = (ahead[:2] / ahead[2]).round().astype(int)
    assert weight[v, u] * inverse[v, u] ** 2 < 1


def test_chance_is_no_motion() -> None:
    noise = np.random.default_rng(0).uniform(-9, 9, (*SIZE, 2)).astype(np.float32)
    assert find_motion(noise, np.ones(SIZE, bool), K, seed=0) is None
    assert find_motion(noise, np.zeros(SIZE, bool), K, seed=0) is None


def test_motion_that_leaves_the_way_is_refused() -> None:
    def going(*direction: float) -> TwoViews:
        T = np.eye(4)
        T[:3, 3] = np.array(direction) / np.linalg.norm(direction)
        return TwoViews(T, np.ones((2, *SIZE), np.float32), np.ones((2, *SIZE), np.float32))

    ahead, turning, aside = going(0, 0, -1), going(0.1, 0, -1), going(0.95, 0.1, -0.3)

    assert steady([ahead] * 4 + [aside, turning, None]) == [ahead] * 4 + [None, turning, None]
    chance = [going(1, 0, 0), going(0, 1, 0), going(-1, 0, 0.1), going(0.7, 0, 0.7)]
    assert steady([*chance]) == [None] * 4
    assert steady([aside]) == [aside]  # nothing to compare it with


def test_poses_give_a_drive_its_metres(tmp_path: Path) -> None:
    root = write_drive(tmp_path, 24, (128, 192), step_m=0.2)
    drives = [sift(source, SIZE) for source in open_sources([root], Options(), tmp_path)]
    (stretch,) = divide(drives, DAY).train
    wrong = np.full((len(stretch.frames), *SIZE), 20.0, np.float32)  # a network twice as far

    seen = triangulate(stretch, wrong)

    step = np.linalg.norm(seen.T_later_earlier[:, :3, 3], axis=1)
    np.testing.assert_allclose(step, 0.2, rtol=1e-3)
    for i in (3, 8, 12):
        known = seen.depth[i] > 0
        assert known.mean() > 0.1
        assert abs(np.median(seen.depth[i][known]) / (10 - 0.2 * i) - 1) < 0.1


def test_images_say_something_where_they_have_texture_and_move() -> None:
    intrinsics = torch.from_numpy(K).float()[None]
    image = torch.full((1, 3, 64, 96), 0.5)
    image[..., :48] = torch.rand((1, 3, 64, 48), generator=torch.Generator().manual_seed(0))
    sideways = torch.eye(4)[None].clone()
    sideways[0, 0, 3] = 1.0
    depth = torch.full((1, 1, 64, 96), 10.0)

    signal = signal_of(image, depth, sideways, intrinsics)

    assert signal[..., 12:36].min() > 0.02
    assert signal[..., 66:].max() < 1e-4
    assert signal_of(image, depth, torch.eye(4)[None], intrinsics).max() < 1e-3
