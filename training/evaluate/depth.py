"""Errors of a checkpoint's depth, beside those of predictors that look at no image."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sdepth.engines import PRECISIONS
from sdepth.errors import ConfigError
from sdepth.estimator import DepthEstimator
from sdepth.metrics import DepthErrors, mean_errors
from training.evaluate.examples import Depth, Example, read_examples
from training.protocols import find, record
from training.scoring import Protocol, shrunk
from training.sheet import write_sheet

METRICS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")
CONSTANT_M = 15.0
SHOWN = 8
"""Examples kept for the sheet: a test set does not fit into memory."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path, help="folder with sequences/NN, or raw drives")
    parser.add_argument(
        "--protocol", default="synth", help="id (default: synth); `protocols` lists"
    )
    parser.add_argument("--split", type=Path, help="the protocol's test list, one image a line")
    parser.add_argument("--truth", type=Path, help=".npz by training.export_truth, or a folder")
    parser.add_argument("--scale", choices=["median", "none"], help="none: judge metres")
    parser.add_argument("--prior", type=Path, help="training drives, for the per-pixel baseline")
    parser.add_argument("--stride", type=int, default=1, help="score every n-th frame")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32",
        help="of the network (%(default)s); others in the fastest engine here")  # fmt: skip
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    parser.add_argument("--sheet", type=Path, help="write a PNG: image, depth, truth")


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
    checkpoint: Path,
    examples: Iterator[Example],
    protocol: Protocol,
    prior: Depth | None,
    engine: str = "torch",
    precision: str = "fp32",
) -> tuple[dict[str, DepthErrors], list[tuple[Example, Depth]], NDArray[np.float64]]:
    """Return mean errors per predictor, examples with their depth, and each image's scale.

    Args:
        checkpoint: a .safetensors file with its card.
        examples: of the whole images; those that come back are cut to the protocol's view, at
            most ``SHOWN`` of them, evenly spread.
        protocol: how they are scored.
        prior: depth (h, w) that takes part as "per-pixel mean", or None.
        engine: as ``DepthEstimator`` takes it; so is ``precision``.
        precision: likewise.

    Raises:
        DataError: an image has no truth that counts, or a size that is not the protocol's.
        CheckpointError: the checkpoint cannot be used.
    """
    estimator = DepthEstimator(checkpoint, "auto", "model", engine, precision)
    size = estimator.card.input_size
    errors: dict[str, list[DepthErrors]] = {checkpoint.stem: [], "constant": []}
    if prior is not None:
        errors["per-pixel mean"] = []
    seen: list[tuple[Example, Depth]] = []
    every = 1
    for i, whole in enumerate(tqdm(examples, unit="image", mininterval=1)):
        example = Example(*protocol.look(whole.image, whole.camera, whole.truth))
        image = shrunk(example.image, size, protocol.shrink)
        depth = estimator(image, example.camera.resized(size[1], size[0])).depth
        errors[checkpoint.stem].append(protocol.score(example.truth, depth))
        constant = np.full_like(depth, CONSTANT_M)
        errors["constant"].append(protocol.score(example.truth, constant))
        if prior is not None:
            errors["per-pixel mean"].append(protocol.score(example.truth, prior))
        if i % every == 0:
            seen.append((example, depth))
        if len(seen) > SHOWN:
            seen, every = seen[::2], 2 * every
    scales = np.array([row.scale for row in errors[checkpoint.stem]])
    return {name: mean_errors(rows) for name, rows in errors.items()}, seen, scales


def table(rows: dict[str, DepthErrors]) -> str:
    """Return the rows as Markdown."""
    lines = ["| predictor | " + " | ".join(METRICS) + " |", "|---" * 8 + "|"]
    for name, row in rows.items():
        cells = " | ".join(f"{getattr(row, metric):.3f}" for metric in METRICS)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def score(o: argparse.Namespace) -> None:
    """Print the protocol and the table, and write the files asked for."""
    protocol = find(o.protocol)
    if o.scale:
        protocol = dataclasses.replace(protocol, scale=o.scale)
    if o.stride < 1:
        raise ConfigError(f"--stride {o.stride}: expected 1 or more")
    prior = pixel_prior(o.prior, (96, 320), protocol.cap_m) if o.prior else None
    examples = read_examples(o.data, o.truth, o.stride, o.split)
    engine = "torch" if o.precision == "fp32" else "auto"
    rows, seen, scales = evaluate(o.checkpoint, examples, protocol, prior, engine, o.precision)
    spread = {"median": float(np.median(scales)), "std": float(np.std(scales / np.median(scales)))}
    print(f"{o.data}: {len(scales)} images\n{protocol.describe()}\nsource: {protocol.source}")
    print(f"network in {o.precision}")
    if protocol.images not in (0, len(scales)):
        print(
            f"{len(scales)} of the {protocol.images} images of {protocol.split}: not to be set "
            "beside published rows"
        )
    print(f"\n{table(rows)}\n")
    print(f"scale truth / estimate: median {spread['median']:.3f}, std {spread['std']:.3f}")
    if o.json:
        found = {
            "data": str(o.data),
            "images": len(scales),
            "precision": o.precision,
            "protocol": record(protocol),
            "errors": {name: dataclasses.asdict(row) for name, row in rows.items()},
            "scale": spread,
        }
        o.json.write_text(json.dumps(found, indent=2) + "\n")
    if o.sheet:
        write_sheet(o.sheet, [(example.image, d, example.truth) for example, d in seen])
