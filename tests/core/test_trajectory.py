"""Trajectory errors: exact cases, then published numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sdepth.errors import DataError, ShapeError
from sdepth.geometry import se3
from sdepth.metrics.trajectory import Alignment, Poses, kitti_drift, trajectory_errors, umeyama

SAMPLES = Path(__file__).parents[3] / "shared/data/kitti_odom_poses"


def poses(rotvecs: NDArray[np.float64], positions: NDArray[np.float64]) -> Poses:
    """Return T_world_cam (N, 4, 4) of rotation vectors (N, 3) and positions (N, 3)."""
    return se3.from_rotvec(torch.from_numpy(rotvecs), torch.from_numpy(positions)).numpy()


def winding_road(count: int = 200, step_m: float = 1.0) -> Poses:
    """Return a drive that turns left and right and climbs, ``step_m`` per frame."""
    yaw = 0.5 * np.sin(np.arange(count) / 20)
    steps = step_m * np.stack([np.sin(yaw), np.full(count, -0.02), np.cos(yaw)], 1)
    return poses(np.stack([0 * yaw, yaw, 0 * yaw], 1), np.cumsum(steps, 0))


def straight_road(count: int, step_m: float) -> Poses:
    """Return a drive straight ahead."""
    positions = np.zeros((count, 3))
    positions[:, 2] = step_m * np.arange(count)
    return poses(np.zeros((count, 3)), positions)


def seen_elsewhere(truth: Poses, scale: float) -> Poses:
    """Return the drive in another world frame, its positions multiplied."""
    scaled = truth.copy()
    scaled[:, :3, 3] *= scale
    T_other_world = poses(np.array([[0.3, -1.0, 0.2]]), np.array([[5.0, -7.0, 9.0]]))
    return T_other_world @ scaled


@pytest.mark.parametrize(
    ("alignment", "scale"), [("none", 1.0), ("6dof", 1.0), ("scale", 0.04), ("7dof", 0.04)]
)
def test_alignment_removes_what_it_may(alignment: Alignment, scale: float) -> None:
    truth = winding_road()
    errors = trajectory_errors(truth, seen_elsewhere(truth, scale), alignment)
    assert errors.scale == pytest.approx(1 / scale)
    # 1e-4 deg: an arccos near 1 loses half the digits
    assert errors.rpe_deg == pytest.approx(0, abs=1e-4)
    assert (errors.ate_m, errors.rpe_m, errors.t_err_percent) == pytest.approx((0, 0, 0), abs=1e-9)


@pytest.mark.parametrize("alignment", ["none", "6dof"])
def test_a_wrong_scale_stays_where_only_metres_are_judged(alignment: Alignment) -> None:
    truth = winding_road()
    errors = trajectory_errors(truth, seen_elsewhere(truth, 0.9), alignment)
    assert errors.scale == 1
    assert errors.rpe_m == pytest.approx(0.1, rel=1e-3)
    assert errors.ate_m > 1


def test_ate_is_the_root_mean_square_of_position_errors() -> None:
    truth = straight_road(4, step_m=1.0)
    estimate = truth.copy()
    estimate[1:3, :3, 3] += [[0.3, 0, 0], [0, 0.4, 0]]
    assert trajectory_errors(truth, estimate, "none").ate_m == pytest.approx(0.25)


def test_steps_too_long_are_an_error_per_frame_and_per_distance() -> None:
    errors = trajectory_errors(straight_road(301, 1.0), straight_road(301, 1.05), "none")
    assert errors.rpe_m == pytest.approx(0.05)
    # a sub-sequence ends at the first frame beyond its length: 101 m * 5 % / 100 m, ...
    assert errors.t_err_percent == pytest.approx(5, abs=0.06)
    assert errors.r_err_deg_per_100m == 0


def test_a_steady_turn_is_an_error_per_frame_and_per_distance() -> None:
    truth = straight_road(301, step_m=1.0)
    yaw_deg = 0.01 * np.arange(301)
    turning = np.stack([0 * yaw_deg, np.radians(yaw_deg), 0 * yaw_deg], 1)
    errors = trajectory_errors(truth, poses(turning, truth[:, :3, 3].copy()), "none")
    assert errors.rpe_deg == pytest.approx(0.01, rel=1e-3)
    assert errors.r_err_deg_per_100m == pytest.approx(1, abs=0.02)


def test_a_path_shorter_than_100_m_has_no_drift() -> None:
    truth = straight_road(50, step_m=1.0)
    errors = trajectory_errors(truth, truth)
    assert np.isnan([errors.t_err_percent, errors.r_err_deg_per_100m]).all()
    assert errors.ate_m == pytest.approx(0, abs=1e-9)


def test_missing_frames_are_neither_steps_nor_errors() -> None:
    truth = winding_road()
    seen = np.delete(np.arange(3, 200), [50, 51, 120])
    errors = trajectory_errors(truth, seen_elsewhere(truth[seen], 2.0), "7dof", seen)
    assert (errors.ate_m, errors.rpe_m, errors.t_err_percent) == pytest.approx((0, 0, 0), abs=1e-9)


def test_a_camera_that_never_moves_is_not_divided_by() -> None:
    truth = straight_road(150, step_m=1.0)
    still = np.tile(np.eye(4), (150, 1, 1))
    for alignment in ("none", "scale", "6dof", "7dof"):
        assert np.isfinite(trajectory_errors(truth, still, alignment).ate_m)


def test_umeyama_returns_a_rotation_even_for_mirrored_points() -> None:
    points = np.random.default_rng(0).normal(size=(30, 3))
    R, _, _ = umeyama(points, points * [1, 1, -1])
    assert np.linalg.det(R) == pytest.approx(1)


def test_bad_input_is_refused() -> None:
    truth = straight_road(5, step_m=1.0)
    with pytest.raises(DataError, match="4 estimated poses for 5 frames"):
        trajectory_errors(truth, truth[:4])
    with pytest.raises(DataError, match="at least two"):
        trajectory_errors(truth[:1], truth[:1])
    with pytest.raises(DataError, match="one per frame"):
        trajectory_errors(truth, truth[:2], frames=np.array([4, 5]))
    with pytest.raises(ShapeError, match="estimate"):
        trajectory_errors(truth, truth[:, :3])


PUBLISHED = {
    ("09", "none"): ("72.109", "0.249", "349.640", "1.022", "0.063"),
    ("09", "scale"): ("2.866", "0.249", "10.639", "0.341", "0.063"),
    ("09", "6dof"): ("72.109", "0.249", "215.435", "1.022", "0.063"),
    ("09", "7dof"): ("2.884", "0.249", "8.387", "0.343", "0.063"),
    ("10", "none"): ("82.070", "0.305", "425.382", "0.733", "0.066"),
    ("10", "scale"): ("3.902", "0.305", "12.935", "0.046", "0.066"),
    ("10", "6dof"): ("82.070", "0.305", "201.579", "0.733", "0.066"),
    ("10", "7dof"): ("3.298", "0.305", "6.630", "0.047", "0.066"),
}
"""What kitti-odom-eval prints for its own example: t_err, r_err, ATE, RPE (m), RPE (deg)."""


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"{SAMPLES} is not there")
@pytest.mark.parametrize(("sequence", "alignment"), PUBLISHED)
def test_published_numbers_come_out_digit_for_digit(sequence: str, alignment: Alignment) -> None:
    truth = _rows(np.loadtxt(SAMPLES / f"gt_poses/{sequence}.txt"))
    results = np.loadtxt(SAMPLES / f"results/kitti-odom-eval_example_0/{sequence}.txt")
    frames = results[:, 0].astype(np.int64)
    e = trajectory_errors(truth, _rows(results[:, 1:]), alignment, frames)
    got = (e.t_err_percent, e.r_err_deg_per_100m, e.ate_m, e.rpe_m, e.rpe_deg)
    assert tuple(f"{number:.3f}" for number in got) == PUBLISHED[sequence, alignment]


def _rows(numbers: NDArray[np.float64]) -> Poses:
    """Return (N, 4, 4) of rows of 12 numbers."""
    T = np.tile(np.eye(4), (len(numbers), 1, 1))
    T[:, :3] = numbers.reshape(-1, 3, 4)
    return T


def test_drift_on_shorter_lengths_is_known_where_kittis_is_not() -> None:
    truth = np.tile(np.eye(4), (40, 1, 1))
    truth[:, 2, 3] = np.arange(40)
    estimate = truth.copy()
    estimate[:, 2, 3] *= 0.9

    assert np.isnan(kitti_drift(truth, estimate)).all()
    # A sub-path ends at the first frame beyond its length: 11 m of 10, 21 m of 20.
    t_err, r_err = kitti_drift(truth, estimate, lengths_m=(10.0, 20.0))
    assert 10 < t_err < 11.1
    assert r_err == pytest.approx(0)
