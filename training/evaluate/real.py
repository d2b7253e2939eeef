"""Scores on every set of real images at hand, for a table or while a network trains.

    from training.evaluate.predictors import of_network
    from training.evaluate.real import watch
    from training.evaluate.real_sets import load_sets

    sets, _ = load_sets(Path("../shared/data"))
    scores = watch(sets, of_network(net, (96, 320), (1.0, 120.0), 1.055))  # seconds; every N steps
    scores["KITTI 06"].abs_rel, scores["KITTI 06"].abs_rel_metres

KITTI 06 may choose among checkpoints. The other sets are only to report: whoever stops a training
by them has trained on them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sdepth.alignment.refiner import fixed_refiner
from sdepth.checkpoint import read_card
from sdepth.cli import one_or_more
from sdepth.errors import ConfigError, DataError
from sdepth.files import write_json
from sdepth.markdown import table
from sdepth.metrics.depth import DepthErrors
from sdepth.odometry.odometry import Odometry
from training.data.drive import Drive
from training.data.kitti_odometry import read_poses
from training.data.open_drive import read_drive
from training.evaluate.baselines import CONSTANT, FLAT_GROUND, PER_PIXEL, pixel_prior
from training.evaluate.depth import judge
from training.evaluate.page import fill
from training.evaluate.predictors import Predictor, of_checkpoint
from training.evaluate.real_sets import CACHE, RealSet, load_sets
from training.evaluate.scoring import Depth, Protocol, resized

PATHS = {"PandaSet 002": "open_driving/pandaset_002_front", "KITTI 06": "kitti_odom/sequences/06"}
"""Drives with true poses, whose length odometry is to find."""
RUN = "weights"
"""What every training calls its checkpoint."""
Scores = dict[str, "RealScore"]


@dataclass(frozen=True)
class RealScore:
    """Errors on a set: scaled by the median, and in metres as they are."""

    abs_rel: float
    delta1: float
    abs_rel_metres: float
    delta1_metres: float

    @classmethod
    def of(cls, scaled: DepthErrors, metres: DepthErrors) -> RealScore:
        """Return what is shown of both."""
        return cls(scaled.abs_rel, scaled.delta1, metres.abs_rel, metres.delta1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="(%(default)s)")
    parser.add_argument("--stride", type=one_or_more, default=3,
        help="take every n-th pair of a stereo sequence (%(default)s)")  # fmt: skip
    parser.add_argument("--prior", type=Path, help="training drives, for the per-pixel baseline")
    parser.add_argument("--no-paths", action="store_true", help="leave odometry out: 5 s a drive")
    parser.add_argument("--cache", type=Path, default=CACHE, help="of stereo truth (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    parser.add_argument("--page", type=Path, help="write the tables between the marks of a page")


def watch(sets: Sequence[RealSet], predict: Predictor) -> Scores:
    """Return a predictor's scores by name of the set."""
    return {one.name: scores(one, {"": predict})[""] for one in sets}


def scores(
    one: RealSet, predictors: Mapping[str, Predictor], prior: Depth | None = None
) -> Scores:
    """Return the scores on a set by predictor, those that look at no image last.

    Args:
        one: the set.
        predictors: by name.
        prior: depth (h, w) that takes part as "per-pixel mean", or None.
    """
    found = judge(predictors, one.examples, one.protocol, prior)
    return {name: RealScore.of(row, found.metres[name]) for name, row in found.rows.items()}


def path_length(drive: Drive, length_m: float, predict: Predictor) -> float:
    """Return the length of the path that odometry finds with a predictor's depth, over the true.

    Features are the fixed ones and there is no pose network, so that depth alone makes the scale.

    Args:
        drive: consecutive frames.
        length_m: of the true path.
        predict: gives the depth.
    """
    odometry, positions = Odometry(refiner=fixed_refiner()), []
    height, width = drive.camera.height, drive.camera.width
    for frame in drive.frames:
        image = drive.read(frame)
        depth = resized(predict.of_image(image, drive.camera), (height, width), "inv_depth")
        state = odometry.update(image, depth, drive.camera, frame.stamp_ns)
        positions.append(state.T_world_cam[:3, 3])
    return _length(np.stack(positions)) / length_m


def read_path(folder: Path) -> tuple[Drive, float]:
    """Return a drive and the length of its true path, metres.

    Raises:
        DataError: the drive is damaged or has no poses.
    """
    drive, beside = read_drive(folder), folder / "poses.txt"
    poses = [frame.T_world_cam for frame in drive.frames]
    if beside.is_file():
        poses = list(read_poses(beside, len(drive.frames)))
    known = [T[:3, 3] for T in poses if T is not None]
    if len(known) < len(drive.frames):
        raise DataError(f"{folder}: {len(known)} poses for {len(drive.frames)} images")
    return drive, _length(np.stack(known))


