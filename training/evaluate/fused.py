"""Score depth fused with the frames before against the network's own, along whole drives.

python -m training.evaluate fused data/synth/day_test
python -m training.evaluate fused KITTI/sequences/06 --truth stereo.npz --protocol kitti-stereo

As odometry_node fuses it: by the motion that it finds itself, beside the same by the true motion.
Depth is scaled as the protocol says; inside masks (``night`` has them) with the image's scale.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sdepth.checkpoint import bundled
from sdepth.cli import one_or_more
from sdepth.depth.estimator import DepthEstimator
from sdepth.depth.parallax import FusedDepth, Parallax
from sdepth.errors import DataError
from sdepth.files import write_json
from sdepth.markdown import table
from sdepth.metrics.depth import DepthErrors, mean_errors
from sdepth.odometry.odometry import Odometry
from sdepth.odometry.pipeline import AlignmentConfig, OdometryPipeline, load_odometry
from sdepth.threads import torch_threads
from training.data.drive import Drive, read_depth, read_mask
from training.data.open_drive import find_drives, read_drive
from training.data.split import find_frames
from training.evaluate.drive_motion import true_poses
from training.evaluate.examples import Depth, read_truth
from training.evaluate.night import ALL, REGIONS, Scores
from training.evaluate.protocols import find, record
from training.evaluate.scoring import Protocol
from training.evaluate.side_by_side import Row, write_sheet

NETWORK, OWN, TRUE = "network", "fused", "fused, true motion"
SHOWN = 8
"""Examples on the sheet."""
Truth = Depth | Path
"""Depth (H, W), metres, 0 where unknown; or the PNG that holds it."""


@dataclass
class Rows:
    """Errors of one predictor: by the protocol, inside masks; and in metres, per image."""

    scores: Scores = field(default_factory=Scores)
    metres: list[DepthErrors] = field(default_factory=list)
    told: list[float] = field(default_factory=list)

    def add(
        self, truth: Depth, seen: FusedDepth, mask: NDArray[np.uint8], protocol: Protocol
    ) -> None:
        """Score an image."""
        self.scores.add(truth, seen.depth, mask, protocol)
        self.metres.append(replace(protocol, scale="none").score(truth, seen.depth))
        self.told.append(seen.told)

    def numbers(self) -> dict[str, Any]:
        """Return mean errors, for JSON."""
        metres = asdict(mean_errors(self.metres))
        return {"regions": self.scores.numbers(), "metres": metres, "told": np.mean(self.told)}


@dataclass
class Fusing:
    """What fuses a drive, and how long it took."""

    estimator: DepthEstimator
    odometry: Odometry
    config: AlignmentConfig
    ms: list[float] = field(default_factory=list)

    def depths(self, drive: Drive) -> Iterator[tuple[NDArray[np.uint8], dict[str, FusedDepth]]]:
        """Yield each image with its depths by predictor; by true motion where that is known."""
        pipeline = OdometryPipeline(self.odometry, self.config)
        moved = all(f.T_world_cam is not None for f in drive.frames) and len(drive.frames) > 1
        truly, poses = Parallax(), true_poses(drive) if moved else None
        for i, frame in enumerate(drive.frames):
            image = drive.read(frame)
            seen = self.estimator.predict(image, drive.camera)
            view = image, drive.camera, seen.depth
            result = pipeline.process(*view, frame.stamp_ns, small=seen.seen)
            own = pipeline.fuse(*view, result)
            found = {NETWORK: FusedDepth(seen.depth, 0.0), OWN: own}
            if poses is not None:
                start = time.perf_counter()
                most = self.config.max_depth_m
                found[TRUE] = truly.update(image, seen.depth, drive.camera, poses[i], most)
                self.ms.append(1e3 * (time.perf_counter() - start))
            yield image, found


def truths(drives: list[Drive], folders: list[Path], path: Path | None) -> dict[Path, Truth]:
    """Return the truth of each image of drives that has one.

    Args:
        drives: in ``folders``.
        folders: where they are.
        path: an .npz (``read_truth``) that names its images; None for the drives' own.

    Raises:
        DataError: no image has any, or the file does not name its images.
    """
    known: dict[Path, Truth]
    if path is None:
        known = {f.image: f.depth for drive in drives for f in drive.frames if f.depth}
    else:
        file = read_truth(path)
        if len(file.lines) != len(file.data):
            raise DataError(f"{path}: does not name its images; make it with training.data."
                            "export_truth")  # fmt: skip
        found = find_frames(folders, file.lines, path)
        known = {d.frames[i].image: file[k] for k, (d, i) in enumerate(found)}
    if not known:
        raise DataError("no image has depth (depth_2/); give --truth FILE.npz")
    return known


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("data", type=Path, help="drives")
    parser.add_argument("--checkpoint", type=Path, default=bundled("day"))
    parser.add_argument("--truth", type=Path, help=".npz by data.export_truth")
    parser.add_argument("--protocol", default="synth", help="id (default: synth)")
    parser.add_argument("--features", default="fixed", choices=("fixed", "learned"),
        help="that odometry aligns frames by (%(default)s)")  # fmt: skip
    parser.add_argument("--stride", type=one_or_more, default=1, help="score every n-th frame")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    parser.add_argument("--sheet", type=Path, help="write a PNG: image, depths, truth")


def score(o: argparse.Namespace) -> None:
    """Print the table, and write the files asked for."""
    protocol = find(o.protocol)
    folders = find_drives(o.data)
    drives = [read_drive(folder) for folder in folders]
    known = truths(drives, folders, o.truth)
    config = AlignmentConfig(features=o.features)
    odometry = load_odometry(config, o.checkpoint, "cpu")
    fusing = Fusing(DepthEstimator(o.checkpoint, "cpu"), odometry, config)
    rows: dict[str, Rows] = {}
    sheet: list[Row] = []
    every, images = max(1, len(known) // o.stride // SHOWN), 0
    with torch_threads(1):
        for image, seen, truth, mask in _scored(fusing, drives, known, o.stride):
            for name, one in seen.items():
                rows.setdefault(name, Rows()).add(truth, one, mask, protocol)
            images += 1
            if (images + every // 2) % every == 0:
                sheet.append((image, *(one.depth for one in seen.values()), truth))
    numbers = {name: r.numbers() for name, r in rows.items()}
    print(f"{o.data}: {images} images, {o.features} features\n{protocol.describe()}\n")
    print(_table(numbers))
    if fusing.ms:
        print(f"\nfusing: {np.median(fusing.ms):.1f} ms a frame, one thread")
    if o.json:
        write_json(o.json, {"data": str(o.data), "images": images, "features": o.features,
            "protocol": record(protocol), "predictors": numbers})  # fmt: skip
    if o.sheet:
        write_sheet(o.sheet, sheet, titles=("image", *rows, "truth"))


def _scored(
    fusing: Fusing, drives: list[Drive], known: dict[Path, Truth], stride: int
) -> Iterator[tuple[NDArray[np.uint8], dict[str, FusedDepth], Depth, NDArray[np.uint8]]]:
    """Yield image, depths, truth and mask of every ``stride``-th image that has truth."""
    for drive in tqdm(drives, unit="drive", mininterval=1):
        wanted = {f.image for f in [f for f in drive.frames if f.image in known][::stride]}
        for frame, (image, seen) in zip(drive.frames, fusing.depths(drive), strict=True):
            if frame.image not in wanted:
                continue
            truth = known[frame.image]
            truth = read_depth(truth) if isinstance(truth, Path) else truth
            mask = np.zeros(truth.shape, np.uint8) if not frame.mask else read_mask(frame.mask)
            yield image, seen, truth, mask


def _table(numbers: dict[str, dict[str, Any]]) -> str:
    """Return AbsRel and d1 as Markdown, also in metres and inside masks."""
    masked = [r for r in REGIONS if numbers[NETWORK]["regions"].get(r, {}).get("images")]
    head = ["depth", "AbsRel", "d1", "AbsRel, metres", "d1, metres", *masked, "told"]
    lines = []
    for name, found in numbers.items():
        regions, metres = found["regions"], found["metres"]
        cells = [regions[ALL]["abs_rel"], regions[ALL]["delta1"]]
        cells += [metres["abs_rel"], metres["delta1"]]
        cells += [regions[region]["abs_rel"] for region in masked]
        lines.append([name, *(f"{cell:.3f}" for cell in cells), f"{100 * found['told']:.0f} %"])
    return table(head, lines)
