"""A bag as sequences to train on: images of one topic, rectified, with camera, times and poses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bags.images import STAMPS, Images, base_topic, find_topic, info_topic, read_images
from bags.read import read_messages, topic_types
from bags.video import Picture, pictures
from sdepth.errors import CameraError, DataError, ImageError
from sdepth.geometry.calibration import read_calibration
from sdepth.geometry.camera import Camera
from sdepth.geometry.rectify import Lens, Rectify
from sdepth_ros.conversions import to_lens
from training.data.check import check_lens, rectification
from training.data.crop_resize import CropResize, cropped
from training.data.drive import Drive, Frame
from training.data.recording import RecordedFrame, Recording, split


@dataclass(frozen=True)
class Topics:
    """Which topics of a bag to take; empty ones are found.

    Attributes:
        image: of the images; the only one there is.
        camera_info: by default the image's sibling.
        odometry: of the poses, or ``/tf``; ``none`` for none.
        calib: file (``read_calibration``) that takes the place of camera_info, where given.
        stamps: one of ``STAMPS``: times are of the headers, or of the bag's reception.
    """

    image: str = ""
    camera_info: str = ""
    odometry: str = ""
    calib: str | None = None
    stamps: str = STAMPS[0]


def read_bag(
    bag: Path,
    topics: Topics,
    crop: CropResize,
    skip_broken: bool = False,
    whole: bool = False,
) -> list[Recording]:
    """Return the recordings in a bag: its images, split where some are missing.

    Args:
        bag: in any form that ``open_bag`` knows.
        topics: which to take.
        crop: what to cut the rectified images to.
        skip_broken: leave out images whose stamps do not come after those before.
        whole: one recording, whatever is missing.

    Raises:
        DataError: no bag, no images or calibration, several to choose from, or times go back.
        CameraError: the calibration is not that of a camera.
    """
    types = topic_types(bag)
    image = find_topic(bag, topics.image, types)
    info = topics.camera_info or info_topic(image, types)
    found = read_images(bag, image, info, types)
    times = found.times(bag, topics.stamps, skip_broken)
    if topics.calib:
        lens = read_calibration(Path(topics.calib))
    elif found.camera_info is not None:
        lens = to_lens(found.camera_info, f"{bag}: {info}")
    else:
        raise DataError(
            f"{bag}: nothing on {info}, where the camera of {image} is expected; name it with "
            "--camera-info, or a calibration file with --calib"
        )
    camera, rectify = _camera(lens, image)
    stamps = list(times.values())
    known = found.poses(topics.stamps).at(stamps, found.frame_id, topics.odometry, bag)
    frames = (Frame(bag / _file(s), s, T) for s, T in zip(stamps, known, strict=True))
    drive = Drive(bag.name, camera, tuple(frames), rectify=rectify)
    parts = [drive] if whole else split(drive)
    if not parts or not stamps:
        raise DataError(f"{bag}: {len(stamps)} images on {image}; expected three in a row")
    return [_part(cropped(part, crop), bag, found, times) for part in parts]


def read_frames(
    recording: Recording, skip_broken: bool = False
) -> Iterator[tuple[RecordedFrame, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield every frame of a recording, its pixels as they came and its image, RGB (H, W, 3).

    Raises:
        DataError: an image is broken, unless those are skipped, or all are.
    """
    count = 0
    for frame in recording.frames():
        try:
            raw = frame.pixels()
            image = recording.rectified(raw, frame.name)
        except DataError:
            if skip_broken:
                continue
            raise
        yield frame, raw, image
        count += 1
    if not count:
        raise DataError(f"{recording.name}: no image can be decoded")


def _part(drive: Drive, bag: Path, images: Images, times: dict[int, int]) -> Recording:
    """Return a part of a bag, whose images are decoded as they are written."""
    frames = {frame.stamp_ns: frame for frame in drive.frames}
    mine = {number: frames[time] for number, time in times.items() if time in frames}

    def recorded() -> Iterator[RecordedFrame]:
        encoded = (msg for _, _, msg in read_messages(bag, images.topic))
        for number, decode in pictures(encoded, images.codec, f"{bag}: {images.topic}"):
            if frame := mine.get(number):
                make = partial(_pixels, decode, frame.image)
                yield RecordedFrame(
                    frame.image.name, frame.stamp_ns, make, T_world_cam=frame.T_world_cam
                )

    return Recording(drive.name, drive.camera, len(frames), recorded, rectify=drive.rectify)


def _pixels(decode: Picture, where: Path) -> NDArray[np.uint8]:
    """Return a decoded image."""
    try:
        return decode()
    except (ImageError, CameraError) as err:
        raise DataError(f"{where}: {err}") from err


def _camera(lens: Lens, topic: str) -> tuple[Camera, Rectify | None]:
    """Return the rectified camera, and what rectifies its images."""
    if "rect" in base_topic(topic).rpartition("/")[2]:
        return check_lens(lens.rectified, lens.name), None
    return rectification(lens)


def _file(stamp: int) -> str:
    """Return the name of the image of a time, without ending."""
    return f"{stamp:019d}"
