"""Depth as colours on a fixed range, so that a colour means the same distance in every frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.errors import ConfigError
from sdepth.shapes import check_shape


def colorize(
    depth: NDArray[np.float32], near_m: float = 2.0, far_m: float = 80.0
) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 BGR: near is red, far is blue, on a logarithmic scale.

    Equal steps of colour are equal *ratios* of distance. Depth outside the range takes the colour
    of its end, +Inf (no return, sky) that of far; NaN is black.

    Args:
        depth: (H, W) metres.
        near_m: distance of the warm end, metres.
        far_m: distance of the cold end, metres.

    Raises:
        ConfigError: not 0 < near_m < far_m.
        ShapeError: depth is not an image.
    """
    if not 0 < near_m < far_m:
        raise ConfigError(f"colour range {near_m}..{far_m} m: expected 0 < near < far")
    check_shape("depth", depth, "H W")
    levels = cv2.log(np.clip(depth, near_m, far_m, dtype=np.float32))
    levels -= np.float32(np.log(far_m))
    levels *= np.float32(-255 / np.log(far_m / near_m))  # 0 is far, 255 near
    colours = cv2.applyColorMap(cv2.convertScaleAbs(levels), cv2.COLORMAP_TURBO)
    colours[np.isnan(depth)] = 0
    return np.asarray(colours, np.uint8)
