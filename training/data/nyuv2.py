"""NYU Depth V2 as it is downloaded: the Kinect's raw video, and the labelled test images.

    ROOT/SCENE/r-1294886360.208451-2996770081.ppm        raw video: 640x480, 30 Hz, distorted
    nyu_depth_v2_labeled.mat, splits.mat                 1449 images with depth; 654 for testing

Source: Silberman et al. 2012; the camera is that of the data set's toolbox (camera_params.m).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from sdepth.errors import DataError
from sdepth.geometry.rectify import Lens
from training.data.check import rectification
from training.data.crop_resize import CropResize
from training.data.drive import Drive, Frame
from training.data.recording import RecordedFrame, Recording

CROP = "560x426+41+45"
"""Where the toolbox takes depth and image to overlap; the evaluation's crop, too."""
EVERY = 10
"""A hand-held 30 Hz camera hardly moves from frame to frame."""
_SIZE = (640, 480)
_K = (
    518.85790117450188,
    0,
    325.58244941119034,
    0,
    519.46961112127485,
    253.73616633400465,
    0,
    0,
    1,
)
_D = (0.20796615318809061, -0.58613825163911781, 7.2231363135888329e-4, 1.0479627195765181e-3,
      0.49856986684705107)  # fmt: skip
_LENS = Lens("NYUv2", _SIZE, "plumb_bob", _K, _D)


def read(root: Path, every: int = EVERY) -> list[Drive]:
    """Return a drive for each scene of the raw data set, of undistorted images.

    Args:
        root: folder of scenes, or one of them.
        every: take every so many frames.

    Raises:
        DataError: no images, or names without a time.
    """
    images = sorted(root.glob("r-*.ppm")) or sorted(root.glob("*/r-*.ppm"))
    if not images:
        raise DataError(
            f"{root}: no SCENE/r-*.ppm; unpack the raw data set (bathrooms_part1.zip, ...) here"
        )
    camera, rectify = rectification(_LENS)
    scenes: dict[Path, list[Frame]] = {}
    for image in images:
        scenes.setdefault(image.parent, []).append(Frame(image, _stamp_ns(image)))
    drives = []
    for folder, frames in scenes.items():
        frames.sort(key=lambda frame: frame.stamp_ns)
        drives.append(Drive(folder.name, camera, tuple(frames[::every]), rectify=rectify))
    return drives


def read_test(path: Path, splits: Path, crop: CropResize) -> Recording:
    """Return the test images with their depth as one recording; they are no video.

    Args:
        path: nyu_depth_v2_labeled.mat.
        splits: splits.mat, which says which ones are for testing.
        crop: what to cut images and depth to.

    Raises:
        DataError: a file is missing, damaged or of other contents.
    """
    file = _open(path)
    try:
        numbers = [int(n) for n in loadmat(splits)["testNdxs"].ravel()]
    except (OSError, KeyError, ValueError) as err:
        raise DataError(
            f"{splits}: no testNdxs that can be read ({err}); download it again"
        ) from err
    images, depths = file["images"], file["depths"]
    if max(numbers) > len(images) or images.shape[1:] != (3, *_SIZE) or len(depths) != len(images):
        raise DataError(
            f"{path}: images {images.shape}, depths {depths.shape} for number {max(numbers)}; "
            "expected (1449, 3, 640, 480) and (1449, 640, 480)"
        )

    def frames() -> Iterator[RecordedFrame]:
        for number in numbers:
            image, depth = partial(_image, images, number), partial(_depth, depths, number)
            yield RecordedFrame(
                f"{number:05d}",
                number * 10**9,
                lambda image=image: crop.image(image()),  # type: ignore[misc]
                lambda depth=depth: crop.depth(depth()),  # type: ignore[misc]
            )

    return Recording("test", crop.camera(_LENS.rectified), len(numbers), frames)


def _image(images: Any, number: int) -> NDArray[np.uint8]:
    """Return image ``number`` (480, 640, 3), counted from one, as MATLAB does."""
    return np.ascontiguousarray(images[number - 1].transpose(2, 1, 0))


def _depth(depths: Any, number: int) -> NDArray[np.float32]:
    """Return depth ``number`` (480, 640), metres."""
    return np.asarray(depths[number - 1].T, np.float32)


def _open(path: Path) -> Any:
    """Return a MATLAB 7.3 file, which is an HDF5 file."""
    import h5py

    try:
        file = h5py.File(path)
        if not {"images", "depths"} <= set(file):
            raise OSError(f"it holds {', '.join(file)}")
    except OSError as err:
        raise DataError(f"{path}: not the labelled data set ({err}); download it again") from err
    return file


def _stamp_ns(image: Path) -> int:
    """Return the time in an image's name, nanoseconds."""
    try:
        return int(Decimal(image.stem.split("-")[1]) * 10**9)
    except (InvalidOperation, IndexError) as err:
        raise DataError(f"{image}: expected r-SECONDS-NUMBER.ppm; remove it") from err
