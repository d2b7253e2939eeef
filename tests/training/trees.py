"""Tiny data sets, each in the form its makers publish it in."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

ROBOTCAR_MODEL = """983.044006 983.044006 643.646973 493.378998
0.000000 -0.000000 1.000000 0.000000
1.000000 0.000000 -0.000000 0.000000
0.000000 1.000000 0.000000 0.000000
0.000000 0.000000 0.000000 1.000000
"""


def pictures(count: int, size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Return smooth random images of (height, width), RGB."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
    return [np.asarray(cv2.resize(n, size[::-1], interpolation=cv2.INTER_CUBIC)) for n in noise]


def mosaic(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what a sensor behind a G B over R G pattern sees of an image."""
    raw = rgb[..., 1].copy()
    raw[0::2, 1::2] = rgb[0::2, 1::2, 2]
    raw[1::2, 0::2] = rgb[1::2, 0::2, 0]
    return raw


def write_robotcar(
    root: Path, images: list[NDArray[np.uint8]], model: str = ROBOTCAR_MODEL, bulge: float = 0.0
) -> tuple[Path, Path]:
    """Return a traversal at 16 Hz, 0.5 m ahead per frame, and its models; the LUT shifts by bulge.

    Every undistorted pixel (x, y) lies at (x + bulge, y) in the raw image.
    """
    traversal, models = root / "2014-12-16-18-44-24", root / "models"
    for folder in (traversal / "stereo/left", traversal / "vo", models):
        folder.mkdir(parents=True)
    stamps = [1418757162925551 + 62_500 * i for i in range(len(images))]
    for stamp, image in zip(stamps, images, strict=True):
        cv2.imwrite(str(traversal / f"stereo/left/{stamp}.png"), mosaic(image))
    (traversal / "stereo.timestamps").write_text("".join(f"{stamp} 1\n" for stamp in stamps))
    rows = [f"{b},{a},0.5,0,0,0,0,0" for a, b in pairwise(stamps)]
    head = "source_timestamp,destination_timestamp,x,y,z,roll,pitch,yaw"
    (traversal / "vo/vo.csv").write_text("\n".join([head, *rows]) + "\n")
    (models / "stereo_wide_left.txt").write_text(model)
    height, width = images[0].shape[:2]
    v, u = np.mgrid[:height, :width].astype(np.float64)
    np.stack([u + bulge, v]).tofile(models / "stereo_wide_left_distortion_lut.bin")
    return traversal, models
