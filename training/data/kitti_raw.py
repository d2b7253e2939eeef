"""KITTI raw's folder form: DATE/calib_cam_to_cam.txt, DATE/DRIVE/image_02/{data/*.png,timestamps.txt}.

Sparse depth in the depth benchmark's form is read from ``proj_depth/groundtruth/image_02`` where it
is there.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

from sdepth.camera import Camera
from sdepth.errors import DataError
from training.data.drive import Drive, Frame

PERIOD_NS = 100_000_000
"""Frames are 10 Hz apart where timestamps.txt is missing."""


def read(folder: Path) -> Drive:
    """Return the left colour camera of the raw drive in ``folder``.

    Raises:
        DataError: images, calibration or times missing, damaged or of unequal counts.
    """
    images = sorted((folder / "image_02" / "data").glob("*.png"))
    if not images:
        raise DataError(f"{folder}: no images; expected image_02/data/0000000000.png")
    stamps = _read_stamps(folder / "image_02" / "timestamps.txt", images)
    depth_dir = folder / "proj_depth" / "groundtruth" / "image_02"
    frames = tuple(
        Frame(image, stamp, depth=depth if (depth := depth_dir / image.name).is_file() else None)
        for image, stamp in zip(images, stamps, strict=True)
    )
    return Drive(folder.name, _read_camera(folder.parent / "calib_cam_to_cam.txt", images[0]), frames)


def _read_stamps(path: Path, images: list[Path]) -> list[int]:
    """Return nanoseconds; frame number x 0.1 s where the file is missing."""
    if not path.is_file():
        return [int(image.stem) * PERIOD_NS for image in images]
    lines = path.read_text().split("\n")
    stamps = [_parse_stamp(line, path) for line in lines if line.strip()]
    if len(stamps) != len(images):
        raise DataError(f"{path}: {len(stamps)} times for {len(images)} images; expected one each")
    if any(b <= a for a, b in zip(stamps, stamps[1:], strict=False)):
        raise DataError(f"{path}: times do not increase; sort the frames or remove repeated ones")
    return stamps


def _parse_stamp(line: str, path: Path) -> int:
    """Return nanoseconds since 1970 of '2011-09-26 13:02:25.964389445'."""
    try:
        whole, _, fraction = line.strip().partition(".")
        day = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
        return int(day.timestamp()) * 10**9 + int(fraction.ljust(9, "0") or 0)
    except ValueError as err:
        raise DataError(f"{path}: '{line}' is not 'YYYY-MM-DD hh:mm:ss.nnnnnnnnn'") from err


def _read_camera(path: Path, image: Path) -> Camera:
    """Return the rectified left colour camera, sized as ``image``."""
    if not path.is_file():
        raise DataError(f"{path}: missing; it comes with KITTI's 'calibration' download")
    rows = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    try:
        P = np.array(rows["P_rect_02"].split(), np.float64).reshape(3, 4)
    except (KeyError, ValueError) as err:
        raise DataError(f"{path}: no row 'P_rect_02:' of 12 numbers") from err
    pixels = cv2.imread(str(image), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise DataError(f"{image}: not a whole image; copy it again")
    return Camera.from_matrix(P, pixels.shape[1], pixels.shape[0])
