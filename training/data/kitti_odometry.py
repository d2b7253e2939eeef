"""KITTI odometry's folder form, which the synthetic world is written in too.

    ROOT/sequences/NN/{calib.txt,times.txt,image_2/000000.png,...}    (or image_0, .jpg)
    ROOT/sequences/NN/{depth_2,mask_2}/000000.png                     (where known)
    ROOT/sequences/NN/meta.json                                       (camera_height_m)
    ROOT/poses/NN.txt                                                 (where known)

Two cameras' images may be in left/ and right/: rows P0 and P1, or P0 for both; 10 Hz if no times.

Convention: ``calib.txt`` rows ``P0:`` to ``P3:`` are 3x4 projections with pixel centres at
integers; ``poses/NN.txt`` rows are T_cam0_cami, 3x4, metres.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdepth.errors import DataError
from training.data.drive import PERIOD_NS, Drive, Frame, image_files, read_camera
from training.data.text import LAST_S, read_rows, text_lines


def read(folder: Path, right: bool = False) -> Drive:
    """Return the sequence in ``folder``, of its left (or right) camera.

    Raises:
        DataError: images, calibration, times or poses missing, damaged or of unequal counts.
        CameraError: the calibration is not that of a camera.
    """
    names = ("image_3", "image_1", "right") if right else ("image_2", "image_0", "left")
    image_dir = next((d for name in names if (d := folder / name).is_dir()), None)
    images = image_files(image_dir) if image_dir else []
    if not images or image_dir is None:
        raise DataError(
            f"{folder}: no images; expected {names[0]}/000000.png (or {names[1]}/, {names[2]}/)"
        )
    number = {"left": "0", "right": "1"}.get(image_dir.name, image_dir.name[-1])
    calib, times = folder / "calib.txt", folder / "times.txt"
    if image_dir.name in ("left", "right") and not times.is_file():
        stamps = [i * PERIOD_NS for i in range(len(images))]
    else:
        stamps = read_times(times, len(images))
    poses_file = folder.parent.parent / "poses" / f"{folder.name}.txt"
    known = poses_file.is_file() and not right
    poses = read_poses(poses_file, len(images)) if known else [None] * len(images)
    frames = tuple(
        Frame(
            image,
            stamp,
            pose,
            _sibling(folder / f"depth_{number}" / f"{image.stem}.png"),
            _sibling(folder / f"mask_{number}" / f"{image.stem}.png"),
        )
        for image, stamp, pose in zip(images, stamps, poses, strict=True)
    )
    one_row = image_dir.name == "right" and "P1:" not in "".join(text_lines(calib))
    camera, offset_m = read_camera(calib, "P0" if one_row else f"P{number}", images[0])
    meta = folder / "meta.json"
    height = _read_height(meta) if meta.is_file() else None
    return Drive(folder.name, camera, frames, height, offset_m)


def read_times(path: Path, count: int) -> list[int]:
    """Return ``count`` stamps, nanoseconds, from a file of seconds.

    Raises:
        DataError: missing, another count, or times that do not increase.
    """
    seconds = _read_numbers(path, 1)[:, 0]
    if len(seconds) != count:
        raise DataError(f"{path}: {len(seconds)} times for {count} images; expected one each")
    back = np.flatnonzero(np.diff(seconds) <= 0)
    if back.size:
        raise DataError(
            f"{path}: time does not increase after line {back[0] + 1}; "
            "sort the frames or remove the repeated one"
        )
    wrong = seconds[(seconds < 0) | (seconds > LAST_S)]
    if wrong.size:
        raise DataError(
            f"{path}: {wrong[0]:g} s; expected seconds, since 1970 or since the drive began"
        )
    lines = (line.partition("#")[0] for line in text_lines(path))
    return [round(Decimal(text) * 10**9) for line in lines for text in line.split()]


def read_poses(path: Path, count: int) -> list[NDArray[np.float64]]:
    """Return ``count`` poses T_cam0_cami (4, 4), metres.

    Raises:
        DataError: missing, or fewer poses than images.
    """
    rows = _read_numbers(path, 12)
    if len(rows) < count:
        raise DataError(f"{path}: {len(rows)} poses for {count} images; expected one each")
    volumes = np.linalg.det(rows.reshape(-1, 3, 4)[..., :3])
    if (bad := np.flatnonzero(~(np.abs(volumes - 1) < 0.05))).size:
        raise DataError(f"{path}: line {bad[0] + 1} is no pose: its 3x3 part is no rotation")
    bottom = np.array([[0.0, 0.0, 0.0, 1.0]])
    return [np.vstack([row.reshape(3, 4), bottom]) for row in rows[:count]]


def _read_height(path: Path) -> float | None:
    """Return the camera's height above the road, metres, where the file says it."""
    try:
        height = json.loads(path.read_text()).get("camera_height_m")
        return None if height is None else float(height)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as err:
        raise DataError(f'{path}: expected {{"camera_height_m": metres}} ({err})') from err


def _read_numbers(path: Path, columns: int) -> NDArray[np.float64]:
    """Return the rows of finite numbers of a text file."""
    rows = read_rows(path, expected := "one number" if columns == 1 else f"{columns} numbers")
    if len(rows) and rows.shape[1] != columns:
        raise DataError(f"{path}: {rows.shape[1]} numbers a row; expected rows of {expected}")
    rows = rows.reshape(-1, columns)
    bad = np.flatnonzero(~np.isfinite(rows).all(1))
    if bad.size:
        raise DataError(f"{path}: line {bad[0] + 1} is not finite; expected numbers only")
    return rows


def _sibling(path: Path) -> Path | None:
    """Return ``path`` where it exists."""
    return path if path.is_file() else None
