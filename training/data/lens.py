"""Cameras as ROS calibrates them: their distortion is taken out of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.camera import Camera
from sdepth.errors import CameraError
from training.data.check import lens_of

Develop = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
_COUNTS = {"plumb_bob": (4, 5), "rational_polynomial": (8, 12, 14), "equidistant": (4,)}
"""Numbers of coefficients by distortion model."""


def rectified(
    model: str,
    size: tuple[int, int],
    K: Any,
    d: Sequence[float],
    r: Any,
    p: Any,
    where: object,
) -> tuple[Camera, Develop | None]:
    """Return the camera after rectification, and what rectifies an image (H, W, 3), or None.

    Args:
        model: ``plumb_bob``, ``rational_polynomial`` or ``equidistant``.
        size: (width, height) of the images.
        K: intrinsics of the images as they are, 9 numbers.
        d: coefficients of the distortion.
        r: rotation from the camera as it is to the rectified one, 9 numbers; zeros: none.
        p: projection of the rectified image, 12 numbers; zeros: that of ``K``.
        where: what to name in errors.

    Raises:
        CameraError: another model, or numbers that are not those of a lens.

    Source: the meaning of sensor_msgs/CameraInfo.
    """
    K_raw = np.asarray(K, np.float64).reshape(3, 3)
    R, P = np.asarray(r, np.float64).reshape(3, 3), np.asarray(p, np.float64).reshape(3, 4)
    R = R if R.any() else np.eye(3)
    new = P[:, :3] if P[0, 0] else K_raw
    camera = lens_of(new, size, where)
    lens_of(K_raw, size, where)
    if not np.any(d) and np.allclose(R, np.eye(3)) and np.allclose(new, K_raw):
        return camera, None
    if np.any(d) and len(d) not in _COUNTS.get(model, ()):
        raise CameraError(
            f"{where}: distortion {model!r} with {len(d)} coefficients; expected one of "
            + ", ".join(f"{name} ({' or '.join(map(str, n))})" for name, n in _COUNTS.items())
        )
    maps = cv2.fisheye.initUndistortRectifyMap if model == "equidistant" else _plain_maps
    x, y = maps(K_raw, np.array(d, np.float64), R, new, size, cv2.CV_32FC1)
    return camera, lambda image: np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR), np.uint8)


def _plain_maps(*args: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where every rectified pixel lies in the image, x and y."""
    x, y = cv2.initUndistortRectifyMap(*args)
    return x, y
