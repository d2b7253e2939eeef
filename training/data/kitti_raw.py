"""KITTI raw's folder form.

    DATE/calib_cam_to_cam.txt
    DATE/DRIVE/image_02/{data/0000000000.png,timestamps.txt}       (image_03: right)
    DATE/DRIVE/proj_depth/groundtruth/image_02/0000000000.png     (where known)

Depth is sparse, in the depth benchmark's form.
"""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path

from sdepth.errors import DataError
from training.data.drive import PERIOD_NS, Drive, Frame, image_files, read_camera


def read(folder: Path, right: bool = False) -> Drive:
    """Return the left (or right) colour camera of the raw drive in ``folder``.

    Raises:
        DataError: images, calibration or times missing, damaged or of unequal counts.
        CameraError: the calibration is not that of a camera.
    """
    calib = folder.parent / "calib_cam_to_cam.txt"
    if not calib.is_file():
        raise DataError(f"{calib}: missing; it comes with KITTI's 'calibration' download")
    camera = "image_03" if right else "image_02"
    images = image_files(folder / camera / "data")
    if not images:
        raise DataError(f"{folder}: no images; expected {camera}/data/0000000000.png (or .jpg)")
    stamps = _read_stamps(folder / camera / "timestamps.txt", images)
    depth_dir = folder / "proj_depth" / "groundtruth" / camera
    frames = tuple(
        Frame(
            image,
            stamp,
            depth=depth if (depth := depth_dir / f"{image.stem}.png").is_file() else None,
        )
        for image, stamp in zip(images, stamps, strict=True)
    )
    lens, offset_m = read_camera(calib, f"P_rect_{camera[-2:]}", images[0])
    return Drive(folder.name, lens, frames, offset_m=offset_m)


def _read_stamps(path: Path, images: list[Path]) -> list[int]:
    """Return nanoseconds; frame number x 0.1 s where the file is missing."""
    if not path.is_file():
        return [_number(image, path) * PERIOD_NS for image in images]
    lines = path.read_text(errors="replace").split("\n")
    stamps = [_parse_stamp(line, path) for line in lines if line.strip()]
    if len(stamps) != len(images):
        raise DataError(f"{path}: {len(stamps)} times for {len(images)} images; expected one each")
    if any(b <= a for a, b in pairwise(stamps)):
        raise DataError(f"{path}: times do not increase; sort the frames or remove repeated ones")
    return stamps


def _number(image: Path, times: Path) -> int:
    """Return the frame number an image's name is."""
    try:
        return int(image.stem)
    except ValueError as err:
        raise DataError(f"{image}: no frame number, and no {times}; restore one of both") from err


def _parse_stamp(line: str, path: Path) -> int:
    """Return nanoseconds since 1970 of '2011-09-26 13:02:25.964389445'."""
    try:
        whole, _, fraction = line.strip().partition(".")
        day = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
        return int(day.timestamp()) * 10**9 + int(fraction.ljust(9, "0") or 0)
    except ValueError as err:
        raise DataError(f"{path}: '{line}' is not 'YYYY-MM-DD hh:mm:ss.nnnnnnnnn'") from err
