"""Cameras as ROS calibrates them: which part of the sensor an image shows, and its distortion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from math import ceil, floor, isfinite
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.errors import CameraError
from sdepth.geometry.camera import Camera, check_same_size

Rectify = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
_BROWN = ("plumb_bob", "rational_polynomial", "radtan", "radial_tangential", "brown_conrady", "")
"""Names of the one model that OpenCV has for pinhole cameras: its numbers tell its form."""
_FISHEYE = ("equidistant", "fisheye", "kannala_brandt", "kannala_brandt4")
_COUNTS = (4, 5, 8, 12, 14)
"""Numbers of coefficients that OpenCV takes for pinhole cameras; 4 for fisheyes."""
_NO_DISTORTION = 1e-6
_MOST_COLUMNS = 32_766  # what OpenCV's remap takes
_MOST_GROWTH = 16


@dataclass(frozen=True)
class Lens:
    """A calibration; its intrinsics are those of the image of the whole sensor.

    Attributes:
        name: what errors call it.
        size: (width, height) of the image of the whole sensor, pixels.
        model: of the distortion: ``plumb_bob`` and ``rational_polynomial``, which are one, or
            ``equidistant``, or another name of theirs; empty: plumb_bob, of 5 coefficients on.
        k: (3, 3) intrinsics of the image as it is, row by row.
        d: coefficients of the distortion; none or zeros: a pinhole, whatever the model. Zeros
            at the end count for nothing.
        r: (3, 3) rotation from the camera as it is to the rectified one; zeros: none.
        p: (3, 4) projection of the rectified image; zeros: that of ``k``.
        window: (left, top, width, height) of the part that is sent, in pixels of the whole
            sensor; no width or height: all from there on.
        follows: whether the rectified image shows the scene in the window, where the distortion
            moves it to; otherwise it is the same window.
        binning: (x, y) pixels of the sensor in one that is sent, after the window; 0 means 1.

    Raises:
        CameraError: numbers that are not finite, ``k`` is no camera's (zeros: uncalibrated),
            ``r`` is not a rotation, or the window is not on the sensor.

    Source: the meaning of sensor_msgs/CameraInfo and RegionOfInterest, REP 104.
    """

    name: str = field(compare=False)
    size: tuple[int, int]
    model: str
    k: tuple[float, ...]
    d: tuple[float, ...]
    r: tuple[float, ...] = (0.0,) * 9
    p: tuple[float, ...] = (0.0,) * 12
    window: tuple[int, int, int, int] = (0, 0, 0, 0)
    follows: bool = False
    binning: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        """Refuse what no calibration writes."""
        if not all(map(isfinite, (*self.k, *self.d, *self.r, *self.p))):
            raise CameraError(f"{self.name}: K, D, R or P is not finite; calibrate the camera")
        R = self.rotation
        if np.abs(R).max() > 2 or np.abs(R @ R.T - np.eye(3)).max() > 1e-3:
            raise CameraError(
                f"{self.name}: R {self.r} is not a rotation; expected one, or zeros for none"
            )
        _ = self.raw  # refuses what is no camera, or no part of it

    @property
    def distorted(self) -> bool:
        """Whether images are not those of a pinhole camera."""
        return any(abs(value) > _NO_DISTORTION for value in self.d)

    @property
    def rotation(self) -> NDArray[np.float64]:
        """The (3, 3) rotation from the camera as it is to the rectified one."""
        return np.reshape(self.r, (3, 3)) if any(self.r) else np.eye(3)

    @property
    def raw(self) -> Camera:
        """The camera of images as they are, by K, distortion aside."""
        return self._camera(np.reshape(self.k, (3, 3)), self._part())

    @property
    def rectified(self) -> Camera:
        """The camera of images that come rectified, by P (by K where P is zero)."""
        return self._camera(self._ideal(), self._part())

    def rectification(self) -> tuple[Camera, Rectify | None]:
        """Return the camera after rectification, and what rectifies an image; None: nothing to do.

        What rectifies takes images (H, W, 3) or (H, W) of the size of ``raw`` and raises
        CameraError for others. What it looks up is built for the first image, then kept.

        Raises:
            CameraError: another distortion model, or numbers that are not those of a lens.
        """
        raw = self.raw
        if not self.distorted:
            return raw, None
        fisheye, d = self._distortion()
        part = self._followed() if self.follows else self._part()
        camera = self._camera(self._ideal(), part)
        sides = camera.width, camera.height, raw.width, raw.height
        growth = camera.width * camera.height / (raw.width * raw.height)
        if max(sides) > _MOST_COLUMNS or growth > _MOST_GROWTH:
            raise CameraError(
                f"{self.name}: {raw.width}x{raw.height} rectifies to {camera.width}x"
                f"{camera.height} pixels; expected at most {_MOST_COLUMNS} columns and rows, and "
                f"{_MOST_GROWTH} times the pixels; is P of this camera?"
            )

        @cache
        def maps() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            build = cv2.fisheye.initUndistortRectifyMap if fisheye else cv2.initUndistortRectifyMap
            size = camera.width, camera.height
            x, y = build(raw.K, d, self.rotation, camera.K, size, cv2.CV_32FC1)
            return np.asarray(x, np.float32), np.asarray(y, np.float32)

        def rectify(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
            check_same_size(image, raw, self.name)
            return np.asarray(cv2.remap(image, *maps(), cv2.INTER_LINEAR), np.uint8)

        return camera, rectify

    def _distortion(self) -> tuple[bool, NDArray[np.float64]]:
        """Return whether the lens is a fisheye, and as many coefficients as OpenCV takes.

        Raises:
            CameraError: another model, or another number of coefficients.
        """
        model = self.model.strip().lower().replace(" ", "_").replace("-", "_")
        used = max((i + 1 for i, value in enumerate(self.d) if value), default=0)
        counts = (4,) if model in _FISHEYE else _COUNTS[1:] if not model else _COUNTS
        if (model in _BROWN or model in _FISHEYE) and len(self.d) >= counts[0]:
            for count in counts:
                if used <= count:
                    return model in _FISHEYE, np.array([*self.d, *[0.0] * count][:count])
        raise CameraError(
            f"{self.name}: distortion {self.model!r} with {len(self.d)} coefficients; expected "
            "plumb_bob or rational_polynomial (4, 5, 8, 12 or 14) or equidistant (4), zeros at "
            "the end aside; calibrate with one of these, or rectify the images elsewhere"
        )

    def _ideal(self) -> NDArray[np.float64]:
        """Return the intrinsics (3, 3) of the rectified image of the whole sensor."""
        P = np.reshape(self.p, (3, 4))
        return P[:, :3] if P[0, 0] else np.reshape(self.k, (3, 3))

    def _part(self) -> tuple[int, int, int, int]:
        """Return the window, with its size filled in."""
        left, top, width, height = self.window
        return left, top, width or self.size[0] - left, height or self.size[1] - top

    def _followed(self) -> tuple[int, int, int, int]:
        """Return the box around the window in the rectified image of the whole sensor."""
        left, top, width, height = self._part()
        u = left - 0.5 + np.linspace(0, width, 33)
        v = top - 0.5 + np.linspace(0, height, 33)
        rim = [(a, b) for a in u for b in v[[0, -1]]] + [(a, b) for b in v for a in u[[0, -1]]]
        K, R, P = np.reshape(self.k, (3, 3)), self.rotation, self._ideal()
        fisheye, d = self._distortion()
        undistort: Any = cv2.fisheye.undistortPoints if fisheye else cv2.undistortPoints
        seen = undistort(np.array(rim)[:, None], K, d, R=R, P=P)[:, 0]
        # Where the lens bends a corner out of sight there is no limit but the sensor's.
        low = np.nan_to_num(seen, nan=-np.inf).min(0).clip(-0.5, np.array(self.size) - 0.5)
        high = np.nan_to_num(seen, nan=np.inf).max(0).clip(-0.5, np.array(self.size) - 0.5)
        x0, y0 = (floor(value + 0.5) for value in low)
        x1, y1 = (ceil(value + 0.5) for value in high)
        return x0, y0, x1 - x0, y1 - y0

    def _camera(self, K: NDArray[np.float64], part: tuple[int, int, int, int]) -> Camera:
        """Return the camera of a part of the sensor's image, binned."""
        (bin_x, bin_y), (left, top, width, height) = self.binning, part
        columns, rows = width // max(1, bin_x), height // max(1, bin_y)
        try:
            whole = Camera.from_matrix(K, *self.size)
            cut = whole.cropped(left, top, columns * max(1, bin_x), rows * max(1, bin_y))
            return cut.resized(columns, rows)
        except CameraError as err:
            raise CameraError(f"{self.name}: {err}") from err
