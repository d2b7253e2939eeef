"""Follow drives with learned and with fixed features: how far off, how often lost, how fast.

python -m training.evaluate drive_odometry data/synth/night_test
python -m training.evaluate drive_odometry KITTI/sequences/06 --depth predicted

Depth is the drive's own (``true``), which leaves motion alone to err, or the checkpoint's.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from sdepth.alignment.refiner import fixed_refiner
from sdepth.checkpoint import bundled
from sdepth.cli import one_or_more
from sdepth.depth.estimator import DepthEstimator
from sdepth.engines import AUTO, ENGINES, PRECISIONS
from sdepth.errors import DataError
from sdepth.files import write_json
from sdepth.markdown import table
from sdepth.metrics.trajectory import trajectory_errors
from sdepth.odometry.odometry import Odometry
from training.data.drive import Drive, read_depth
from training.data.open_drive import find_drives, read_drive
from training.evaluate.drive_motion import true_poses


@dataclass(frozen=True)
class Row:
    """Over all drives: errors of the path, frames not followed, time per frame."""

    length_mean_percent: float
    length_worst_percent: float
    ate_m: float
    ate_7dof_m: float
    not_ok: int
    median_ms: float


def follow(
    odometry: Odometry, drive: Drive, estimator: DepthEstimator | None
) -> tuple[np.ndarray, int, list[float]]:
    """Return T_world_cam (N, 4, 4), frames that were not ok, and milliseconds per frame.

    Raises:
        DataError: a frame has no true depth, and none is to be predicted.
    """
    odometry.reset()
    poses, not_ok, times = [], 0, []
    for frame in drive.frames:
        image = drive.read(frame)
        if estimator is not None:
            depth = estimator.predict(image, drive.camera).depth
        elif frame.depth is not None:
            depth = read_depth(frame.depth)
        else:
            raise DataError(f"{frame.image}: no depth beside it; give --depth predicted")
        start = time.perf_counter()
        state = odometry.update(image, depth, drive.camera, frame.stamp_ns)
        times.append(1e3 * (time.perf_counter() - start))
        poses.append(state.T_world_cam)
        not_ok += state.tracking != "ok"
    return np.stack(poses), not_ok, times


def measure(odometry: Odometry, drives: list[Drive], estimator: DepthEstimator | None) -> Row:
    """Return the table's row.

    Raises:
        DataError: a drive has no true poses.
    """
    lengths, ate, ate_7dof, bad = [], [], [], 0
    times: list[float] = []
    for drive in tqdm(drives, unit="drive", leave=False):
        truth = true_poses(drive)
        path, not_ok, ms = follow(odometry, drive, estimator)
        true_m, found_m = (
            np.linalg.norm(np.diff(p[:, :3, 3], axis=0), axis=1).sum() for p in (truth, path)
        )
        lengths.append(100 * abs(found_m / true_m - 1))
        ate.append(trajectory_errors(truth, path, "none").ate_m)
        ate_7dof.append(trajectory_errors(truth, path, "7dof").ate_m)
        bad, times = bad + not_ok, times + ms
    length, ate_m, ate_7dof_m = (float(np.mean(x)) for x in (lengths, ate, ate_7dof))
    return Row(length, max(lengths), ate_m, ate_7dof_m, bad, float(np.median(times)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("data", type=Path, help="drives with true poses")
    parser.add_argument("--checkpoint", type=Path, default=bundled("day"))
    parser.add_argument("--depth", choices=("true", "predicted"), default="true")
    parser.add_argument(
        "--threads", type=one_or_more, default=1, help="as odometry_node (%(default)s)"
    )
    parser.add_argument("--engine", choices=(AUTO, *ENGINES), default="torch",
                        help="of odometry's networks (%(default)s)")  # fmt: skip
    parser.add_argument("--precision", choices=(AUTO, *PRECISIONS), default="fp32",
                        help="of odometry's networks (%(default)s)")  # fmt: skip
    parser.add_argument("--json", type=Path)


def score(o: argparse.Namespace) -> None:
    """Print the table, and write the numbers where asked."""
    torch.set_num_threads(o.threads)
    drives = [read_drive(folder) for folder in find_drives(o.data)]
    estimator = DepthEstimator(o.checkpoint) if o.depth == "predicted" else None
    fixed = fixed_refiner()
    how = {"engine": o.engine, "precision": o.precision}
    rows = {
        "the checkpoint's": measure(Odometry(o.checkpoint, **how), drives, estimator),
        "fixed": measure(Odometry(o.checkpoint, refiner=fixed, **how), drives, estimator),
    }
    print(f"{o.data}: {len(drives)} drives, {o.depth} depth, {o.threads} threads")
    head = ["features", "path length off, mean", "worst", "ATE, m", "7-DoF", "not ok", "ms"]
    cells = []
    for name, r in rows.items():
        off = f"{r.length_mean_percent:.2f} %", f"{r.length_worst_percent:.2f} %"
        ate = f"{r.ate_m:.3f}", f"{r.ate_7dof_m:.3f}"
        cells.append([name, *off, *ate, r.not_ok, f"{r.median_ms:.1f}"])
    print(table(head, cells))
    if o.json:
        write_json(o.json, {k: asdict(r) for k, r in rows.items()})
