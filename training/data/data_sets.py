"""The data sets that can be prepared: what each asks for, and how it is read."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from sdepth.cli import one_or_more, positive
from sdepth.errors import DataError
from training.data import cityscapes, custom, nuscenes, nyuv2, robotcar
from training.data.check import broken_files, describe
from training.data.crop_resize import CropResize
from training.data.drive import Drive
from training.data.open_drive import find_drives, read_drive
from training.data.recording import Recording, recording, split


@dataclass(frozen=True)
class DataSet:
    """A data set as it is downloaded.

    Attributes:
        about: what it is, in a line.
        options: adds what it needs to a command line.
        read: returns its recordings, of images cut and resized.
        crop: what is kept of its images unless asked otherwise, as ``CropResize.parse`` reads it.
        in_place: training reads it as it is, so that it need not be written.
    """

    about: str
    options: Callable[[ArgumentParser], None]
    read: Callable[[Namespace, CropResize], list[Recording]]
    crop: str = "none"
    in_place: bool = False


def robotcar_options(parser: ArgumentParser) -> None:
    """Add what reading RobotCar needs."""
    parser.add_argument(
        "--models", type=Path, required=True, help="the models/ folder of robotcar-dataset-sdk"
    )
    parser.add_argument(
        "--camera", default="stereo/left", help="one of " + ", ".join(robotcar.MODELS)
    )


def nuscenes_options(parser: ArgumentParser) -> None:
    """Add what chooses scenes of nuScenes."""
    add = parser.add_argument
    add("--light", choices=("all", "day", "night"), default="all",
        help="scenes whose description says night, or the others")  # fmt: skip
    add("--scenes", type=Path, metavar="FILE", help="names of scenes to keep, one per line")


def _cityscapes_options(parser: ArgumentParser) -> None:
    parser.add_argument("--split", choices=cityscapes.SPLITS, default="train")


def _read_cityscapes(options: Namespace, crop: CropResize) -> list[Recording]:
    return _recordings(cityscapes.read(options.root, options.split), options, crop)


def _read_kitti(options: Namespace, crop: CropResize) -> list[Recording]:
    return _recordings(map(read_drive, find_drives(options.root)), options, crop)


def _nyuv2_options(parser: ArgumentParser) -> None:
    parser.add_argument("--every", type=one_or_more, default=nyuv2.EVERY, metavar="N",
        help="take every Nth frame (default %(default)s)")  # fmt: skip


def _read_nyuv2(options: Namespace, crop: CropResize) -> list[Recording]:
    return _recordings(nyuv2.read(options.root, options.every), options, crop)


def _nyuv2_test_options(parser: ArgumentParser) -> None:
    parser.add_argument("--splits", type=Path, required=True, help="splits.mat of the data set")


def _read_nyuv2_test(options: Namespace, crop: CropResize) -> list[Recording]:
    return [nyuv2.read_test(options.root, options.splits, crop)]


def _calibrated(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--calib", type=Path, required=True, help="the .yaml of ROS' camera_calibration"
    )


def _folder_options(parser: ArgumentParser) -> None:
    _calibrated(parser)
    parser.add_argument("--fps", type=positive, default=10.0, metavar="HZ",
        help="where there is no times.txt (default %(default)s)")  # fmt: skip


def _read_folder(options: Namespace, crop: CropResize) -> list[Recording]:
    recording = custom.read_folder(options.root, options.calib, options.fps)
    return _recordings([recording], options, crop)


def _video_options(parser: ArgumentParser) -> None:
    _calibrated(parser)
    parser.add_argument(
        "--every", type=one_or_more, default=1, metavar="N", help="take every Nth frame"
    )


def _read_video(options: Namespace, crop: CropResize) -> list[Recording]:
    return [custom.read_video(options.root, options.calib, options.every, crop)]


def _read_robotcar(options: Namespace, crop: CropResize) -> list[Recording]:
    found = (robotcar.read(r, options.models, options.camera) for r in robotcar.find(options.root))
    return _recordings(found, options, crop)


def _read_nuscenes(options: Namespace, crop: CropResize) -> list[Recording]:
    names = set(options.scenes.read_text().split()) if options.scenes else set()
    return _recordings(nuscenes.read(options.root, options.light, names), options, crop)


def _recordings(drives: Iterable[Drive], options: Namespace, crop: CropResize) -> list[Recording]:
    """Return the parts of drives, cut and resized, between which no frame is missing."""
    drives = [drive for drive in drives if options.only in drive.name]
    whole = without_broken(drives, options.skip_broken)
    return [recording(part, crop) for drive in whole for part in split(drive)]


def without_broken(drives: list[Drive], skip: bool) -> list[Drive]:
    """Return the drives without broken files: there are none, or they are left out (``skip``).

    Raises:
        DataError: files are missing or broken, and not to be skipped.
    """
    files = [frame.image for drive in drives for frame in drive.frames]
    broken = broken_files(tqdm(files, unit="file", desc="checking", disable=len(files) < 1000))
    if broken and not skip:
        raise DataError(
            f"{describe(broken, len(files))}; copy or download them again, or leave them out with "
            "--skip-broken"
        )
    if broken:
        print(f"left out {describe(broken, len(files))}", file=sys.stderr)
    return [
        replace(drive, frames=tuple(f for f in drive.frames if f.image not in broken))
        for drive in drives
    ]


DATA_SETS = {
    "kitti": DataSet(
        "KITTI odometry or raw; also the synthetic world",
        lambda _: None,
        _read_kitti,
        in_place=True,
    ),
    "nyuv2": DataSet(
        "NYU Depth V2, the Kinect's raw video", _nyuv2_options, _read_nyuv2, nyuv2.CROP
    ),
    "nyuv2-test": DataSet(
        "NYU Depth V2, the 654 test images with depth (ROOT is nyu_depth_v2_labeled.mat)",
        _nyuv2_test_options,
        _read_nyuv2_test,
    ),
    "folder": DataSet("a folder of images with a calibration", _folder_options, _read_folder),
    "video": DataSet("a video file with a calibration", _video_options, _read_video),
    "robotcar": DataSet(
        "Oxford RobotCar, stereo camera, by day or night",
        robotcar_options,
        _read_robotcar,
        robotcar.CROP,
    ),
    "cityscapes": DataSet(
        "Cityscapes, sequences of the left camera",
        _cityscapes_options,
        _read_cityscapes,
        cityscapes.CROP,
    ),
    "nuscenes": DataSet(
        "nuScenes, front camera, by day or night", nuscenes_options, _read_nuscenes
    ),
}
