"""Drives in any form that a reader knows, as recordings: bags, data sets, folders, videos."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sdepth.errors import DataError
from training.data.crop_resize import CropResize
from training.data.custom import read_folder, read_video
from training.data.drive import image_files
from training.data.open_drive import find_drives, read_drive
from training.data.recording import Recording, recording, split

BAGS = (".mcap", ".db3", ".bag")
_RIGHT = ("image_1", "image_3", "right", "image_03")


@dataclass(frozen=True)
class Options:
    """What the drives alone do not say.

    Attributes:
        calib: of folders, videos, and bags without ``camera_info``: ROS' calibration file.
        fps: of folders without times.
        bag_options: further ones, as ``bags.to_dataset`` takes them.
    """

    calib: Path | None = None
    fps: float = 10.0
    bag_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """Frames of one camera in order of time, and where a second camera's are, if any."""

    recording: Recording
    pair: Path | None = None


def open_sources(paths: list[Path], options: Options, scratch: Path) -> list[Source]:
    """Return what is in ``paths``, each a drive or a folder of drives.

    Args:
        paths: bags, KITTI's forms, folders of images, video files.
        options: what they do not say.
        scratch: folder for what bags are turned into.

    Raises:
        DataError: no drive, no calibration, or damaged.
        CameraError: a calibration is not that of a camera.
    """
    return [source for path in paths for source in _open(path, options, scratch)]


def _open(path: Path, options: Options, scratch: Path) -> list[Source]:
    """Return the sources at one path, by what lies there."""
    if path.suffix.lower() in BAGS or (path / "metadata.yaml").is_file():
        return _of_drives(_from_bag(path, options, scratch))
    if path.is_file():
        return [Source(read_video(path, _calib(path, options), 1, CropResize()))]
    if not path.is_dir():
        raise DataError(f"{path}: no such drive; expected a bag, folder of images, video or KITTI")
    if image_files(path):
        drive = read_folder(path, _calib(path, options), options.fps)
        return [Source(recording(part)) for part in split(drive)]
    return _of_drives(path)


def _of_drives(root: Path) -> list[Source]:
    """Return the sources of KITTI's folder forms."""
    found = []
    for folder in find_drives(root):
        pair = folder if any((folder / name).is_dir() for name in _RIGHT) else None
        found += [Source(recording(part), pair) for part in split(read_drive(folder))]
    return found


def _calib(path: Path, options: Options) -> Path:
    """Return the calibration file of images that come without one."""
    if options.calib is None:
        raise DataError(
            f"{path}: no calibration; give --calib FILE, the .yaml of ROS' camera_calibration"
        )
    return options.calib


def _from_bag(bag: Path, options: Options, scratch: Path) -> Path:
    """Return the folder that a bag was written to as drives; training itself knows no bags."""
    if not bag.exists():
        raise DataError(f"{bag}: no such bag")
    out = scratch / bag.stem
    calib = ["--calib", str(options.calib)] if options.calib else []
    command = [sys.executable, "-m", "bags.to_dataset", str(bag), str(out), "--skip-broken"]
    told = subprocess.run([*command, *calib, *options.bag_options], capture_output=True, text=True)
    if told.returncode:
        raise DataError((told.stderr.strip() or told.stdout.strip()).splitlines()[-1])
    return out
