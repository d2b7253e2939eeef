"""Filters of depth and clouds: flying pixels at edges, sky, range, height bands."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.geometry.camera import Camera
from sdepth.scale.ground import Ground
from sdepth.shapes import check_shape

Depth = NDArray[np.float32]
_EDGE_RAD = 0.0052
"""Half the angle within which a surface ends: a pixel of the networks' 320 columns."""


def drop_edges(depth: Depth, share: float, window: int = 3) -> Depth:
    """Return depth (H, W) with NaN at discontinuities, where a pixel mixes two surfaces.

    A pixel jumps where the farthest of its neighbourhood is farther than the nearest by more than
    ``share`` of it; beside one without depth (NaN) it does not. Slanted surfaces change, too: the
    road at distance z, seen from height h with focal length f (pixels), by 2 z / (f h) of it in a
    neighbourhood of 3, so 0.2 to 0.5 is a sensible share.

    Args:
        depth: metres.
        share: of the nearest depth; 0 for no change.
        window: rows and columns of the neighbourhood, an odd number.
    """
    check_shape("depth", depth, "H W")
    if share <= 0:
        return depth
    unknown, square = np.isnan(depth), np.ones((window, window), np.uint8)
    holes = bool(unknown.any())
    near = cv2.erode(np.where(unknown, np.float32(np.inf), depth) if holes else depth, square)
    far = cv2.dilate(np.where(unknown, np.float32(-np.inf), depth) if holes else depth, square)
    far *= np.float32(1 / (1 + share))
    found = depth.copy()
    np.copyto(found, np.nan, where=far > near)
    return found


def edge_window(camera: Camera) -> int:
    """Return the neighbourhood of ``drop_edges`` in which a network's edges end.

    Their width is an angle: resized to a large image, an edge is a slope of many pixels, of which
    no two differ much.
    """
    return 1 + 2 * max(1, round(_EDGE_RAD * camera.fx))


def within(depth: Depth, min_m: float, max_m: float) -> Depth:
    """Return depth with -Inf where nearer than a range, metres, and +Inf where farther (REP 117).

    NaN stays.
    """
    found = np.where(depth > max_m, np.float32(np.inf), depth)
    np.copyto(found, -np.inf, where=found < min_m)  # in place: half the time
    return found


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


def drop_above_road(cloud: NDArray[np.float32], road: Ground | None, high_m: float) -> None:
    """Make x, y and z NaN, in place, where a point is higher above the road than ``high_m``.

    Sky that a network takes for a surface goes, whichever way the camera looks.

    Args:
        cloud: (h, w, 4), as ``xyzrgb_cloud`` makes it.
        road: seen in the same depth; None for no change.
        high_m: metres.
    """
    if road is not None:
        cloud[height_above(cloud, road) > high_m, :3] = np.nan


def height_above(cloud: NDArray[np.float32], road: Ground) -> NDArray[np.float32]:
    """Return the heights (h, w) of a cloud's points (h, w, 4) above the road, metres."""
    check_shape("cloud", cloud, "h w 4")
    return cloud[..., :3] @ road.up.astype(np.float32) + np.float32(road.height)


def to_millimetres(depth: Depth) -> NDArray[np.uint16]:
    """Return depth in whole millimetres, 0 where unknown or out of range (REP 118, 16UC1)."""
    known = (depth > 0) & (depth < 65.535)  # compares false with NaN and Inf
    return np.where(known, depth * np.float32(1000) + np.float32(0.5), 0).astype(np.uint16)
