"""A recorded drive: camera, frames, stamps, poses; and its image, depth and mask files."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.errors import DataError
from sdepth.geometry.camera import Camera
from sdepth.pixels import BitDepth
from training.data.check import lens_of
from training.data.text import text_lines

_log = logging.getLogger(__name__)
_LOOKED_AT = 16
"""So many images of a folder tell how many bits its sensor has."""
IMAGES = (".png", ".jpg", ".jpeg", ".ppm")
"""Endings of images, in small or capital letters."""
_NUMBER = re.compile(r"([0-9]{9,}\.[0-9]+|[0-9]+)")
"""Within a name: seconds since 1970, or a whole number."""
PERIOD_NS = 100_000_000
"""Frames are 10 Hz apart where no times are known."""
DEPTH_SCALE = 256.0
"""Depth PNGs hold uint16 = metres x 256, 0 where unknown (KITTI's depth benchmark form)."""
MOVING, TEXTURELESS, SKY, BLURRED, OWN = 1, 2, 4, 8, 16
"""Bits of a mask PNG. ``BLURRED``: movers smeared by more than a pixel while the shutter is open;
by day nothing is, so for a drive rendered by day and by night take the masks of the night.
``OWN``: the bonnet before the camera, whose depth is unknown (0) although it is no sky."""


@dataclass(frozen=True)
class Frame:
    """One image of a drive and what is known about it.

    Attributes:
        image: path of the image.
        stamp_ns: time of exposure, nanoseconds.
        T_world_cam: pose (4, 4) of the camera, metres, in the frame of the first camera; or None.
        depth: path of the depth PNG (``DEPTH_SCALE``), or None.
        mask: path of the mask PNG (``MOVING | TEXTURELESS | SKY | BLURRED | OWN``), or None.
    """

    image: Path
    stamp_ns: int
    T_world_cam: NDArray[np.float64] | None = None
    depth: Path | None = None
    mask: Path | None = None


@dataclass(frozen=True)
class Drive:
    """Consecutive frames of one camera.

    Attributes:
        name: of the drive.
        camera: of its images.
        frames: in order of time.
        camera_height_m: above the road, where known.
        offset_m: of the camera to the right of the rig's first, where the calibration says so.
        rectify: makes an image (H, W, 3) of a file's pixels where a data set stores them raw or
            distorted; None where the files are the images.
    """

    name: str
    camera: Camera
    frames: tuple[Frame, ...]
    camera_height_m: float | None = None
    offset_m: float = 0.0
    rectify: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None

    def read(self, frame: Frame) -> NDArray[np.uint8]:
        """Return the image (H, W, 3) of one of the frames, RGB.

        Raises:
            DataError: the file is missing or damaged.
        """
        pixels = read_image(frame.image)
        return pixels if self.rectify is None else self.rectify(pixels)


def image_files(folder: Path) -> list[Path]:
    """Return the images in a folder in their natural order: 2 comes before 10, padded or not.

    Raises:
        DataError: two have one name but for the ending or the case of letters.
    """
    found = [p for p in folder.glob("[!.]*") if p.suffix.lower() in IMAGES and not p.is_dir()]
    found.sort(key=natural)
    for before, after in pairwise(found):
        if before.stem == after.stem:
            raise DataError(
                f"{after}: stands beside {before.name}; which is the image? remove the other"
            )
    return found


def natural(path: Path) -> tuple[list[str | Decimal], str]:
    """Return what files are sorted by so that their names' numbers count."""
    parts = enumerate(_NUMBER.split(path.stem))
    return [Decimal(part) if i % 2 else part.casefold() for i, part in parts], path.name


def read_camera(path: Path, row: str, image: Path) -> tuple[Camera, float]:
    """Return the camera of a KITTI calibration file's ``row``, a projection, sized as ``image``.

    Beside it the metres it is to the right of the rig's first.

    Raises:
        DataError: the row is missing or not 12 numbers, or the image is not whole.
        CameraError: the row is not that of a camera.
    """
    rows = dict(line.split(":", 1) for line in text_lines(path) if ":" in line)
    if row not in rows:
        raise DataError(f"{path}: no row '{row}:'; found {sorted(rows)}")
    try:
        P = np.array(rows[row].split(), np.float64).reshape(3, 4)
    except ValueError as err:
        raise DataError(f"{path}: row '{row}:' is not 12 numbers") from err
    height, width = read_image(image).shape[:2]
    camera = lens_of(P, (width, height), f"{path}: row '{row}:'")
    return camera, float(-P[0, 3] / P[0, 0])


def read_image(path: Path) -> NDArray[np.uint8]:
    """Return the image (H, W, 3) of a file, RGB; grey ones get three equal channels.

    For a drive's frame take ``Drive.read``, which rectifies it where the data set has not. Of 16
    bits those count that the images of the folder hold: a sensor's 12 are not taken for dark.

    Raises:
        DataError: missing or truncated.
    """
    # A calibration knows nothing of EXIF, so neither does the image.
    how = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    bgr = _decoded(path, how)
    if bgr is None:
        raise DataError(f"{path}: missing or not a whole image; copy or render it again")
    if bgr.dtype == np.uint16:
        bgr = _bit_depth(path.parent).to_eight(bgr)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


@cache
def _bit_depth(folder: Path) -> BitDepth:
    """Return what the 16-bit images of a folder hold, by some of them from first to last."""
    files, seen = image_files(folder), BitDepth()
    for path in files[:: max(1, ceil(len(files) / _LOOKED_AT))]:
        pixels = _decoded(path, cv2.IMREAD_UNCHANGED)
        if pixels is not None and pixels.dtype == np.uint16:
            seen.look(pixels)
    if 0 < seen.bits < 16:
        _log.warning(
            "%s: images of 16 bits, taken as %d, which is what they hold", folder, seen.bits
        )
    return BitDepth(seen.bits)


def _decoded(path: Path, how: int) -> NDArray[Any] | None:
    """Return an image file's pixels as OpenCV reads them; None where it does not."""
    try:
        return cv2.imread(str(path), how)
    except cv2.error:  # a header of more pixels than OpenCV takes
        return None


def read_depth(path: Path) -> NDArray[np.float32]:
    """Return depth (H, W), metres along the optical axis, 0 where unknown.

    Raises:
        DataError: missing, truncated, or not a 16-bit PNG.
    """
    raw = _decoded(path, cv2.IMREAD_UNCHANGED)
    if raw is None or raw.dtype != np.uint16:
        got = "nothing readable" if raw is None else str(raw.dtype)
        raise DataError(f"{path}: got {got}, expected a uint16 PNG of metres x {DEPTH_SCALE:.0f}")
    return raw.astype(np.float32) / np.float32(DEPTH_SCALE)


def code_depth(depth: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Return depth (H, W), metres, as a depth PNG holds it: 0 where unknown or too far for it."""
    coded = np.round(np.nan_to_num(depth.astype(np.float64), posinf=0.0, neginf=0.0) * DEPTH_SCALE)
    return np.where(coded > 65535, 0, coded).astype(np.uint16)


def read_mask(path: Path) -> NDArray[np.uint8]:
    """Return the mask (H, W): bits ``MOVING``, ``TEXTURELESS``, ``SKY``, ``BLURRED``, ``OWN``.

    Raises:
        DataError: missing or truncated.
    """
    mask = _decoded(path, cv2.IMREAD_UNCHANGED)
    if mask is None:
        raise DataError(f"{path}: missing or not a whole image; render it again")
    return mask.astype(np.uint8)