def _length(positions: np.ndarray) -> float:
    """Return the length of a path through positions (N, 3)."""
    return float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum())


def measure(
    checkpoints: Sequence[Path],
    data: Path,
    stride: int,
    cache: Path,
    prior: Path | None,
    paths: bool,
) -> dict[str, Any]:
    """Return all numbers, ready for JSON.

    Args:
        checkpoints: to score.
        data: as ``load_sets`` takes it; so are ``stride`` and ``cache``.
        stride: likewise.
        cache: likewise.
        prior: training drives, for the per-pixel mean, or None.
        paths: whether odometry follows the drives of ``PATHS``.

    Raises:
        DataError: no set is at hand, or one is damaged.
        CheckpointError: a checkpoint cannot be used.
    """
    predictors = {name: of_checkpoint(path) for name, path in _named(checkpoints).items()}
    sets, missing = load_sets(data, stride, cache)
    if not sets:
        raise DataError(f"{data}: no real images with truth ({'; '.join(missing.values())})")
    mean = None if prior is None else pixel_prior(prior, (96, 320), Protocol.cap_m)
    found: dict[str, Any] = {
        "weights": {n: read_card(path).sha256 for n, path in _named(checkpoints).items()},
        "sets": {},
        "missing": missing,
        "path_length": {},
    }
    for one in sets:
        rows = {name: asdict(row) for name, row in scores(one, predictors, mean).items()}
        about = {"truth": one.truth, "images": len(one.examples), "may_choose": one.may_choose}
        about["protocol"] = one.protocol.describe()
        found["sets"][one.name] = {**about, "errors": rows}
    for name, place in PATHS.items() if paths else ():
        if (data / place).is_dir():
            drive, length_m = read_path(data / place)
            ratios = {n: path_length(drive, length_m, p) for n, p in predictors.items()}
            found["path_length"][name] = {"true_m": length_m, "ratio": ratios}
        else:
            missing[f"path of {name}"] = f"no {data / place}"
    return found


def _named(checkpoints: Sequence[Path]) -> dict[str, Path]:
    """Return checkpoints by the shortest name that tells them apart: their own, or with folder."""
    names = [path.stem for path in checkpoints]
    if len(set(names)) < len(names) or RUN in names:
        names = [f"{path.resolve().parent.name}/{path.stem}" for path in checkpoints]
    if len(set(names)) < len(names):
        raise ConfigError(f"checkpoints {', '.join(map(str, checkpoints))}: two have one name")
    return dict(zip(names, checkpoints, strict=True))


def tables(found: dict[str, Any]) -> str:
    """Return the numbers as Markdown: AbsRel scaled / in metres / share within 25 %, scaled."""
    known = {name for one in found["sets"].values() for name in one["errors"]}
    trivial = [name for name in (PER_PIXEL, FLAT_GROUND, CONSTANT) if name in known]
    names = [*found["weights"], *trivial]
    rows = []
    for name, one in found["sets"].items():
        cells = [_cell(one["errors"].get(predictor)) for predictor in names]
        rows.append([name + " *" * one["may_choose"], one["truth"], one["images"], *cells])
    sets = table(["set", "truth", "images", *names], rows)
    if not found["path_length"]:
        return sets
    names = list(found["weights"])
    rows = [
        [name, f"{one['true_m']:.1f}", *(f"{one['ratio'][n]:.3f}" for n in names)]
        for name, one in found["path_length"].items()
    ]
    return f"{sets}\n\n{table(['path', 'true, m', *names], rows)}"


def _cell(row: dict[str, float] | None) -> str:
    """Return a score in short."""
    if row is None:
        return ""
    return f"{row['abs_rel']:.3f} / {row['abs_rel_metres']:.3f} / {row['delta1']:.2f}"


def score(o: argparse.Namespace) -> None:
    """Print the tables, and write the files asked for."""
    found = measure(o.checkpoints, o.data, o.stride, o.cache, o.prior, not o.no_paths)
    print("AbsRel by median scaling / in metres as they are / share within 25 %, scaled")
    print(f"every {o.stride}. pair of stereo sequences; * may choose among checkpoints\n")
    print(tables(found))
    for name, why in found["missing"].items():
        print(f"left out: {name}: {why}")
    if o.json:
        write_json(o.json, found)
    if o.page:
        fill(o.page, "real", tables(found))
