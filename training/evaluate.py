r"""Score a checkpoint's depth against truth, beside the trivial baselines.

    python -m training.evaluate weights/day.safetensors data/synth/day_test --prior data/synth/day
    python -m training.evaluate runs/day/weights.safetensors data/synth/day_test --scale none
    python -m training.evaluate weights/day.safetensors KITTI/2011_09_26/DRIVE --crop garg \
        --truth gt_depths.npz --cap 80 --sheet kitti.png

--truth takes an .npz with data (N, H, W), metres, 0 where unknown, and frames (N,), image numbers.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sdepth.camera import Camera
from sdepth.cli import make_parser, run
from sdepth.errors import DataError
from sdepth.estimator import DepthEstimator
from sdepth.metrics import DepthErrors, depth_errors, garg_crop, mean_errors
from training.data.drive import find_drives, read_depth, read_drive, read_image
from training.sheet import write_sheet

Depth = NDArray[np.float32]


@dataclass(frozen=True)
class Protocol:
    """How depth is compared; numbers of two protocols must not stand in one table.

    Order: mask min < truth < cap (and crop), scale by the ratio of medians, clamp, score, average
    over images. Source: Godard et al. 2019, evaluation code's convention.
    """

    min_m: float = 1e-3
    cap_m: float = 80.0
    crop: str = "none"
    scale: str = "median"

    def score(self, truth: Depth, estimate: Depth) -> DepthErrors:
        """Return the errors of one image; ``estimate`` is resized to the truth."""
        height, width = truth.shape
        if estimate.shape != truth.shape:
            inv_depth = cv2.resize(1 / estimate, (width, height))
            estimate = np.asarray(1 / inv_depth, np.float32)
        if self.crop == "garg":
            truth = np.where(garg_crop(height, width), truth, 0).astype(np.float32)
        return depth_errors(truth, estimate, self.min_m, self.cap_m, self.scale)


@dataclass(frozen=True)
class Example:
    """An image with its camera and true depth (H, W), metres, 0 where unknown."""

    image: NDArray[np.uint8]
    camera: Camera
    truth: Depth


def read_examples(root: Path, truth: Path | None, stride: int) -> Iterator[Example]:
    """Yield every ``stride``-th frame that has truth.

    Raises:
        DataError: nothing to score, or the truth names frames that are not there.
    """
    found = False
    for folder in find_drives(root):
        drive = read_drive(folder)
        if truth is not None:
            known = np.load(truth)
            by_number = {int(frame.image.stem): frame for frame in drive.frames}
            pairs = list(zip(known["frames"].tolist(), known["data"], strict=True))
            for number, depth in pairs[::stride]:
                if number not in by_number:
                    raise DataError(f"{truth}: frame {number} is not in {folder}")
                found = True
                yield Example(read_image(by_number[number].image), drive.camera, depth)
            continue
        for frame in [f for f in drive.frames if f.depth][::stride]:
            found = True
            assert frame.depth is not None
            yield Example(read_image(frame.image), drive.camera, read_depth(frame.depth))
    if not found:
        raise DataError(f"{root}: no frame has depth (depth_2/); give --truth FILE.npz")


def pixel_prior(root: Path, size: tuple[int, int], cap_m: float, stride: int = 5) -> Depth:
    """Return the mean depth (height, width) of each pixel over the drives of ``root``, metres."""
    height, width = size
    total, count = np.zeros(size), np.zeros(size)
    for example in read_examples(root, None, stride):
        depth = cv2.resize(example.truth, (width, height), interpolation=cv2.INTER_NEAREST)
        known = (depth > 0) & (depth < cap_m)
        total += np.where(known, depth, 0)
        count += known
    mean = total / np.maximum(count, 1)
    return np.where(count > 0, mean, cap_m).astype(np.float32)


def evaluate(
    checkpoint: Path, examples: Iterator[Example], protocol: Protocol, prior: Depth | None
) -> tuple[dict[str, DepthErrors], list[tuple[Example, Depth]], NDArray[np.float64]]:
    """Return mean errors per predictor, the depths, and each scale truth / estimate."""
    estimator = DepthEstimator(checkpoint, resolution="model")
    errors: dict[str, list[DepthErrors]] = {checkpoint.stem: [], "constant": []}
    if prior is not None:
        errors["per-pixel mean"] = []
    seen: list[tuple[Example, Depth]] = []
    for example in tqdm(examples, unit="image", mininterval=1):
        depth = estimator(example.image, example.camera).depth
        errors[checkpoint.stem].append(protocol.score(example.truth, depth))
        constant = np.full_like(depth, 15.0)
        errors["constant"].append(protocol.score(example.truth, constant))
        if prior is not None:
            errors["per-pixel mean"].append(protocol.score(example.truth, prior))
        seen.append((example, depth))
    median = dataclasses.replace(protocol, scale="median")
    scales = np.array([median.score(e.truth, d).scale for e, d in seen])
    return {name: mean_errors(rows) for name, rows in errors.items()}, seen, scales


def table(rows: dict[str, DepthErrors]) -> str:
    """Return the rows as Markdown."""
    names = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")
    lines = ["| predictor | " + " | ".join(names) + " |", "|---" * 8 + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{getattr(row, n):.3f}" for n in names) + " |")
    return "\n".join(lines)


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.evaluate", __doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path, help="folder with sequences/NN, or one drive")
    parser.add_argument("--truth", type=Path, help=".npz of depths, for drives without depth_2/")
    parser.add_argument("--prior", type=Path, help="training drives, for the per-pixel baseline")
    parser.add_argument("--cap", type=float, default=80.0, help="metres (default: 80)")
    parser.add_argument("--crop", choices=["none", "garg"], default="none")
    parser.add_argument("--scale", choices=["median", "none"], default="median")
    parser.add_argument("--stride", type=int, default=1, help="score every n-th frame")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    parser.add_argument("--sheet", type=Path, help="write a PNG: image, depth, truth")
    options = parser.parse_args(args)
    return run(parser.prog, lambda: score(options))


def score(o: argparse.Namespace) -> None:
    """Print the table, and write the files asked for."""
    protocol = Protocol(cap_m=o.cap, crop=o.crop, scale=o.scale)
    prior = pixel_prior(o.prior, (96, 320), o.cap) if o.prior else None
    examples = read_examples(o.data, o.truth, o.stride)
    rows, seen, scales = evaluate(o.checkpoint, examples, protocol, prior)
    spread = {"median": float(np.median(scales)), "std": float(np.std(scales / np.median(scales)))}
    print(f"{o.data}: {len(seen)} images, {o.cap:g} m cap, crop {o.crop}, scaling {o.scale}")
    print("(mask, scale, clamp, score each image, average over images)")
    print(table(rows))
    print(f"scale truth / estimate: median {spread['median']:.3f}, std {spread['std']:.3f}")
    if o.json:
        found = {
            "data": str(o.data),
            "images": len(seen),
            "protocol": dataclasses.asdict(protocol),
            "errors": {name: dataclasses.asdict(row) for name, row in rows.items()},
            "scale": spread,
        }
        o.json.write_text(json.dumps(found, indent=2) + "\n")
    if o.sheet:
        picks = np.linspace(0, len(seen) - 1, min(8, len(seen))).astype(int)
        write_sheet(o.sheet, [(seen[i][0].image, seen[i][1], seen[i][0].truth) for i in picks])


if __name__ == "__main__":
    sys.exit(main())
