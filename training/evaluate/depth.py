"""Errors of a checkpoint's depth, beside those of predictors that look at no image."""

from __future__ import annotations

import argparse
import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sdepth.cli import one_or_more, positive
from sdepth.engines import PRECISIONS
from sdepth.files import write_json
from sdepth.markdown import table
from sdepth.metrics.depth import DepthErrors, mean_errors
from training.evaluate.baselines import KITTI_HEIGHT_M, baselines, pixel_prior
from training.evaluate.examples import Depth, Example, read_examples
from training.evaluate.predictors import Predictor, of_checkpoint
from training.evaluate.protocols import find, record
from training.evaluate.scoring import Protocol
from training.evaluate.side_by_side import write_sheet

METRICS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")
IN_METRES = ("abs_rel", "delta1")
"""What is also counted without scaling."""
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
    parser.add_argument("--truth", type=Path, help=".npz by data.export_truth, or a folder")
    parser.add_argument("--scale", choices=["median", "none"], help="none: judge metres")
    parser.add_argument("--prior", type=Path, help="training drives, for the per-pixel baseline")
    parser.add_argument("--camera-height", type=positive, metavar="M",
        help="above the road, for the "
        "flat-ground baseline (default: the drives' own, 1.65 for KITTI)")  # fmt: skip
    parser.add_argument("--stride", type=one_or_more, default=1, help="score every n-th frame")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32",
        help="of the network (%(default)s); others in the fastest engine here")  # fmt: skip
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    parser.add_argument("--sheet", type=Path, help="write a PNG: image, depth, truth")


class Evaluation(NamedTuple):
    """What was found.

    Attributes:
        rows: mean errors per predictor, by the protocol.
        seen: examples with their depth, at most ``SHOWN`` of them, evenly spread.
        scales: of each image, median truth over median estimate.
        metres: mean errors per predictor without scaling.
    """

    rows: dict[str, DepthErrors]
    seen: list[tuple[Example, Depth]]
    scales: NDArray[np.float64]
    metres: dict[str, DepthErrors]


def evaluate(
    checkpoint: Path,
    examples: Iterable[Example],
    protocol: Protocol,
    prior: Depth | None,
    engine: str = "torch",
    precision: str = "fp32",
    height_m: float | None = None,
) -> Evaluation:
    """Return the errors of a checkpoint, beside those of predictors that look at no image.

    Args:
        checkpoint: a .safetensors file with its card.
        examples: as ``judge`` takes them; so are ``protocol``, ``prior`` and ``height_m``.
        protocol: likewise.
        prior: likewise.
        engine: as ``DepthEstimator`` takes it; so is ``precision``.
        precision: likewise.
        height_m: likewise.

    Raises:
        DataError: as ``judge`` does.
        CheckpointError: the checkpoint cannot be used.
    """
    judged = {checkpoint.stem: of_checkpoint(checkpoint, engine, precision)}
    examples = tqdm(examples, unit="image", mininterval=1)
    return judge(judged, examples, protocol, prior, height_m)


def judge(
    predictors: Mapping[str, Predictor],
    examples: Iterable[Example],
    protocol: Protocol,
    prior: Depth | None = None,
    height_m: float | None = None,
) -> Evaluation:
    """Return the errors of predictors by name, beside those that look at no image.

    Args:
        predictors: one or more; the first one's depth and scales come back.
        examples: of the whole images; those that come back are cut to the protocol's view.
        protocol: how they are scored.
        prior: depth (h, w) that takes part as "per-pixel mean", or None.
        height_m: as ``baselines`` takes it.

    Raises:
        DataError: an image has no truth that counts, or a size that is not the protocol's.
    """
    errors: dict[str, list[DepthErrors]] = defaultdict(list)
    metres: dict[str, list[DepthErrors]] = defaultdict(list)
    in_metres = dataclasses.replace(protocol, scale="none")
    first = next(iter(predictors))
    seen: list[tuple[Example, Depth]] = []
    every = 1
    for i, whole in enumerate(examples):
        example = whole.cut(protocol)
        judged = {name: predict(example, protocol) for name, predict in predictors.items()}
        for name, estimate in {**judged, **baselines(example, prior, height_m)}.items():
            errors[name].append(protocol.score(example.truth, estimate))
            metres[name].append(in_metres.score(example.truth, estimate))
        if i % every == 0:
            seen.append((example, judged[first]))
        if len(seen) > SHOWN:
            seen, every = seen[::2], 2 * every
    scales = np.array([row.scale for row in errors[first]])
    rows, rows_metres = (
        {name: mean_errors(found) for name, found in of.items() if len(found) == len(scales)}
        for of in (errors, metres)
    )
    return Evaluation(rows, seen, scales, rows_metres)


def errors_table(
    rows: dict[str, DepthErrors], metres: dict[str, DepthErrors] | None = None
) -> str:
    """Return the rows as Markdown, with errors in metres beside scaled ones where given."""
    head = [*METRICS, *(f"{metric}, metres" for metric in IN_METRES if metres)]
    lines = []
    for name, row in rows.items():
        cells = [getattr(row, metric) for metric in METRICS]
        cells += [getattr(metres[name], metric) for metric in IN_METRES] if metres else []
        lines.append([name, *(f"{cell:.3f}" for cell in cells)])
    return table(["predictor", *head], lines)


def height_of(o: argparse.Namespace, protocol: Protocol) -> float | None:
    """Return the camera's height, metres: as asked for, of KITTI's car, or None (the drives')."""
    of_kitti = KITTI_HEIGHT_M if protocol.id.startswith("kitti") else None
    return of_kitti if o.camera_height is None else float(o.camera_height)


def score(o: argparse.Namespace) -> None:
    """Print the protocol and the table, and write the files asked for."""
    protocol = find(o.protocol)
    if o.scale:
        protocol = dataclasses.replace(protocol, scale=o.scale)
    prior = pixel_prior(o.prior, (96, 320), protocol.cap_m) if o.prior else None
    examples = read_examples(o.data, o.truth, o.stride, o.split)
    engine = "torch" if o.precision == "fp32" else "auto"
    found = evaluate(
        o.checkpoint, examples, protocol, prior, engine, o.precision, height_of(o, protocol)
    )
    scales, both = found.scales, protocol.scale == "median"
    spread = {"median": float(np.median(scales)), "std": float(np.std(scales / np.median(scales)))}
    print(f"{o.data}: {len(scales)} images\n{protocol.describe()}\nsource: {protocol.source}")
    print(f"network in {o.precision}")
    if protocol.images not in (0, len(scales)):
        print(
            f"{len(scales)} of the {protocol.images} images of {protocol.split}: not to be set "
            "beside published rows"
        )
    print(f"\n{errors_table(found.rows, found.metres if both else None)}\n")
    print(f"scale truth / estimate: median {spread['median']:.3f}, std {spread['std']:.3f}")
    if o.json:
        text = {
            "data": str(o.data),
            "images": len(scales),
            "precision": o.precision,
            "protocol": record(protocol),
            "errors": {name: dataclasses.asdict(row) for name, row in found.rows.items()},
            "metres": {name: dataclasses.asdict(row) for name, row in found.metres.items()},
            "scale": spread,
        }
        write_json(o.json, text)
    if o.sheet:
        write_sheet(o.sheet, [(example.image, d, example.truth) for example, d in found.seen])
