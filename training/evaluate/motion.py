"""Score a checkpoint's depth, motion, and how well their scales agree, over drives with truth.

    python -m training.evaluate motion runs/sa4depth/weights.safetensors data/synth/day_test
    python -m training.evaluate motion weights/day.safetensors data/synth/day_test --json day.json

Depth: 80 m cap, no crop; mask, scale, clamp, score each image, average over images. Motion: of
neighbouring frames, chained per drive; errors after 7-DoF alignment of each drive, mean over
drives; "one scale" aligns no drive, but scales all by the median true length over estimated.
"metres" is depth as it is, where the checkpoint's card calls it metric.
"""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sdepth.cli import one_or_more
from sdepth.errors import DataError
from sdepth.files import write_json
from sdepth.markdown import table
from sdepth.metrics.depth import DepthErrors, mean_errors
from sdepth.metrics.trajectory import ate, trajectory_errors
from training.data.drive import Drive, read_depth
from training.data.open_drive import find_drives, read_drive
from training.evaluate import Protocol
from training.evaluate.drive_motion import INITIAL, INTENSITY, DriveMotion, MotionEstimator, chain
from training.evaluate.scale_agreement import (
    Alignment,
    alignment,
    consistency,
    length_ratio,
    motion_scales,
    ratio,
)

LENGTHS_M = (10.0, 20.0, 30.0)
"""Of the sub-paths that drift is measured on: the synthetic drives are 15 to 60 m long."""

MOTION_HEAD = (
    *("motion", "rho", "abs log rho", "spread", "ATE, m", "RPE, m", "RPE, deg"),
    *("drift, %", "deg / 100 m", "ATE, one scale", "refused"),
)


@dataclass(frozen=True)
class MotionErrors:
    """Means over drives; drift is NaN where no drive is long enough."""

    ate_m: float
    rpe_m: float
    rpe_deg: float
    t_err_percent: float
    r_err_deg_per_100m: float
    ate_one_scale_m: float


def evaluate_motion(
    checkpoint: Path, root: Path, device: str = "auto", stride: int = 1
) -> dict[str, Any]:
    """Return all numbers of a checkpoint over the drives of ``root``, ready for JSON.

    Args:
        checkpoint: a .safetensors file with its card.
        root: drives with depth and poses.
        device: as ``pick_device`` takes it.
        stride: use every n-th drive.

    Raises:
        DataError: a drive has no depth or no poses.
        CheckpointError: the checkpoint cannot be used.
    """
    estimator = MotionEstimator(checkpoint, device)
    drives = [read_drive(folder) for folder in find_drives(root)[::stride]]
    found = [estimator(drive) for drive in tqdm(drives, unit="drive", mininterval=1)]
    rows = [_score_depth(d, m, Protocol()) for d, m in zip(drives, found, strict=True)]
    scales = [np.array([row.scale for row in drive]) for drive in rows]
    one_scale = float(np.median(np.concatenate(scales)))
    depth = {
        "median": mean_errors([row for drive in rows for row in drive]),
        "one_scale": _unscaled(drives, found, one_scale),
    }
    if estimator.card.metric:
        depth["metres"] = _unscaled(drives, found, 1.0)
    rho = {
        kind: [_rho(s, m, kind) for s, m in zip(scales, found, strict=True)] for kind in found[0].T
    }
    return {
        "checkpoint": str(checkpoint),
        "sha256": estimator.card.sha256,
        "data": str(root),
        "drives": len(drives),
        "images": sum(len(d.frames) for d in drives),
        "pairs": sum(len(m.T_true) for m in found),
        "depth": {name: dataclasses.asdict(errors) for name, errors in depth.items()},
        "depth_scale": dataclasses.asdict(consistency(scales)),
        "alignment": {k: dataclasses.asdict(alignment(np.concatenate(r))) for k, r in rho.items()},
        "rho_without_truth": dataclasses.asdict(_without_truth(found)),
        "odometry": {kind: dataclasses.asdict(_score_motion(found, kind)) for kind in rho},
        "refused": {
            k: 1 - float(np.mean(np.concatenate([m.kept[k] for m in found])))
            for k in found[0].kept
        },
        "per_drive": {
            drive.name: {
                "depth_scale": s.round(5).tolist(),
                "rho": {kind: r[i].round(5).tolist() for kind, r in rho.items()},
            }
            for i, (drive, s) in enumerate(zip(drives, scales, strict=True))
        },
    }


