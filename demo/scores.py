"""How good the nodes were, beside answers that need no network at all."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.run import DAY, DUSK, NIGHT, DemoFrame, DemoRun
from sdepth.errors import DataError
from sdepth.metrics.depth import DepthErrors, depth_errors, mean_errors
from sdepth.metrics.trajectory import TrajectoryErrors, trajectory_errors

NODE, FUSED, PER_PIXEL, CONSTANT = "depth node", "fused", "per-pixel mean", "constant"
OURS = NODE, FUSED
LIGHTS = ("all", DAY, DUSK, NIGHT)


@dataclass(frozen=True)
class DepthScore:
    """Mean errors of one predictor over the frames in one light.

    Attributes:
        predictor: ``NODE``, ``FUSED`` (by the odometry node), ``PER_PIXEL`` or ``CONSTANT``.
        light: one of ``LIGHTS``.
        frames: how many.
        metric: as published, in metres.
        scaled: after scaling each image by the ratio of medians.
    """

    predictor: str
    light: str
    frames: int
    metric: DepthErrors
    scaled: DepthErrors


@dataclass(frozen=True)
class Scores:
    """All scores of a run.

    Attributes:
        depth: one row per predictor and light.
        abs_rel: predictor to AbsRel (N,) in metres per frame; NaN where there was no answer.
        odometry: errors of the odometry node, by alignment; None where it said too little.
        straight: the same of driving straight ahead at the mean speed.
        T_straight: the poses (N, 4, 4) of that.
    """

    depth: tuple[DepthScore, ...]
    abs_rel: dict[str, NDArray[np.float64]]
    odometry: dict[str, TrajectoryErrors] | None
    straight: dict[str, TrajectoryErrors]
    T_straight: NDArray[np.float64]

    def row(self, predictor: str, light: str = "all") -> DepthScore:
        """Return a predictor's score in one light.

        Raises:
            DataError: it has none.
        """
        for score in self.depth:
            if (score.predictor, score.light) == (predictor, light):
                return score
        raise DataError(f"no score of {predictor} for {light}")


def score_run(run: DemoRun, near_m: float = 1e-3, max_m: float = 80.0) -> Scores:
    """Return the scores of a run; the truth counts between ``near_m`` and ``max_m`` metres.

    The two trivial answers know this drive's truth on average, which flatters them: the per-pixel
    mean of its true depth, and the median of that as a constant.

    Raises:
        DataError: the nodes answered no frame at all.
    """
    answered = [frame for frame in run.frames if frame.depth is not None]
    if not answered:
        raise DataError("the depth node answered no frame; see its log")
    fixed = _trivial_answers(run.frames, max_m)
    rows, curves = [], {}
    for predictor in (*OURS, PER_PIXEL, CONSTANT):
        metric, scaled = (
            [
                _errors(frame, _answer(frame, predictor, fixed), near_m, max_m, scale)
                for frame in run.frames
            ]
            for scale in ("none", "median")
        )
        curves[predictor] = np.array([e.abs_rel if e else np.nan for e in metric])
        rows += _by_light(run.frames, predictor, metric, scaled)
    T_true, T_straight = _true_and_straight(run)
    known = np.array([i for i, f in enumerate(run.frames) if f.T_estimate is not None])
    T_estimate = np.array([run.frames[i].T_estimate for i in known])
    moved = _trajectory(T_true, T_estimate, known) if len(known) > 1 else None
    straight = _trajectory(T_true, T_straight, np.arange(len(T_true)))
    return Scores(tuple(rows), curves, moved, straight, T_straight)


def _answer(
    frame: DemoFrame, predictor: str, fixed: dict[str, NDArray[np.float32]]
) -> NDArray[np.float32] | None:
    """Return what a predictor said of a frame."""
    said = {NODE: frame.depth, FUSED: frame.fused, **fixed}
    return said[predictor]


def _errors(
    frame: DemoFrame, depth: NDArray[np.float32] | None, near_m: float, max_m: float, scale: str
) -> DepthErrors | None:
    """Return the errors of an answer; None without it or the node's."""
    if frame.depth is None or depth is None:  # judge all on the same frames
        return None
    return depth_errors(frame.truth, depth, near_m, max_m, scale)


def _by_light(
    frames: tuple[DemoFrame, ...],
    predictor: str,
    metric: list[DepthErrors | None],
    scaled: list[DepthErrors | None],
) -> list[DepthScore]:
    """Return one row per light that has frames."""
    rows = []
    for light in LIGHTS:
        chosen = [
            (m, s)
            for frame, m, s in zip(frames, metric, scaled, strict=True)
            if m and s and light in ("all", frame.light)
        ]
        if chosen:
            ms, ss = zip(*chosen, strict=True)
            rows.append(DepthScore(predictor, light, len(ms), mean_errors(ms), mean_errors(ss)))
    return rows


def _trivial_answers(
    frames: tuple[DemoFrame, ...], max_m: float
) -> dict[str, NDArray[np.float32]]:
    """Return the depth (H, W) of the trivial predictors; ``max_m`` where nothing ever was."""
    truths = np.stack([frame.truth for frame in frames])
    truths = np.where((truths > 0) & (truths < max_m), truths, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no value is NaN, as wanted
        mean = np.nan_to_num(np.nanmean(truths, 0), nan=max_m)
    median = np.nanmedian(truths[:, ::4, ::4])
    return {PER_PIXEL: mean, CONSTANT: np.full_like(mean, median)}


def _true_and_straight(run: DemoRun) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the true poses (N, 4, 4), and those of going straight at the true mean speed."""
    T_true = np.array([frame.T_odom_base for frame in run.frames])
    steps = np.linalg.norm(np.diff(T_true[:, :3, 3], axis=0), axis=1)
    T_straight = np.tile(np.eye(4), (len(T_true), 1, 1))
    seconds = run.seconds
    T_straight[:, 0, 3] = steps.sum() * seconds / max(seconds[-1], 1e-9)
    return T_true, T_true[0] @ T_straight


def _trajectory(
    T_true: NDArray[np.float64], T_estimate: NDArray[np.float64], frames: NDArray[np.int64]
) -> dict[str, TrajectoryErrors]:
    """Return the errors as it stands, and after the monocular alignment."""
    return {
        alignment: trajectory_errors(T_true, T_estimate, alignment, frames)
        for alignment in ("none", "7dof")
    }
