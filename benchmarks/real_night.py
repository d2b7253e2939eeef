"""Look at real nights: the night weights beside the day weights, on eleven frames of RobotCar.

python -m benchmarks.real_night NIGHT_ROBOTCAR --sheet sheet.png --json night_robotcar.json

One frame has sparse true disparity: depth by both weights and by a constant is scored on it,
scaled by the ratio of medians, up to 50 m. One frame decides nothing: it is a sanity check.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.camera import Camera
from sdepth.checkpoint import bundled
from sdepth.cli import make_parser, run
from sdepth.colorize import colorize
from sdepth.errors import DataError
from sdepth.estimator import DepthEstimator
from training.data.drive import DEPTH_SCALE, image_files, read_image
from training.scoring import Protocol

CAMERA = Camera(983.044, 983.044, 643.647, 493.379, 1280, 820)
"""The left of the wide stereo pair, rectified, its lowest 140 rows cut off."""
BASELINE_M = 0.239983
PROTOCOL = Protocol(cap_m=50.0)
CONSTANT_M = 15.0


def read_truth(path: Path) -> NDArray[np.float32]:
    """Return depth (820, 1280), metres, 0 where unknown, of a disparity PNG (pixels x 256).

    Raises:
        DataError: no such image.
    """
    coded = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if coded is None:
        raise DataError(f"{path}: no image; expected the night sample's stereo/disp_GT")
    disparity = coded.astype(np.float32) / DEPTH_SCALE
    depth = CAMERA.fx * BASELINE_M / np.maximum(disparity, 1e-3)
    return np.where(disparity > 0, depth, 0).astype(np.float32)


def brightened(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image so that one can see it."""
    return np.asarray(255 * (image / 255) ** 0.5, np.uint8)


def look(o: argparse.Namespace) -> None:
    """Print the table and write what is asked for."""
    frames = image_files(o.folder / "left_sequence")
    if not frames:
        raise DataError(f"{o.folder}: no left_sequence/*.png; expected the night sample")
    estimators = {
        name: DepthEstimator(path) for name, path in (("day", o.day), ("night", o.night))
    }
    rows, errors = [], {}
    for frame in frames:
        image = read_image(frame)
        maps = {name: estimate(image, CAMERA).depth for name, estimate in estimators.items()}
        truth = o.folder / "stereo" / "disp_GT" / frame.name
        if truth.is_file():
            flat = np.full(image.shape[:2], CONSTANT_M, np.float32)
            known, judged = read_truth(truth), {**maps, "constant": flat}
            errors = {name: PROTOCOL.score(known, depth) for name, depth in judged.items()}
        colored = [colorize(depth, 1.0, 50.0) for depth in maps.values()]
        panels = [brightened(image)[..., ::-1], *colored]
        rows.append(np.hstack([cv2.resize(p, (400, 256)) for p in panels]))
    print(f"{o.folder}: one frame, 50 m cap, no crop, median scaling; a sanity check")
    for name, row in errors.items():
        print(f"{name:9} AbsRel {row.abs_rel:.3f}  RMSE {row.rmse:.2f} m  delta1 {row.delta1:.3f}")
    if o.json:
        found = {name: dataclasses.asdict(row) for name, row in errors.items()}
        o.json.write_text(
            json.dumps({"data": o.folder.name, "images": 1, "errors": found}, indent=2)
        )
    if o.sheet:
        cv2.imwrite(str(o.sheet), np.vstack(rows))


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m benchmarks.real_night", __doc__)
    parser.add_argument("folder", type=Path, help="the night sample: left_sequence/, stereo/")
    parser.add_argument("--day", type=Path, default=bundled("day"), help="checkpoint")
    parser.add_argument("--night", type=Path, default=bundled("night"), help="checkpoint")
    parser.add_argument(
        "--sheet", type=Path, help="write a PNG: image, day weights, night weights"
    )
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    options = parser.parse_args(args)
    return run(parser.prog, lambda: look(options))


if __name__ == "__main__":
    sys.exit(main())
