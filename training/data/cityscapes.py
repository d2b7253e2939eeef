"""Cityscapes' sequences of the left camera, as they are downloaded.

    ROOT/leftImg8bit_sequence/SPLIT/CITY/CITY_SSSSSS_FFFFFF_leftImg8bit.png       30 in a row
    ROOT/camera/SPLIT/CITY/CITY_SSSSSS_FFFFFF_camera.json                         of the 20th
    ROOT/timestamp_sequence/SPLIT/CITY/CITY_SSSSSS_FFFFFF_timestamp.txt           ns, if there

Source: Cordts et al. 2016 and the data set's description of its files.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdepth.errors import DataError
from sdepth.geometry.camera import Camera
from training.data.check import lens_of
from training.data.drive import IMAGES, Drive, Frame, read_image

CROP = "2048x768+0+0"
"""manydepth's: without the lowest quarter, which shows the car."""
SPLITS = ("train", "val", "test")
_PERIOD_NS = 10**9 / 17
"""Frames are 17 Hz apart where timestamps are not at hand."""
_NAME = re.compile(r"(?P<city>.+)_(?P<sequence>\d{6})_(?P<number>\d{6})_leftImg8bit")


class _Shot(NamedTuple):
    """An image by its name; in order of city, sequence, number."""

    city: str
    sequence: str
    number: int
    path: Path


def read(root: Path, split: str = "train") -> list[Drive]:
    """Return a drive for each run of consecutive frames.

    Args:
        root: folder that holds leftImg8bit_sequence/ and camera/.
        split: one of ``SPLITS``.

    Raises:
        DataError: images or cameras missing or damaged.
        CameraError: a camera is not that of a camera.
    """
    folder = root / "leftImg8bit_sequence" / split
    found = (_parse(path) for path in folder.glob("*/[!.]*") if path.suffix.lower() in IMAGES)
    runs: dict[tuple[str, str, int], list[_Shot]] = defaultdict(list)
    for i, shot in enumerate(sorted(found)):  # number - i is the same as long as none is missing
        runs[shot.city, shot.sequence, shot.number - i].append(shot)
    if not runs:
        raise DataError(
            f"{folder}: no CITY/CITY_000000_000000_leftImg8bit.png; unpack "
            "leftImg8bit_sequence_trainvaltest.zip in the root"
        )
    return [_drive(root, split, run) for run in runs.values()]


def _drive(root: Path, split: str, run: list[_Shot]) -> Drive:
    """Return the drive of a run, with the camera of the nearest annotated frame."""
    city, sequence, number, image = run[0]
    folder = root / "camera" / split / city
    known = {
        int(p.name.split("_")[-2]): p for p in folder.glob(f"{city}_{sequence}_*_camera.json")
    }
    if not known:
        raise DataError(
            f"{folder}: no {city}_{sequence}_*_camera.json; unpack camera_trainvaltest.zip in the "
            "root"
        )
    camera = _read_camera(known[min(known, key=lambda n: abs(n - number))], image)
    frames = tuple(Frame(shot.path, _stamp(root, split, shot)) for shot in run)
    return Drive(f"{city}_{sequence}_{number:06d}", camera, frames)


def _read_camera(path: Path, image: Path) -> Camera:
    """Return the camera of a file, sized as ``image``."""
    try:
        given = json.loads(path.read_text())["intrinsic"]
        fx, fy, cx, cy = (float(given[key]) for key in ("fx", "fy", "u0", "v0"))
    except (ValueError, KeyError, TypeError) as err:
        raise DataError(f"{path}: expected intrinsic with fx, fy, u0, v0 ({err!r})") from err
    height, width = read_image(image).shape[:2]
    return lens_of(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), (width, height), path)


def _stamp(root: Path, split: str, shot: _Shot) -> int:
    """Return the time of an image, nanoseconds."""
    name = shot.path.stem.replace("leftImg8bit", "timestamp")
    path = root / "timestamp_sequence" / split / shot.city / f"{name}.txt"
    if not path.is_file():
        return round(shot.number * _PERIOD_NS)
    try:
        return int(path.read_text())
    except ValueError as err:
        raise DataError(f"{path}: expected nanoseconds ({err})") from err


def _parse(path: Path) -> _Shot:
    """Return what an image's name says."""
    name = _NAME.fullmatch(path.stem)
    if not name:
        raise DataError(f"{path}: expected CITY_000000_000000_leftImg8bit.png; remove it")
    return _Shot(name["city"], name["sequence"], int(name["number"]), path)
