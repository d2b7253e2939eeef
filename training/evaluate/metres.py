"""How far from metres depth and path are, by the weights alone and by the camera's height.

    python -m training.evaluate metres data/synth/day_test
    python -m training.evaluate metres KITTI/sequences/06 --camera-height 1.65

Per drive, after ``--after`` seconds: the scale of depth, median over pixels, then frames, and the
length of the path, both against the truth. With ``exact`` depth, where a drive has it, the network
is left out: its true depth, halved, is what the height must put right.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sdepth.alignment.refiner import fixed_refiner
from sdepth.checkpoint import bundled
from sdepth.cli import not_negative, positive
from sdepth.depth.daynight import DAY
from sdepth.depth.estimator import DepthEstimator
from sdepth.errors import DataError
from sdepth.markdown import table
from sdepth.odometry.odometry import Odometry
from sdepth.odometry.pipeline import AlignmentConfig, OdometryPipeline
from sdepth.pipeline import DepthConfig, DepthPipeline, Pipeline, pinhole
from sdepth.scale.ground import find_ground
from sdepth.scale.tracker import CAMERA_HEIGHT, MODEL, ScaleConfig, ScaleTracker
from training.data.drive import Drive, Frame, read_depth
from training.data.open_drive import find_drives, read_drive
from training.evaluate.drive_motion import true_poses

CAP_M = 80.0
HEAD = ("drive", "height, m", "model: depth", "path", "height: depth", "path", "exact depth")


def follow(
    drive: Drive, estimator: DepthEstimator, config: ScaleConfig, after_s: float
) -> tuple[str, str]:
    """Return errors of depth and path, percent, of a drive with the network's depth."""
    pipeline = Pipeline(
        DepthPipeline({DAY: estimator}, DepthConfig(mode=DAY, scale=config)),
        OdometryPipeline(Odometry(refiner=fixed_refiner()), AlignmentConfig()),
    )
    logs, places = [], []
    for frame in drive.frames:
        result = pipeline.process(drive.read(frame), pinhole(drive.camera), frame.stamp_ns)
        seen = result.depth.predicted
        places.append(result.odometry.state.T_world_cam[:3, 3])
        if frame.depth is not None and late(drive, frame, after_s):
            truth = read_depth(frame.depth)
            known = (truth > 0) & (truth < CAP_M)
            logs.append(float(np.median(np.log(seen[known] / truth[known]))))
    since = next(i for i, frame in enumerate(drive.frames) if late(drive, frame, after_s))
    true_m = length(true_poses(drive)[since:, :3, 3])
    depth = f"{percent(np.median(logs)):+.1f}" if logs else "-"
    return depth, f"{percent(np.log(length(np.array(places[since:])) / true_m)):+.1f}"


def follow_exact(drive: Drive, config: ScaleConfig, after_s: float) -> str:
    """Return the error, percent, of the last scale with true depth, halved."""
    tracker = ScaleTracker(config, model_is_metric=False)
    factor = float("nan")
    for frame in drive.frames:
        if frame.depth is None:
            return "-"
        ground = find_ground(read_depth(frame.depth) * np.float32(0.5), drive.camera)
        if ground is not None:
            tracker.observe(config.camera_height_m / ground.height, frame.stamp_ns)
        factor = tracker.at(frame.stamp_ns).factor
        if late(drive, frame, after_s):
            break
    return f"{percent(np.log(factor / 2)):+.1f}"


def late(drive: Drive, frame: Frame, after_s: float) -> bool:
    """Tell whether a frame is so long after the first."""
    return frame.stamp_ns - drive.frames[0].stamp_ns >= after_s * 1e9


def length(places: NDArray[np.float64]) -> float:
    """Return the length of a path (N, 3)."""
    return float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())


def percent(log_ratio: float | np.floating) -> float:
    """Return by how many percent a ratio is above 1."""
    return 100 * float(np.expm1(log_ratio))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("data", type=Path, help="drives with true poses")
    parser.add_argument("--checkpoint", type=Path, default=bundled(DAY))
    parser.add_argument("--camera-height", type=positive, metavar="M", help="default: the drive's")
    parser.add_argument("--after", type=not_negative, default=3.0, metavar="S")


def score(o: argparse.Namespace) -> None:
    """Print the table."""
    estimator = DepthEstimator(o.checkpoint)
    rows = []
    for folder in tqdm(find_drives(o.data), unit="drive"):
        drive = read_drive(folder)
        height = o.camera_height or drive.camera_height_m
        if not height:
            raise DataError(f"{folder}: height of the camera unknown; give --camera-height")
        configs = ScaleConfig(MODEL), ScaleConfig(CAMERA_HEIGHT, camera_height_m=height)
        errors = [e for config in configs for e in follow(drive, estimator, config, o.after)]
        exact = follow_exact(drive, configs[1], o.after)
        rows.append([drive.name, f"{height:.2f}", *errors, exact])
    print(f"{o.data}: errors in percent after {o.after:g} s, cap {CAP_M:g} m")
    print(table(HEAD, rows))
