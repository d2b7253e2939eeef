"""Errors of a trajectory against truth: ATE, RPE, and KITTI's drift per distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sdepth.errors import DataError
from sdepth.shapes import check_shape

Poses = NDArray[np.float64]
Alignment = Literal["none", "scale", "6dof", "7dof"]
KITTI_LENGTHS_M = (100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0)
_STILL_M = 0.01
"""Root mean square distance from its centre of truth that does not move."""
KITTI_STEP = 10
"""A sub-sequence starts at every tenth frame."""


@dataclass(frozen=True)
class TrajectoryErrors:
    """Errors of one trajectory after alignment.

    Attributes:
        ate_m: root mean square distance of positions, metres.
        rpe_m: mean translation error from frame to frame, metres.
        rpe_deg: mean rotation error from frame to frame, degrees.
        t_err_percent: KITTI's translation drift; NaN where the path is too short for it.
        r_err_deg_per_100m: KITTI's rotation drift; NaN likewise.
        scale: what the estimated positions were multiplied with.
    """

    ate_m: float
    rpe_m: float
    rpe_deg: float
    t_err_percent: float
    r_err_deg_per_100m: float
    scale: float


def trajectory_errors(
    truth: Poses,
    estimate: Poses,
    alignment: Alignment = "7dof",
    frames: NDArray[np.int64] | None = None,
    lengths_m: Sequence[float] = KITTI_LENGTHS_M,
) -> TrajectoryErrors:
    """Return all errors of ``estimate`` after alignment to ``truth``.

    Both are first moved so that the first estimated frame is the identity.

    Args:
        truth: T_world_cam (M, 4, 4), metres.
        estimate: T_world_cam (N, 4, 4).
        alignment: "7dof" (rotation, translation, scale of all positions) is the convention for
            monocular methods; "none" judges a metric trajectory.
        frames: (N,) increasing row of ``truth`` that each estimate belongs to, where an estimate
            misses frames; None where N = M.
        lengths_m: of the sub-sequences that drift is measured on; others than KITTI's for drives
            shorter than 100 m.

    Raises:
        DataError: fewer than two poses, frames that do not fit, or no scale to be found: truth
            that stands still, or an estimate that goes the other way.

    Source: Geiger et al. 2012; alignment order as kitti-odom-eval.
    """
    frames = np.arange(len(truth)) if frames is None else np.asarray(frames)
    truth, estimate, scale = aligned(truth, estimate, alignment, frames)
    rpe_m, rpe_deg = rpe(truth[frames], estimate, frames)
    t_err, r_err = kitti_drift(truth, estimate, frames, lengths_m)
    return TrajectoryErrors(ate(truth[frames], estimate), rpe_m, rpe_deg, t_err, r_err, scale)


def aligned(
    truth: Poses, estimate: Poses, alignment: Alignment, frames: NDArray[np.int64]
) -> tuple[Poses, Poses, float]:
    """Return truth and estimate as they are compared, and the scale used.

    Arguments and errors as in ``trajectory_errors``; the first of ``frames`` is the origin.
    """
    check_shape("truth", truth, "M 4 4")
    n = check_shape("estimate", estimate, "N 4 4")["N"]
    fits = len(frames) == n >= 2 and (np.diff(frames) > 0).all() and frames[0] >= 0
    if not fits or frames[-1] >= len(truth):
        raise DataError(
            f"{n} estimated poses for {len(frames)} frames of {len(truth)} true poses: expected "
            "at least two, one per frame; give `frames` where the estimate misses some"
        )
    truth = np.linalg.inv(truth[frames[0]]) @ truth
    estimate = np.linalg.inv(estimate[0]) @ estimate
    return truth, *align(truth[frames], estimate, alignment)


def align(truth: Poses, estimate: Poses, alignment: Alignment) -> tuple[Poses, float]:
    """Return the estimate (N, 4, 4) fitted to the truth (N, 4, 4), and the scale used.

    Raises:
        DataError: there is no scale to be found.
    """
    if alignment == "none":
        return estimate, 1.0
    p_true, p = truth[:, :3, 3], estimate[:, :3, 3]
    T = np.eye(4)
    if alignment == "scale":
        norm = float(np.sum(p * p))
        scale = float(np.sum(p_true * p)) / norm if norm > 0 else 1.0
    else:
        R, t, scale = umeyama(p, p_true, with_scale=alignment == "7dof")
        T[:3, :3], T[:3, 3] = R, t
    if alignment != "6dof":
        _check_scale(p_true, scale, alignment)
    scaled = estimate.copy()
    scaled[:, :3, 3] *= scale
    return T @ scaled, scale


def _check_scale(p_true: NDArray[np.float64], scale: float, alignment: Alignment) -> None:
    """Refuse a scale that hides all errors: it makes any estimate stand still, or turns it round.

    Raises:
        DataError: it does.
    """
    spread_m = float(np.sqrt(np.mean(np.sum((p_true - p_true.mean(0)) ** 2, 1))))
    if spread_m < _STILL_M:
        raise DataError(
            f"the truth stands still (its {len(p_true)} positions are {spread_m:.2g} m from their "
            f"mean), so alignment {alignment!r} finds no scale: align by 6dof or none, or give a "
            "drive that moves"
        )
    if not scale > 0:
        raise DataError(
            f"alignment {alignment!r} finds scale {scale:.3g}: the estimate does not go the way "
            "of the truth; are both T_world_cam of one drive? 6dof or none judge it as it is"
        )


def umeyama(
    source: NDArray[np.float64], target: NDArray[np.float64], with_scale: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return R (3, 3), t (3,), s that minimise |target - (s R source + t)|^2 over points (N, 3).

    Source: Umeyama 1991, eq. 40 to 42. A source without extent gets s = 1.
    """
    mean_source, mean_target = source.mean(0), target.mean(0)
    centred = source - mean_source
    U, d, Vt = np.linalg.svd((target - mean_target).T @ centred / len(source))
    sign = np.ones(3)
    sign[2] = np.sign(np.linalg.det(U) * np.linalg.det(Vt))  # a rotation, not a reflection
    R = U @ np.diag(sign) @ Vt
    variance = float(np.mean(np.sum(centred**2, 1)))
    scale = float(d @ sign) / variance if with_scale and variance > 0 else 1.0
    return R, mean_target - scale * R @ mean_source, scale


