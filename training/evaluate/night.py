r"""Score a checkpoint's depth at night where night is hard, and on the same views by day.

    python -m training.evaluate night weights/night.safetensors data/synth/night_test \
        --day data/synth/day_test --json night.json

Errors over all pixels, and inside the masks: without texture, moving, and moving so fast that the
shutter blurs it. Depth: truth up to 80 m, no crop; each image is scaled by the ratio of medians
over the whole image first, and keeps that scale inside the masks; mean over the images that have
30 pixels or more of a mask. NIGHT and DAY are the same drives (``training.synth`` with one seed,
``--frames`` and ``--size``); the masks are those of the night.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from sdepth.cli import one_or_more
from sdepth.depth.estimator import DepthEstimator, DepthMap
from sdepth.errors import DataError
from sdepth.files import write_json
from sdepth.geometry import projection
from sdepth.markdown import table
from sdepth.metrics.depth import DepthErrors, mean_errors
from training.data.drive import (
    BLURRED,
    MOVING,
    TEXTURELESS,
    Drive,
    read_depth,
    read_mask,
)
from training.data.open_drive import find_drives, read_drive
from training.evaluate import Depth, Protocol
from training.evaluate.drive_motion import true_motions, true_poses
from training.losses.consistency import points_apart

ALL = "all"
REGIONS = {"textureless": TEXTURELESS, "blurred": BLURRED, "moving": MOVING}
MIN_PIXELS = 30
"""Fewer pixels of a region are no error of an image."""


@dataclass
class Scores:
    """Errors of one predictor, per region and image, and how it was scaled."""

    rows: dict[str, list[DepthErrors]] = field(default_factory=lambda: {ALL: []})
    pixels: dict[str, int] = field(default_factory=dict)
    scales: list[float] = field(default_factory=list)

    def add(self, truth: Depth, depth: Depth, mask: NDArray[np.uint8], protocol: Protocol) -> None:
        """Score an image: scaled as a whole, the same inside every region."""
        whole = protocol.score(truth, depth)
        self.scales.append(whole.scale)
        known = (truth > protocol.min_m) & (truth < protocol.cap_m)
        self.rows[ALL].append(whole)
        self.pixels[ALL] = self.pixels.get(ALL, 0) + int(known.sum())
        fixed, scaled = (
            dataclasses.replace(protocol, scale="none"),
            np.float32(whole.scale) * depth,
        )
        for name, bit in REGIONS.items():
            inside = known & (mask & bit > 0)
            rows, count = self.rows.setdefault(name, []), int(inside.sum())
            if count >= MIN_PIXELS:
                rows.append(fixed.score(np.where(inside, truth, np.float32(0)), scaled))
                self.pixels[name] = self.pixels.get(name, 0) + count

    def numbers(self) -> dict[str, Any]:
        """Return mean errors per region, with how many images and pixels they are of."""
        found = {}
        for name, rows in self.rows.items():
            errors = dataclasses.asdict(mean_errors(rows)) if rows else {}
            errors.pop("scale", None)  # inside a mask, what is left of the whole image's
            found[name] = {"images": len(rows), "pixels": self.pixels.get(name, 0)} | errors
        return found

    def spread(self) -> dict[str, float]:
        """Return the median scale (truth / estimate), and the deviation of all over it."""
        scales = np.array(self.scales)
        median = float(np.median(scales))
        return {"median": median, "spread": float(np.std(scales / median))}


def evaluate_night(
    checkpoint: Path, night: Path, day: Path, device: str = "auto", stride: int = 1
) -> dict[str, Any]:
    """Return all numbers of a checkpoint over the same drives by night and by day, for JSON.

    ``inconsistency`` is how far the points of neighbouring frames are apart under the true motion,
    as ``projection_loss`` counts it, all depth scaled by one factor.

    Args:
        checkpoint: a .safetensors file with its card.
        night: drives with depth, poses and masks.
        day: the same drives by day.
        device: as ``pick_device`` takes it.
        stride: use every n-th drive.

    Raises:
        DataError: the drives are not the same, or lack depth, poses or masks.
        CheckpointError: the checkpoint cannot be used.
    """
    estimator = DepthEstimator(checkpoint, device, resolution="model")
    scores = {name: Scores() for name in ("night", "day", "constant")}
    protocol, maps = Protocol(), []
    drives = [*same_drives(night, day)][::stride]
    for dark, bright in tqdm(drives, unit="drive", mininterval=1):
        seen = []
        for frame, lit in zip(dark.frames, bright.frames, strict=True):
            if frame.depth is None or frame.mask is None:
                raise DataError(f"{frame.image}: no depth_2/ or mask_2/ beside it; render it anew")
            truth, mask = read_depth(frame.depth), read_mask(frame.mask)
            depth = estimator.predict(dark.read(frame), dark.camera)
            by_day = estimator.predict(bright.read(lit), bright.camera)
            flat = np.full_like(depth.depth, 15.0)
            for name, one in (("night", depth.depth), ("day", by_day.depth), ("constant", flat)):
                scores[name].add(truth, one, mask, protocol)
            seen.append(depth)
        maps.append(seen)
    scale = {name: scores[name].spread() for name in ("night", "day")}
    apart = [
        inconsistency(seen, true_motions(dark), scale["night"]["median"])
        for seen, (dark, _) in zip(maps, drives, strict=True)
    ]
    return {
        "checkpoint": str(checkpoint),
        "sha256": estimator.card.sha256,
        "data": str(night),
        "day_data": str(day),
        "drives": len(drives),
        "images": len(scores["night"].scales),
        **{name: found.numbers() for name, found in scores.items()},
        "scale": scale,
        "inconsistency": float(np.mean(np.concatenate(apart))),
    }


def same_drives(night: Path, day: Path) -> Iterator[tuple[Drive, Drive]]:
    """Yield each drive by night and by day.

    Raises:
        DataError: they are not of the same views.
    """
    folders, others = find_drives(night), find_drives(day)
    if [f.name for f in folders] != [f.name for f in others]:
        raise DataError(f"{night}: {len(folders)} drives, {day}: {len(others)}, by other names")
    for folder, other in zip(folders, others, strict=True):
        dark, bright = read_drive(folder), read_drive(other)
        here, there = true_poses(dark), true_poses(bright)
        same = here.shape == there.shape and np.allclose(here, there, atol=1e-3)
        if not same or dark.camera != bright.camera:
            raise DataError(
                f"{folder} and {other}: not the same drive; render both with the same --seed, "
                "--sequences, --frames and --size, and another --domain"
            )
        yield dark, bright


@torch.no_grad()
def inconsistency(
    seen: list[DepthMap], T_later_earlier: NDArray[np.float64], scale: float
) -> NDArray[np.float64]:
    """Return, per pair of a drive's neighbouring frames, how far their points are apart, 0..1."""
    K = torch.from_numpy(seen[0].camera.K).float()[None]
    points = [
        projection.unproject(scale * torch.from_numpy(m.depth.copy())[None, None], K) for m in seen
    ]
    pairs = []
    for i, T in enumerate(T_later_earlier):
        T_other_now = torch.from_numpy(T).float()[None]
        distance, visible = points_apart(points[i], points[i + 1], T_other_now, K)
        pairs.append(float(distance[visible].mean()))
    return np.array(pairs)


