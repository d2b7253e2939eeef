"""What is about to be written as a drive: frames whose pixels are made when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdepth.errors import CameraError, DataError
from sdepth.geometry.camera import Camera
from sdepth.stamp_order import fault
from training.data.check import check_size
from training.data.crop_resize import CropResize, cropped
from training.data.drive import Drive, Frame, read_depth, read_image

_LINKED = (".png", ".jpg", ".jpeg")
"""Files of these kinds are linked to where they need nothing done to them."""
_GAP = 1.8
"""A frame is missing after this many median periods."""


@dataclass(frozen=True)
class RecordedFrame:
    """A frame about to be written: its pixels are made when they are needed.

    Attributes:
        name: of its files, without ending.
        stamp_ns: time of exposure, nanoseconds.
        image: a file to link to, or what makes the pixels (H, W, 3), RGB, as they came.
        depth: likewise the depth (H, W), metres, 0 where unknown; or None.
        T_world_cam: pose (4, 4) of the camera, metres, or None.
    """

    name: str
    stamp_ns: int
    image: Path | Callable[[], NDArray[np.uint8]]
    depth: Path | Callable[[], NDArray[np.float32]] | None = None
    T_world_cam: NDArray[np.float64] | None = None

    def pixels(self) -> NDArray[np.uint8]:
        """Return the pixels (H, W, 3), RGB, as they came: ``Recording.rectified`` makes an image.

        Raises:
            DataError: missing or damaged.
        """
        return read_image(self.image) if isinstance(self.image, Path) else self.image()


@dataclass(frozen=True)
class Recording:
    """A sequence about to be written: frames, in order of time, of one camera.

    Attributes:
        name: of the sequence.
        camera: of its images, rectified, cut and resized.
        count: of its frames.
        frames: opens them.
        camera_height_m: above the road, where known.
        rectify: makes an image (H, W, 3) of the pixels of a frame as they came; None where those
            are the image.
    """

    name: str
    camera: Camera
    count: int
    frames: Callable[[], Iterator[RecordedFrame]]
    camera_height_m: float | None = None
    rectify: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None

    def rectified(self, pixels: NDArray[np.uint8], frame: str) -> NDArray[np.uint8]:
        """Return the image (H, W, 3) of a frame's pixels as they came.

        Raises:
            DataError: they are not of this camera's size; names ``frame``.
        """
        try:
            image = pixels if self.rectify is None else self.rectify(pixels)
        except CameraError as err:
            raise DataError(f"{self.name}, {frame}: {err}") from err
        check_size(image, self.camera, f"{self.name}, {frame}")
        return image


def recording(drive: Drive, crop: CropResize | None = None) -> Recording:
    """Return a drive as a recording, cut and resized; files that need nothing are linked to."""
    crop = crop or CropResize()
    drive = cropped(drive, crop)

    def recorded(frame: Frame) -> RecordedFrame:
        linked = drive.rectify is None and frame.image.suffix.lower() in _LINKED
        image = frame.image if linked else partial(read_image, frame.image)
        depth: Path | Callable[[], NDArray[np.float32]] | None = frame.depth
        if isinstance(depth, Path) and crop != CropResize():
            depth = partial(_read_depth, depth, crop)
        return RecordedFrame(frame.image.stem, frame.stamp_ns, image, depth, frame.T_world_cam)

    return Recording(
        drive.name,
        drive.camera,
        len(drive.frames),
        lambda: map(recorded, drive.frames),
        drive.camera_height_m,
        drive.rectify,
    )


def _read_depth(path: Path, crop: CropResize) -> NDArray[np.float32]:
    """Return a depth PNG (H, W), metres, cut and resized."""
    return crop.depth(read_depth(path))


def check_times(frames: tuple[Frame, ...]) -> None:
    """Refuse times that do not increase.

    Raises:
        DataError: they do not.
    """
    for before, after in pairwise(frames):
        if said := fault(after.stamp_ns, before.stamp_ns):
            raise DataError(f"{after.image}: {said}; sort the frames or remove the repeated one")


def split(drive: Drive, shortest: int = 3) -> list[Drive]:
    """Return the parts of a drive between which frames are missing, or poses come and go.

    In training, neighbours count as evenly spaced. Parts shorter than ``shortest`` are left out.
    """
    check_times(drive.frames)
    if len(drive.frames) < shortest:
        return []
    steps = np.diff([frame.stamp_ns for frame in drive.frames])
    known = np.array([frame.T_world_cam is not None for frame in drive.frames])
    cuts = np.flatnonzero((steps > _GAP * np.median(steps)) | (known[1:] != known[:-1])) + 1
    ends = [0, *cuts.tolist(), len(drive.frames)]
    parts = [drive.frames[a:b] for a, b in pairwise(ends) if b - a >= shortest]
    if len(parts) == 1:
        return [replace(drive, frames=parts[0])]
    return [replace(drive, name=f"{drive.name}_{i:02d}", frames=p) for i, p in enumerate(parts)]
