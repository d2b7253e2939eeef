"""Does confidence say how often depth is right? Shares within 25 % of the truth, by confidence.

python -m training.evaluate confidence data/synth/day_test
python -m training.evaluate confidence data/synth/night_test --mode night

Every ``--every``th image; each is scaled by the ratio of medians; truth up to 80 m, no crop.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sdepth.checkpoint import bundled
from sdepth.cli import one_or_more
from sdepth.depth.confidence import mirror_confidence
from sdepth.depth.daynight import DAY, NIGHT
from sdepth.depth.estimator import DepthEstimator
from sdepth.errors import DataError
from sdepth.markdown import table
from training.data.drive import read_depth
from training.data.open_drive import find_drives, read_drive

CAP_M = 80.0
BOUNDS = (0.0, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("data", type=Path, help="drives with true depth")
    parser.add_argument("--mode", choices=(DAY, NIGHT), default=DAY, help="whose weights")
    parser.add_argument("--every", type=one_or_more, default=10, metavar="N")


def score(o: argparse.Namespace) -> None:
    """Print the table."""
    estimator = DepthEstimator(bundled(o.mode))
    sure, right = [], []
    for folder in tqdm(find_drives(o.data), unit="drive"):
        drive = read_drive(folder)
        for frame in drive.frames[:: o.every]:
            if frame.depth is None:
                raise DataError(f"{frame.image}: no depth beside it")
            image, truth = drive.read(frame), read_depth(frame.depth)
            seen = estimator.predict(image, drive.camera)
            known = (truth > 0) & (truth < CAP_M)
            ratio = seen.depth[known] / truth[known]
            ratio /= np.median(ratio)
            right.append(np.maximum(ratio, 1 / ratio) < 1.25)
            sure.append(mirror_confidence(seen, estimator, image, drive.camera)[known])
    all_sure, all_right = np.concatenate(sure), np.concatenate(right)
    print(f"{o.data}, {o.mode} weights: {100 * all_right.mean():.1f} % within 25 %")
    rows = []
    for low, high in pairwise(BOUNDS):
        chosen = (all_sure >= low) & (all_sure < high + (high == 1))
        share = f"{100 * all_right[chosen].mean():.0f}" if chosen.any() else "-"
        rows.append([f"{low:g} to {high:g}", f"{100 * chosen.mean():.0f}", share])
    print(table(["confidence", "pixels, %", "within 25 %, %"], rows))
