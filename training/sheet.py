"""Pictures of results: image, depth and truth side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.colorize import colorize

Row = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]


def write_sheet(path: Path, rows: Sequence[Row], width: int = 480) -> None:
    """Write a PNG with one row per (image, depth, truth); depth is scaled to the truth's median.

    Args:
        path: of the PNG.
        rows: image (H, W, 3) RGB, depth (h, w), truth (H, W) with 0 where unknown, metres.
        width: of each picture, pixels.
    """
    strips = []
    for image, depth, truth in rows:
        height = round(width * image.shape[0] / image.shape[1])
        depth = np.asarray(cv2.resize(depth, truth.shape[::-1]), np.float32)
        known = (truth > 0) & (truth < 80)
        depth = depth * np.median(truth[known]) / np.median(depth[known])
        # Sparse truth is thickened so that it can be seen.
        shown = truth if known.mean() > 0.3 else cv2.dilate(truth, np.ones((5, 5), np.uint8))
        color = colorize(shown, 1.0, 80.0)
        color[shown <= 0] = 0
        panels = (image[..., ::-1], colorize(depth, 1.0, 80.0), color)
        strips.append(np.hstack([cv2.resize(p, (width, height)) for p in panels]))
    cv2.imwrite(str(path), np.vstack(strips))