def _score_depth(
    drive: Drive, motion: DriveMotion, protocol: Protocol, factor: float = 1.0
) -> list[DepthErrors]:
    """Return the errors of ``factor`` times the depth of each image of a drive."""
    rows = []
    for frame, depth in zip(drive.frames, motion.depth, strict=True):
        if frame.depth is None:
            raise DataError(f"{frame.image}: no depth beside it (depth_2/); scale needs its truth")
        rows.append(protocol.score(read_depth(frame.depth), np.float32(factor) * depth))
    return rows


def _unscaled(drives: list[Drive], found: list[DriveMotion], factor: float) -> DepthErrors:
    """Return the mean errors of ``factor`` times all depth, no image scaled by itself."""
    fixed = Protocol(scale="none")
    scored = [_score_depth(d, m, fixed, factor) for d, m in zip(drives, found, strict=True)]
    return mean_errors([row for drive in scored for row in drive])


def _rho(depth_scales: NDArray[np.float64], m: DriveMotion, kind: str) -> NDArray[np.float64]:
    """Return rho of each pair of a drive; the depth is that of the pair's earlier image."""
    return ratio(depth_scales[:-1], motion_scales(m.T_true, m.T[kind]))


def _without_truth(found: list[DriveMotion]) -> Alignment:
    """Return how far the pose network's motions are from those that fit the depth."""
    return alignment(np.concatenate([length_ratio(m.T[INITIAL], m.T[INTENSITY]) for m in found]))


def _score_motion(found: list[DriveMotion], kind: str) -> MotionErrors:
    """Return the errors of one kind of motion, means over drives."""
    scales = np.concatenate([motion_scales(m.T_true, m.T[kind]) for m in found])
    one_scale = float(np.nanmedian(scales))
    rows = []
    for m in found:
        truth, path = chain(m.T_true), chain(m.T[kind])
        e = trajectory_errors(truth, path, "7dof", lengths_m=LENGTHS_M)
        path[:, :3, 3] *= one_scale
        drift = (e.t_err_percent, e.r_err_deg_per_100m)
        rows.append((e.ate_m, e.rpe_m, e.rpe_deg, *drift, ate(truth, path)))
    table = np.ma.masked_invalid(np.array(rows))
    return MotionErrors(*(float(x) for x in table.mean(0).filled(np.nan)))


def tables(found: dict[str, Any]) -> str:
    """Return the numbers as Markdown."""
    depths = [
        [name.replace("_", " "), *_cells(row, ("abs_rel", "rmse", "delta1"))]
        for name, row in found["depth"].items()
    ]
    s, free = found["depth_scale"], found["rho_without_truth"]
    said = [
        f"depth scale: median {s['median']:.3f}; spread {s['spread']:.3f}, within drives "
        f"{s['within']:.3f}, across {s['across']:.3f}",
        f"rho without truth ({INITIAL} over {INTENSITY}): median {free['median_rho']:.3f}, "
        f"abs log {free['mean_abs_log_rho']:.3f}",
    ]
    motions = []
    for kind, row in found["odometry"].items():
        aligned = _cells(
            found["alignment"][kind], ("median_rho", "mean_abs_log_rho", "rho_spread")
        )
        refused = f"{found['refused'][kind]:.3f}" if kind in found["refused"] else ""
        motions.append([kind, *aligned, *_cells(row, tuple(row)), refused])
    parts = [table(("depth scaled by", "AbsRel", "RMSE, m", "delta1"), depths), "\n".join(said)]
    return "\n\n".join([*parts, table(MOTION_HEAD, motions)])


def _cells(row: dict[str, float], names: tuple[str, ...]) -> list[str]:
    """Return table cells of three digits."""
    return [f"{row[n]:.3f}" for n in names]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path, help="folder with sequences/NN, depth and poses")
    parser.add_argument("--stride", type=one_or_more, default=1, help="use every n-th drive")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    parser.add_argument("--json", type=Path, help="write all numbers here")


def score(o: argparse.Namespace) -> None:
    """Print the tables, and write the numbers where asked."""
    found = evaluate_motion(o.checkpoint, o.data, o.device, o.stride)
    print(f"{o.data}: {found['drives']} drives, {found['images']} images, ", end="")
    print(f"{found['pairs']} pairs; 80 m cap, no crop\n\n{tables(found)}")
    if o.json:
        write_json(o.json, found)
