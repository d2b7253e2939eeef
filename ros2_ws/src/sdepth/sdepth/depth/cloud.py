"""Depth and colour into an organised, coloured point cloud, laid out as PointCloud2 wants it.

And which of its points are left out by their height.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.errors import ConfigError
from sdepth.geometry.camera import Camera
from sdepth.scale.ground import Ground
from sdepth.shapes import check_shape

_LEVEL_HEIGHT_M = 1.5  # of a camera whose road is not seen


def xyzrgb_cloud(
    depth: NDArray[np.float32], image: NDArray[np.uint8], camera: Camera, stride: int = 1
) -> NDArray[np.float32]:
    """Return points (h, w, 4) float32: x, y, z in metres, and a colour packed into the fourth.

    Convention: x right, y down, z forward (REP 103 "_optical"). The colour's four bytes are B, G,
    R, 0 (0x00RRGGBB as uint32), which is what RViz and PCL call ``rgb``. A pixel without a finite
    positive depth has NaN in x, y and z.

    Args:
        depth: (H, W) metres along z.
        image: (., ., 3) uint8 RGB, of the depth's size or another; a point has the colour of the
            nearest pixel.
        camera: intrinsics of the depth image.
        stride: take every so many-th row and column.

    Raises:
        ShapeError: depth is not of the camera's size.
        ConfigError: the stride is less than 1.
    """
    if stride < 1:
        raise ConfigError(f"cloud stride {stride}: expected 1 or more")
    check_shape("depth", depth, f"{camera.height} {camera.width}")
    check_shape("image", image, "h w 3")
    z = depth[::stride, ::stride]
    z = np.where((z > 0) & (z < np.inf), z, np.float32(np.nan))  # also NaN, which compares false
    x_rays, y_rays = _rays(camera, stride)
    cloud = np.empty((*z.shape, 4), np.float32)
    np.multiply(x_rays, z, out=cloud[..., 0])
    np.multiply(y_rays, z, out=cloud[..., 1])
    cloud[..., 2] = z
    pixels = cv2.remap(image, *_nearest(image.shape[:2], depth.shape, stride), cv2.INTER_NEAREST)
    _pack(cloud, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGRA))
    return cloud


def color_by_height(cloud: NDArray[np.float32], road: Ground | None, high_m: float) -> None:
    """Give points, in place, a colour by their height: blue on the road, red ``high_m`` above it.

    Args:
        cloud: (h, w, 4), as ``xyzrgb_cloud`` makes it.
        road: heights count from it; None: from 1.5 m below the camera, if that looks level.
        high_m: metres.
    """
    road = road or Ground(_LEVEL_HEIGHT_M, np.array([0.0, -1.0, 0.0]), 0.0)
    share = np.clip(height_above(cloud, road) / np.float32(high_m), 0, 1)
    levels = np.nan_to_num(share * 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)
    _pack(cloud, cv2.cvtColor(colours, cv2.COLOR_BGR2BGRA))


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


def _pack(cloud: NDArray[np.float32], bgra: NDArray[np.uint8]) -> None:
    """Put colours (h, w, 4) into the fourth value of the points."""
    np.bitwise_and(bgra.view(np.uint32)[..., 0], 0x00FFFFFF, out=cloud.view(np.uint32)[..., 3])


@lru_cache(maxsize=4)
def _nearest(
    size: tuple[int, int], wanted: tuple[int, int], stride: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return columns and rows (h, w) of the pixels nearest to those taken of another size.

    Args:
        size: (height, width) of the image.
        wanted: of the depth.
        stride: every so many-th row and column of it.
    """
    v, u = (
        np.floor((np.arange(0, want, stride) + 0.5) * have / want).astype(np.float32)
        for have, want in zip(size, wanted, strict=True)
    )
    columns, rows = np.meshgrid(u, v)
    return columns, rows


@lru_cache(maxsize=4)
def _rays(camera: Camera, stride: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return x/z (1, w) and y/z (h, 1) of the pixels taken."""
    u = np.arange(0, camera.width, stride)
    v = np.arange(0, camera.height, stride)
    x_rays = ((u - camera.cx) / camera.fx).astype(np.float32)[None, :]
    y_rays = ((v - camera.cy) / camera.fy).astype(np.float32)[:, None]
    return x_rays, y_rays
