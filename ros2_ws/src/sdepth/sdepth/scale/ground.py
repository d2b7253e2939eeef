"""The road in a depth image: how high above it the camera is, in the depth's own units."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sdepth.geometry.camera import Camera
from sdepth.shapes import check_shape

Array = NDArray[np.float64]

_COLUMNS, _ROWS = 96, 48  # of the image looked at: plenty for three unknowns
_ASPECT = 2.0  # camera heights to either side: farther out is the pavement
_NEAR_ROWS = 0.5  # share of the rows below the horizon: farther out the road may bend
_MAX_TILT = 0.3  # radians the camera may look up or down, or lean
_SLACKS = (0.4, 0.25, 0.15, 0.1, 0.1, 0.1)  # shares by which 1/z of road may be off, by step
_LEAST_PIXELS = 30


class Ground(NamedTuple):
    """The plane of the road.

    Attributes:
        height: of the camera above it, in the depth's units.
        up: (3,) its normal, in the camera's optical axes.
        share: of the pixels where road could be seen, those that are.
    """

    height: float
    up: Array
    share: float

    def descent(self, camera: Camera) -> Array:
        """Return how far each pixel's ray goes down (H, W), per unit of depth.

        What is at a depth is ``height - depth * descent`` above the plane.

        Args:
            camera: intrinsics of the image.
        """
        x = (np.arange(camera.width, dtype=np.float32) - camera.cx) / camera.fx
        y = (np.arange(camera.height, dtype=np.float32)[:, None] - camera.cy) / camera.fy
        return np.asarray(-(self.up[0] * x + self.up[1] * y + self.up[2]), np.float64)


def find_ground(depth: NDArray[np.float32], camera: Camera) -> Ground | None:
    """Return the plane of the road in front of the camera, or None where none is seen.

    The inverse depth of a plane is linear in the ray: 1/z = (n . r) / h, with n pointing down. Its
    three unknowns are found by least squares over the pixels near ahead, again over those that
    agree, and so on. The search starts with the height at which most of them would lie if the
    camera looked level.

    Args:
        depth: (H, W), any unit; not finite or <= 0 where unknown.
        camera: intrinsics of that image.

    Raises:
        ShapeError: the depth is not of the camera's size.
    """
    found = road_plane(depth, camera)
    if found is None:
        return None
    plane, share = found
    height = 1 / float(np.linalg.norm(plane))
    up = -plane * height
    if -up[1] < np.cos(_MAX_TILT):
        return None  # a wall, or the back of a lorry
    return Ground(height, up, share)


def road_plane(depth: NDArray[np.float32], camera: Camera) -> tuple[Array, float] | None:
    """Return p (3,) of the road, where 1/z = p . ray, and the share of pixels there that agree.

    Args and errors are those of ``find_ground``, whose plane it is before its tilt is looked at.
    """
    check_shape("depth", depth, f"{camera.height} {camera.width}")
    rays, inv_depth = _rays_ahead(depth, camera)
    if len(rays) < _LEAST_PIXELS:
        return None
    plane = np.array([0.0, 1 / _densest(rays[:, 1] / inv_depth), 0.0])
    for slack in _SLACKS:
        expected = rays @ plane
        on = np.abs(inv_depth - expected) < slack * expected
        if on.sum() < _LEAST_PIXELS:
            return None
        plane = np.linalg.lstsq(rays[on], inv_depth[on], rcond=None)[0]
    return plane, float(on.mean())


def _rays_ahead(depth: NDArray[np.float32], camera: Camera) -> tuple[Array, Array]:
    """Return rays (N, 3), z = 1, where the road is near, and the inverse depth (N,) there."""
    rows = slice(None, None, max(1, camera.height // _ROWS))
    columns = slice(None, None, max(1, camera.width // _COLUMNS))
    x = (np.arange(camera.width)[columns] - camera.cx) / camera.fx
    y = (np.arange(camera.height)[rows] - camera.cy) / camera.fy
    below = y > (1 - _NEAR_ROWS) * max(y[-1], 0.0)
    z = depth[rows, columns][below]
    x, y = np.broadcast_arrays(x[None], y[below][:, None])
    use = np.isfinite(z) & (z > 0) & (np.abs(x) < _ASPECT * y)
    return np.stack([x[use], y[use], np.ones(use.sum())], -1), 1 / z[use].astype(np.float64)


def _densest(heights: Array) -> float:
    """Return the mode of the heights, by a histogram of their logs with bins of 0.1."""
    logs = np.log(heights)
    counts, edges = np.histogram(logs, bins=np.arange(logs.min(), logs.max() + 0.2, 0.1))
    peak = int(np.convolve(counts, [1, 2, 1], "same").argmax())
    return float(np.exp(edges[peak] + 0.05))