def tables(found: dict[str, Any]) -> str:
    """Return the numbers as Markdown."""
    rows = []
    for name in ("night", "day", "constant"):
        for region, row in found[name].items():
            values = [f"{row[k]:.3f}" if k in row else "" for k in ("abs_rel", "rmse", "delta1")]
            rows.append([name, region, *values, row["images"], row["pixels"]])
    head = ["images", "pixels of", "AbsRel", "RMSE, m", "delta1", "images", "pixels"]
    lines = [table(head, rows)]
    for name, s in found["scale"].items():
        lines += ["", f"scale by {name}: median {s['median']:.3f}, spread {s['spread']:.3f}"]
    lines += ["", f"points of neighbouring frames apart at night: {found['inconsistency']:.3f}"]
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("night", type=Path, help="test drives by night: sequences/NN")
    parser.add_argument("--day", type=Path, required=True, help="the same drives by day")
    parser.add_argument("--stride", type=one_or_more, default=1, help="use every n-th drive")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    parser.add_argument("--json", type=Path, help="write all numbers here")


def score(o: argparse.Namespace) -> None:
    """Print the table, and write the numbers where asked."""
    found = evaluate_night(o.checkpoint, o.night, o.day, o.device, o.stride)
    print(f"{o.night} and {o.day}: {found['drives']} drives, {found['images']} images each")
    print(f"80 m cap, no crop, scaled by the median of each whole image\n\n{tables(found)}")
    if o.json:
        write_json(o.json, found)
