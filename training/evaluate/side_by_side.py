"""Pictures of results: image, depths and truth side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.depth.colorize import colorize

Row = Sequence[NDArray[Any]]
_HEAD = 18


def write_sheet(
    path: Path, rows: Sequence[Row], width: int = 480, titles: Sequence[str] = ()
) -> None:
    """Write a PNG with one row per (image, depth, ..., truth), depths scaled to truth's median.

    Args:
        path: of the PNG.
        rows: image (H, W, 3) RGB, depths (h, w), truth (H, W) with 0 where unknown, metres.
        width: of each picture, pixels.
        titles: of the columns, if any.
    """
    strips = [_head(titles, width)] if titles else []
    for image, *depths, truth in rows:
        height = round(width * image.shape[0] / image.shape[1])
        known = (truth > 0) & (truth < 80)
        # Sparse truth is thickened so that it can be seen.
        shown = truth if known.mean() > 0.3 else cv2.dilate(truth, np.ones((5, 5), np.uint8))
        color = colorize(shown, 1.0, 80.0)
        color[shown <= 0] = 0
        panels = [image[..., ::-1], *(_colored(d, truth, known) for d in depths), color]
        strips.append(np.hstack([cv2.resize(p, (width, height)) for p in panels]))
    cv2.imwrite(str(path), np.vstack(strips))


def _colored(
    depth: NDArray[np.float32], truth: NDArray[np.float32], known: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return a depth in colours (H, W, 3), at the size and median of the truth."""
    depth = np.asarray(cv2.resize(depth, truth.shape[::-1]), np.float32)
    return colorize(depth * np.median(truth[known]) / np.median(depth[known]), 1.0, 80.0)


def _head(titles: Sequence[str], width: int) -> NDArray[np.uint8]:
    """Return a strip with the names of the columns."""
    strip = np.full((_HEAD, width * len(titles), 3), 255, np.uint8)
    for i, title in enumerate(titles):
        at = (i * width + 4, _HEAD - 5)
        cv2.putText(strip, title, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return strip
