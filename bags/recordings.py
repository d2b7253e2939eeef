"""A bag as sequences to train on: images of one topic, rectified, with camera, times and poses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bags.poses import PoseLog
from bags.read import read_messages, topic_types
from sdepth.calibration import read_calibration
from sdepth.camera import Camera
from sdepth.errors import CameraError, DataError, ImageError
from sdepth.lens import Develop, Lens
from sdepth_ros.conversions import stamp_ns, to_lens, to_rgb
from training.data.check import check_lens, check_size, rectification
from training.data.drive import Drive, Frame
from training.data.recording import Recording, Shot, split
from training.data.trim import Trim

_IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_POSES = ("nav_msgs/msg/Odometry", "tf2_msgs/msg/TFMessage")


@dataclass(frozen=True)
class Topics:
    """Which topics of a bag to take; empty ones are found.

    Attributes:
        image: of the images; the only one there is.
        camera_info: by default the image's sibling.
        odometry: of the poses, or ``/tf``; ``none`` for none.
        calib: file (``read_calibration``) that takes the place of camera_info, where given.
    """

    image: str = ""
    camera_info: str = ""
    odometry: str = ""
    calib: str | None = None


def read_bag(
    bag: Path, topics: Topics, trim: Trim, skip_broken: bool = False, whole: bool = False
) -> list[Recording]:
    """Return the recordings in a bag: its images, split where some are missing.

    Args:
        bag: in any form that ``open_bag`` knows.
        topics: which to take.
        trim: what to cut the rectified images to.
        skip_broken: leave out images whose stamps do not come after those before.
        whole: one recording, whatever is missing.

    Raises:
        DataError: no bag, no images or calibration, several to choose from, or times go back.
        CameraError: the calibration is not that of a camera.
    """
    types = topic_types(bag)
    image = topics.image or _only([t for t, kind in types.items() if kind in _IMAGES], bag)
    if types.get(image) not in _IMAGES:
        raise DataError(f"{bag}: no images on {image}; got {', '.join(sorted(types))}")
    info = (
        topics.camera_info or f"{image.removesuffix('/compressed').rpartition('/')[0]}/camera_info"
    )
    stamps, message, poses, frame_id = _index(bag, image, info, types)
    if skip_broken:
        later = np.maximum.accumulate([-1, *stamps[:-1]])
        stamps = [stamp for stamp, before in zip(stamps, later, strict=True) if stamp > before]
    if topics.calib:
        lens = read_calibration(Path(topics.calib))
    elif message is not None:
        lens = to_lens(message, f"{bag}: {info}")
    else:
        raise DataError(
            f"{bag}: nothing on {info}, where the camera of {image} is expected; name it with "
            "--camera-info, or a calibration file with --calib"
        )
    camera, develop = _camera(lens, image)
    known = poses.at(stamps, frame_id, topics.odometry, bag)
    frames = (Frame(bag / _file(s), s, T) for s, T in zip(stamps, known, strict=True))
    drive = Drive(bag.name, camera, tuple(frames), develop=develop)
    parts = [drive] if whole else split(drive)
    if not parts or not stamps:
        raise DataError(f"{bag}: {len(stamps)} images on {image}; expected three in a row")
    return [_part(part, bag, image, trim) for part in parts]


def _part(drive: Drive, bag: Path, topic: str, trim: Trim) -> Recording:
    """Return a part of a bag, whose images are decoded as they are written."""
    frames = {frame.stamp_ns: frame for frame in drive.frames}

    def shots() -> Iterator[Shot]:
        done: set[int] = set()
        for _, _, msg in read_messages(bag, topic):
            stamp = stamp_ns(msg.header)
            if stamp in frames and stamp not in done:
                done.add(stamp)
                picture = partial(_picture, msg, drive, trim, frames[stamp].image)
                yield Shot(_file(stamp), stamp, picture, T_world_cam=frames[stamp].T_world_cam)

    return Recording(drive.name, trim.camera(drive.camera), len(frames), shots)


def _picture(msg: Any, drive: Drive, trim: Trim, where: Path) -> NDArray[np.uint8]:
    """Return the image of a message, rectified and trimmed."""
    try:
        image = to_rgb(msg)
        image = image if drive.develop is None else drive.develop(image)
    except (ImageError, CameraError) as err:
        raise DataError(f"{where}: {err}") from err
    check_size(image, drive.camera, str(where))
    return trim.image(image)


def _index(
    bag: Path, image: str, info: str, types: dict[str, str]
) -> tuple[list[int], Any, PoseLog, str]:
    """Return the images' stamps, the first camera_info if any, all poses, the images' frame."""
    stamps: list[int] = []
    poses, camera_info, frame_id = PoseLog(), None, ""
    moving = [topic for topic, kind in types.items() if kind in _POSES]
    for topic, _, msg in read_messages(bag, image, info, *moving):
        if topic == image:
            stamps.append(stamp_ns(msg.header))
            frame_id = frame_id or msg.header.frame_id
        elif topic == info:
            camera_info = camera_info or msg
        else:
            poses.add(topic, msg)
    return stamps, camera_info, poses, frame_id


def _camera(lens: Lens, topic: str) -> tuple[Camera, Develop | None]:
    """Return the rectified camera, and what rectifies its images."""
    if "rect" in topic.removesuffix("/compressed").rpartition("/")[2]:
        return check_lens(lens.rectified, lens.name), None
    return rectification(lens)


def _only(topics: Sequence[str], bag: Path) -> str:
    """Return the one topic of images."""
    if len(topics) != 1:
        got = ", ".join(sorted(topics)) or "none"
        raise DataError(f"{bag}: topics of images: {got}; choose one with --image TOPIC")
    return topics[0]


def _file(stamp: int) -> str:
    """Return the name of the image of a time, without ending."""
    return f"{stamp:019d}"
