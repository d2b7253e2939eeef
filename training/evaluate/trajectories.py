"""Trajectories in files: KITTI's rows of 12 numbers, or TUM's of stamp, position, quaternion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sdepth.errors import DataError
from sdepth.metrics.trajectory import Poses
from training.data.text import LAST_S, read_rows

KITTI, NUMBERED, TUM = 12, 13, 8
"""Numbers in a row: T (3, 4); frame number and T; stamp (s), x y z (m), qx qy qz qw."""


@dataclass(frozen=True)
class Trajectory:
    """Poses T_world_cam (N, 4, 4) with what tells which is which.

    Attributes:
        T: poses, metres.
        frames: (N,) numbers of frames, increasing; row numbers where the file has none.
        stamps_s: (N,) seconds, increasing; None in KITTI's form.
    """

    T: Poses
    frames: NDArray[np.int64]
    stamps_s: NDArray[np.float64] | None = None


def read_trajectory(path: Path) -> Trajectory:
    """Return the trajectory in a file; its form is told by the numbers in a row.

    Raises:
        DataError: missing, not rows of equally many numbers, no poses, or out of order.
    """
    rows = read_rows(path, "12, 13 or 8 numbers")
    if rows.shape[1] not in (KITTI, NUMBERED, TUM) or not len(rows):
        raise DataError(
            f"{path}: {len(rows)} rows of {rows.shape[1]} numbers; expected 12 (KITTI: T, 3x4), "
            "13 (frame number and T) or 8 (TUM: stamp x y z qx qy qz qw)"
        )
    bad = np.flatnonzero(~np.isfinite(rows).all(1))
    if bad.size:
        raise DataError(f"{path}: row {bad[0] + 1} is not finite; leave lost frames out")
    if rows.shape[1] == TUM:
        _check_order(path, rows[:, 0])
        if not 0 <= rows[0, 0] <= rows[-1, 0] <= LAST_S:
            raise DataError(f"{path}: stamps up to {rows[-1, 0]:g} s; expected seconds, not ns")
        return Trajectory(_from_tum(path, rows), np.arange(len(rows)), rows[:, 0])
    frames = np.arange(len(rows))
    if rows.shape[1] == NUMBERED:
        _check_order(path, rows[:, 0])
        frames = np.rint(rows[:, 0]).astype(np.int64)
        if not np.array_equal(frames, rows[:, 0]) or frames[0] < 0:
            raise DataError(f"{path}: the first of 13 numbers is not that of a frame")
    return Trajectory(_from_kitti(path, rows[:, -KITTI:]), frames)


def associate(
    truth: Trajectory, estimate: Trajectory, max_gap_s: float
) -> tuple[Poses, Poses, NDArray[np.int64]]:
    """Return true poses (M, 4, 4), estimated ones (N, 4, 4) and the row of truth of each (N,).

    By frame number in KITTI's form. In TUM's each estimate takes the true pose nearest in time; of
    several that take one, the nearest keeps it. Truth between these is left out, as evo does.

    Raises:
        DataError: two forms, fewer than two pairs, or frames that truth does not have.
    """
    if truth.stamps_s is None and estimate.stamps_s is None:
        rows = np.searchsorted(truth.frames, estimate.frames)
        known = rows < len(truth.frames)
        known[known] = truth.frames[rows[known]] == estimate.frames[known]
        if not known.all():
            raise DataError(
                f"frame {estimate.frames[~known][0]} of the estimate is not in the truth, which "
                f"has {len(truth.T)} from {truth.frames[0]} to {truth.frames[-1]}"
            )
        return truth.T, estimate.T, rows
    if truth.stamps_s is None or estimate.stamps_s is None:
        raise DataError("one trajectory is in KITTI's form, one in TUM's; write both in one form")
    rows, near = _nearest(truth.stamps_s, estimate.stamps_s, max_gap_s)
    if len(near) < 2:
        raise DataError(
            f"{len(near)} poses of two trajectories within {max_gap_s:g} s of each other (truth "
            f"{truth.stamps_s[0]:.3f} to {truth.stamps_s[-1]:.3f} s, estimate "
            f"{estimate.stamps_s[0]:.3f} to {estimate.stamps_s[-1]:.3f} s); same clock? --max-gap"
        )
    return truth.T[rows], estimate.T[near], np.arange(len(near))


def _nearest(
    truth_s: NDArray[np.float64], estimate_s: NDArray[np.float64], max_gap_s: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows of truth (N,) and of the estimate (N,), both increasing, that belong together.

    Both stamps increase; see ``associate``.
    """
    middles = (truth_s[1:] + truth_s[:-1]) / 2
    rows = np.searchsorted(middles, estimate_s)
    gaps = np.abs(truth_s[rows] - estimate_s)
    nearest_first = np.lexsort((gaps, rows))
    taken, first = np.unique(rows[nearest_first], return_index=True)
    near = nearest_first[first]
    close = gaps[near] <= max_gap_s
    return taken[close], near[close]


def _check_order(path: Path, numbers: NDArray[np.float64]) -> None:
    """Refuse stamps or frame numbers that do not increase."""
    back = np.flatnonzero(np.diff(numbers) <= 0)
    if back.size:
        raise DataError(
            f"{path}: row {back[0] + 2} does not come after the row before it; sort the rows"
        )


def _from_tum(path: Path, rows: NDArray[np.float64]) -> Poses:
    """Return T (N, 4, 4) of rows of stamp, position and quaternion."""
    norms = np.linalg.norm(rows[:, 4:], axis=1)
    bad = np.flatnonzero(np.abs(norms - 1) > 0.01)
    if bad.size:
        raise DataError(
            f"{path}: row {bad[0] + 1}: a quaternion of length {norms[bad[0]]:.3g}; expected 1 "
            "and the order x y z w"
        )
    T = np.tile(np.eye(4), (len(rows), 1, 1))
    T[:, :3, :3] = Rotation.from_quat(rows[:, 4:]).as_matrix()
    T[:, :3, 3] = rows[:, 1:4]
    return T


def _from_kitti(path: Path, rows: NDArray[np.float64]) -> Poses:
    """Return T (N, 4, 4) of rows of 12 numbers."""
    T = np.tile(np.eye(4), (len(rows), 1, 1))
    T[:, :3] = rows.reshape(-1, 3, 4)
    R = T[:, :3, :3]
    wrong = np.abs(R @ R.transpose(0, 2, 1) - np.eye(3)).max((1, 2)) > 0.01
    bad = np.flatnonzero(wrong | (np.linalg.det(R) < 0))
    if bad.size:
        raise DataError(f"{path}: row {bad[0] + 1} is not a pose: its 3x3 part is no rotation")
    return T