def ate(truth: Poses, estimate: Poses) -> float:
    """Return the root mean square distance, metres, of positions of aligned poses (N, 4, 4)."""
    return float(np.sqrt(np.mean(np.sum((truth - estimate)[:, :3, 3] ** 2, 1))))


def rpe(
    truth: Poses, estimate: Poses, frames: NDArray[np.int64] | None = None
) -> tuple[float, float]:
    """Return mean translation (m) and rotation (deg) errors of neighbouring frames.

    Pairs whose ``frames`` are not consecutive are left out.
    """
    error = _inverse(_steps(truth)) @ _steps(estimate)
    if frames is not None:
        error = error[np.diff(frames) == 1]
    if not len(error):
        return float("nan"), float("nan")
    t = np.linalg.norm(error[:, :3, 3], axis=1)
    return float(t.mean()), float(np.degrees(_angle(error)).mean())


def kitti_drift(
    truth: Poses,
    estimate: Poses,
    frames: NDArray[np.int64] | None = None,
    lengths_m: Sequence[float] = KITTI_LENGTHS_M,
) -> tuple[float, float]:
    """Return t_err (%) and r_err (deg / 100 m), means over sub-sequences of 100 to 800 m.

    Arguments as in ``kitti_segments``; NaN, NaN where the path is shorter than every length.
    """
    segments = kitti_segments(truth, estimate, frames, lengths_m)
    if not len(segments):
        return float("nan"), float("nan")
    return float(segments[:, 1].mean()), float(segments[:, 2].mean())


def kitti_segments(
    truth: Poses,
    estimate: Poses,
    frames: NDArray[np.int64] | None = None,
    lengths_m: Sequence[float] = KITTI_LENGTHS_M,
) -> NDArray[np.float64]:
    """Return (S, 3) length (m), t_err (%) and r_err (deg / 100 m) of each sub-sequence.

    Args:
        truth: (M, 4, 4), every frame, for the distance driven.
        estimate: (N, 4, 4), aligned.
        frames: (N,) rows of ``truth``; sub-sequences that begin or end elsewhere are left out.
        lengths_m: of the sub-sequences.
    """
    frames = np.arange(len(truth)) if frames is None else frames
    row = {int(frame): i for i, frame in enumerate(frames)}
    step = np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1)
    driven = np.concatenate([[0.0], np.cumsum(step)])
    errors = []
    for first in range(0, len(truth), KITTI_STEP):
        for length in lengths_m:
            last = int(np.searchsorted(driven, driven[first] + length, side="right"))
            if first not in row or last not in row:
                continue
            true_step = np.linalg.inv(truth[first]) @ truth[last]
            estimated_step = np.linalg.inv(estimate[row[first]]) @ estimate[row[last]]
            error = np.linalg.inv(estimated_step) @ true_step
            t_err = 100 * np.linalg.norm(error[:3, 3]) / length
            errors.append((length, t_err, 100 * np.degrees(_angle(error)) / length))
    return np.array(errors, np.float64).reshape(-1, 3)


def _steps(poses: Poses) -> Poses:
    """Return T_cam(i)_cam(i+1) of each pair of neighbours."""
    return _inverse(poses[:-1]) @ poses[1:]


def _inverse(poses: Poses) -> Poses:
    return np.asarray(np.linalg.inv(poses), np.float64)


def _angle(T: Poses) -> NDArray[np.float64]:
    """Return the rotation angle (...), radians, of T (..., 4, 4).

    Of the trace alone, as KITTI's development kit has it: files of seven digits are rotations only
    up to rounding, and other formulas give another third digit than the published one.
    """
    cosine = (np.trace(T[..., :3, :3], axis1=-2, axis2=-1) - 1) / 2
    return np.asarray(np.arccos(np.clip(cosine, -1, 1)), np.float64)
