"""Depth without what would be wrong in a map: flying pixels at edges, what is out of range."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.shapes import check_shape

Depth = NDArray[np.float32]


def drop_edges(depth: Depth, share: float) -> Depth:
    """Return depth (H, W) with NaN where it jumps: no surface is there, but a pixel between two.

    A pixel jumps where the farthest of its 3x3 neighbourhood is farther than the nearest by more
    than ``share`` of it. Slanted surfaces change, too: the road at distance z, seen from height h
    with focal length f (pixels), by 2 z / (f h) of it, so 0.2 to 0.5 is a sensible share.

    Args:
        depth: metres, finite.
        share: of the nearest depth; 0 for no change.
    """
    check_shape("depth", depth, "H W")
    if share <= 0:
        return depth
    window = np.ones((3, 3), np.uint8)
    near, far = cv2.erode(depth, window), cv2.dilate(depth, window)
    return np.where(far > near * np.float32(1 + share), np.float32(np.nan), depth)


def within(depth: Depth, min_m: float, max_m: float, beyond: float = np.inf) -> Depth:
    """Return depth with -Inf where nearer than the range and ``beyond`` where farther (REP 117).

    Args:
        depth: metres; NaN stays.
        min_m: nearest.
        max_m: farthest.
        beyond: what stands for "no return in range": inf, NaN, or a number.
    """
    depth = np.where(depth > max_m, np.float32(beyond), depth)
    return np.where(depth < min_m, np.float32(-np.inf), depth)


def within_height(cloud: NDArray[np.float32], low_m: float, high_m: float) -> None:
    """Make x, y and z NaN, in place, where a point is not in a band of heights above the camera.

    Height is along the image's columns, so it is true where the camera looks level.

    Args:
        cloud: (h, w, 4), as ``xyzrgb_cloud`` makes it; y is down.
        low_m: lowest height, metres; negative below the camera.
        high_m: highest.
    """
    check_shape("cloud", cloud, "h w 4")
    down = cloud[..., 1]
    outside = (down > -low_m) | (down < -high_m)  # false for NaN, which stays as it is
    if outside.any():
        cloud[outside, :3] = np.nan


def to_millimetres(depth: Depth) -> NDArray[np.uint16]:
    """Return depth in whole millimetres, 0 where unknown or out of range (REP 118, 16UC1)."""
    known = (depth > 0) & (depth < 65.535)  # compares false with NaN and Inf
    return np.where(known, depth * np.float32(1000) + np.float32(0.5), 0).astype(np.uint16)
