"""Cutting and resizing images as they are prepared: each data set's crop is a line of data."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.cli import image_size
from sdepth.errors import DataError
from sdepth.geometry.camera import Camera
from sdepth.geometry.rectify import Rectify
from training.data.check import check_size
from training.data.drive import Drive


@dataclass(frozen=True)
class CropResize:
    """What is kept of an image, and the size it gets.

    Attributes:
        window: (left, top, width, height) that is kept, pixels; None for all.
        size: (width, height) afterwards; None as it is.
    """

    window: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None

    @classmethod
    def parse(cls, crop: str, size: str) -> CropResize:
        """Return what is asked for by "1152x640+64+160" (width, height, left, top) and "576x320".

        Empty texts and "none" keep everything.

        Raises:
            DataError: the crop has another form.
            ConfigError: the size has.
        """
        cut = re.fullmatch(r"(\d+)x(\d+)\+(\d+)\+(\d+)", crop)
        if not (cut or crop in ("", "none")):
            raise DataError(f"crop {crop!r}: expected WIDTHxHEIGHT+LEFT+TOP or none")
        width, height, left, top = map(int, cut.groups()) if cut else (0, 0, 0, 0)
        window = (left, top, width, height) if cut else None
        return cls(window, None if size in ("", "none") else image_size(size)[::-1])

    def camera(self, camera: Camera) -> Camera:
        """Return the camera of images so cut and resized.

        Raises:
            CameraError: the window leaves the image.
        """
        if self.window:
            camera = camera.cropped(*self.window)
        return camera.resized(*self.size) if self.size else camera

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an image (H, W, 3) cut and resized."""
        cut = self._cut(image)
        if self.size is None or cut.shape[1::-1] == self.size:
            return cut
        return np.asarray(cv2.resize(cut, self.size, interpolation=cv2.INTER_AREA), np.uint8)

    def depth(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return depth (H, W) cut and resized, metres; no two depths are mixed."""
        cut = self._cut(depth)
        if self.size is None:
            return cut
        return np.asarray(cv2.resize(cut, self.size, interpolation=cv2.INTER_NEAREST), np.float32)

    def _cut(self, pixels: NDArray) -> NDArray:
        """Return the window of an array (H, W, ...)."""
        if self.window is None:
            return pixels
        left, top, width, height = self.window
        return pixels[top : top + height, left : left + width]


def cropped(drive: Drive, crop: CropResize) -> Drive:
    """Return the drive with its images and camera cut and resized."""
    rectify = cut_after(drive.rectify, crop, drive.camera, drive.name)
    return replace(drive, camera=crop.camera(drive.camera), rectify=rectify)


def cut_after(
    rectify: Rectify | None, crop: CropResize, camera: Camera, name: str
) -> Rectify | None:
    """Return what cuts and resizes images after their rectification; None: nothing to do.

    What is returned raises DataError, naming ``name``, for images of another size than the
    camera's.
    """
    if crop == CropResize():
        return rectify

    def cut(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        image = raw if rectify is None else rectify(raw)
        check_size(image, camera, name)
        return crop.image(image)

    return cut
