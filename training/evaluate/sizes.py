"""Scores of a checkpoint at several sizes of its input, beside the time each takes here.

    python -m training.evaluate sizes weights/day.safetensors --rendered data/synth/day_test

A size that the network was not trained for may lose what its pixels would gain.
"""

from __future__ import annotations

import argparse
import shutil
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from sdepth.checkpoint import read_card, write_card
from sdepth.cli import image_size
from sdepth.depth.estimator import DepthEstimator
from sdepth.errors import ConfigError
from sdepth.markdown import table
from training.evaluate.curve import add_sets, read_sets, score_sets
from training.evaluate.predictors import of_checkpoint

SIZES = ("320x96", "416x128", "512x160", "640x192")
ROUNDS = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="WxH", help="multiples of 32")
    add_sets(parser)
    parser.add_argument("--png", type=Path, help="draw AbsRel over milliseconds")


def score(o: argparse.Namespace) -> None:
    """Print a row per size: AbsRel by median scaling on each set, and milliseconds an image.

    Raises:
        DataError: there is nothing to score on.
        ConfigError: a size the network cannot take.
    """
    sets, rendered = read_sets(o)
    with TemporaryDirectory() as folder:
        paths = {size: at_size(o.checkpoint, size, Path(folder)) for size in o.sizes}
        scores = {
            size: {name: s["abs_rel"] for name, s in found.items()}
            for size, path in tqdm(paths.items(), unit="size")
            for found in [score_sets(of_checkpoint(path), sets, rendered)]
        }
        times = times_ms([DepthEstimator(path, engine="auto") for path in paths.values()])
    names = list(next(iter(scores.values())))
    rows = [
        [size, *(f"{found[name]:.3f}" for name in names), f"{ms:.1f}"]
        for (size, found), ms in zip(scores.items(), times, strict=True)
    ]
    print(table(["input", *names, "ms"], rows))
    if o.png:
        plot(o.png, scores, times)


def at_size(checkpoint: Path, size: str, folder: Path) -> Path:
    """Return a copy, in a folder, of a checkpoint whose input has another size (WxH)."""
    height, width = image_size(size)
    if min(height, width) < 64 or height % 32 or width % 32:
        raise ConfigError(f"--sizes {size}: expected multiples of 32 from 64 on, as 416x128")
    path = folder / f"{size}.safetensors"
    shutil.copyfile(checkpoint, path)
    write_card(path, replace(read_card(checkpoint), input_size=(height, width)))
    return path


def times_ms(estimators: list[DepthEstimator]) -> list[float]:
    """Return the median time of a black image in each, milliseconds; they take turns."""
    times: list[list[float]] = [[] for _ in estimators]
    for _ in range(ROUNDS):
        for estimator, taken in zip(estimators, times, strict=True):
            since = time.perf_counter()
            estimator.warm_up()
            taken.append(1e3 * (time.perf_counter() - since))
    return [float(np.median(t)) for t in times]


def plot(path: Path, scores: dict[str, dict[str, float]], times: list[float]) -> None:
    """Write a PNG: AbsRel of each set over milliseconds, a point per size."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for name in next(iter(scores.values())):
        axes.plot(times, [found[name] for found in scores.values()], "o-", ms=4, label=name)
    for size, ms in zip(scores, times, strict=True):
        axes.annotate(size, (ms, 0.01), rotation=90, fontsize=8, ha="center")
    axes.set(xlabel="milliseconds an image", ylabel="AbsRel", ylim=(0, None))
    axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    figure.savefig(path, dpi=110)
