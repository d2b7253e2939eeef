"""Depth from two rectified cameras: semi-global matching, kept where both cameras agree."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.errors import ConfigError, DataError
from sdepth.shapes import check_shape
from training.data.open_drive import read_drive

DISPARITIES = 96
"""So many pixels a near thing may be shifted: KITTI's pair sees from 4 m on."""
LEAST_PX = 5.0
"""Smallest disparity that counts: half a pixel, as matching may err, is a tenth of the depth."""
_BLOCK, _SLACK_PX, _ROW_PX = 5, 1.0, 1.0


def match(
    left: NDArray[np.uint8], right: NDArray[np.uint8], disparities: int = DISPARITIES
) -> NDArray[np.float32]:
    """Return disparity (H, W), pixels, 0 where unknown.

    Each image is matched to the other, and a pixel counts where the two agree within a pixel. That
    leaves out what one camera alone sees, and most of what is matched by chance in the dark. The
    left edge, ``disparities`` wide, is unknown: there near things lie outside the right image.

    Args:
        left: RGB (H, W, 3), rectified.
        right: of the same size: a thing is in the same row, farther left.
        disparities: tried, from 0; a multiple of 16.

    Raises:
        ShapeError: the images differ in size.
        ConfigError: not a multiple of 16, or more than the image is wide.

    Source: Hirschmueller 2008, as OpenCV has it.
    """
    size = check_shape("left", left, "H W 3")
    check_shape("right", right, f"{size['H']} {size['W']} 3")
    if disparities < 16 or disparities % 16 or disparities >= size["W"]:
        raise ConfigError(
            f"disparities {disparities}: expected a multiple of 16 below the width {size['W']}"
        )
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (left, right)]
    smooth = (8 * _BLOCK**2, 32 * _BLOCK**2)
    matcher = cv2.StereoSGBM.create(0, disparities, _BLOCK, *smooth, 1, 63, 10, 100, 2)
    found = matcher.compute(grey[0], grey[1]).astype(np.float32) / 16
    # The other way round OpenCV would leave out the right edge, which the left image needs.
    mirrored = (image[:, ::-1] for image in grey[::-1])
    wide = [
        cv2.copyMakeBorder(image, 0, 0, disparities, 0, cv2.BORDER_REPLICATE) for image in mirrored
    ]
    back = matcher.compute(wide[0], wide[1])[:, : disparities - 1 : -1].astype(np.float32) / 16
    v, u = np.indices(found.shape)
    there = np.rint(u - found).astype(int).clip(0, size["W"] - 1)
    agree = (found > 0) & (np.abs(back[v, there] - found) <= _SLACK_PX)
    return np.where(agree, found, 0).astype(np.float32)


def to_depth(
    disparity: NDArray[np.float32], fx: float, baseline_m: float, least_px: float = LEAST_PX
) -> NDArray[np.float32]:
    """Return depth (H, W), metres, 0 where unknown or of less than ``least_px`` disparity."""
    near = disparity >= least_px
    return np.where(near, fx * baseline_m / np.where(near, disparity, 1), 0).astype(np.float32)


def depths_of(
    folder: Path,
    baseline_m: float | None = None,
    disparities: int = DISPARITIES,
    stride: int = 1,
    only: Collection[str] | None = None,
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield name and depth (H, W) of every ``stride``-th left image of a drive.

    Args:
        folder: of a drive with both cameras' images.
        baseline_m: between the cameras; None for what the calibration says.
        disparities: as ``match`` takes it.
        stride: 1 for every image.
        only: names of images; None for all.

    Raises:
        DataError: no right camera, a right image is missing, the pair is not rectified, or no
            baseline is known.
    """
    left, right = read_drive(folder), read_drive(folder, right=True)
    a, b = left.camera, right.camera
    if abs(a.fx - b.fx) > 1e-3 * a.fx or abs(a.cy - b.cy) > _ROW_PX:
        raise DataError(
            f"{folder}: the cameras' fx {a.fx:g} and {b.fx:g}, cy {a.cy:g} and {b.cy:g} are not "
            "those of a rectified pair; rectify both images first"
        )
    baseline_m = baseline_m or right.offset_m - left.offset_m
    if baseline_m <= 0:
        raise DataError(
            f"{folder}: a baseline of {baseline_m:g} m; expected the right camera's row of the "
            "calibration to hold -fx times it, or give --baseline METRES"
        )
    others = {frame.image.stem: frame for frame in right.frames}
    wanted = (f for f in left.frames if only is None or f.image.stem in only)
    for frame in islice(wanted, None, None, stride):
        if frame.image.stem not in others:
            raise DataError(f"{frame.image}: no image of that name by the right camera")
        other = right.read(others[frame.image.stem])
        disparity = match(left.read(frame), other, disparities)
        shift = np.float32(a.cx - b.cx)  # what lies at infinity has this disparity
        known = np.where(disparity > 0, disparity - shift, 0).astype(np.float32)
        yield frame.image.stem, to_depth(known, a.fx, baseline_m)
