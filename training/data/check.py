"""What is wrong with the files of a data set, found before hours are spent on them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sdepth.errors import CameraError, DataError
from sdepth.geometry.camera import Camera
from sdepth.geometry.rectify import Lens, Rectify

_ENDS = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9"}
_TAIL = 4096
_NAMED = 5
"""So many broken files are named, and the rest counted."""


def flaw(path: Path) -> str | None:
    """Return what is wrong with an image file, None where it seems whole.

    A file that stops early is found by its end or size, without decoding it; a JPEG decoder would
    fill what is missing with grey.
    """
    if not path.is_file():
        return "missing"
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(64)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    if not size:
        return "empty"
    if path.suffix.lower() == ".ppm":
        found = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", head)
        whole = found and size >= found.end() + 3 * int(found[1]) * int(found[2])
        return None if whole else "truncated"
    end = _ENDS.get(path.suffix.lower())
    if end is None:
        return f"{path.suffix or 'no ending'}: expected a .png, .jpg or .ppm image; convert it"
    return None if tail.rstrip(b"\0\r\n").endswith(end) else "truncated"


def check_whole(path: Path) -> None:
    """Refuse an image file that is missing or stops early.

    Raises:
        DataError: it does.
    """
    if said := flaw(path):
        raise DataError(f"{path}: image is {said}; copy or render it again")


def broken_files(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the broken ones of image files, each with its flaw."""
    return {path: said for path in paths if (said := flaw(path))}


def describe(broken: dict[Path, str], count: int) -> str:
    """Return one line that counts broken files by flaw and names the first."""
    flaws = list(broken.values())
    kinds = ", ".join(f"{flaws.count(kind)} {kind}" for kind in dict.fromkeys(flaws))
    named = ", ".join(f"{path} ({said})" for path, said in list(broken.items())[:_NAMED])
    more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
    return f"{kinds} of {count} images: {named}{more}"


def check_size(image: NDArray[np.uint8], camera: Camera, name: str) -> None:
    """Refuse an image (H, W, 3) of another size than its camera's.

    Raises:
        DataError: the sizes differ.
    """
    height, width = image.shape[:2]
    if (width, height) != (camera.width, camera.height):
        raise DataError(_other_size(name, (width, height), camera))


def file_size(path: Path) -> tuple[int, int] | None:
    """Return (width, height) of an image file by its head, without decoding it; None: no image."""
    try:
        with Image.open(path) as image:
            return image.size
    except Exception:  # what is no image makes its readers raise anything
        return None


def check_file_size(path: Path, camera: Camera) -> None:
    """Refuse an image file of another size than its camera's.

    Raises:
        DataError: the sizes differ.
    """
    size = file_size(path)
    if size not in (None, (camera.width, camera.height)):
        raise DataError(_other_size(str(path), size, camera))


def _other_size(name: str, size: tuple[int, int] | None, camera: Camera) -> str:
    """Return what says that an image is of another size than its camera's."""
    width, height = size or (0, 0)
    return (
        f"{name}: image of {width}x{height}, its camera's is {camera.width}x{camera.height}; "
        "was it recorded with another camera? put it in a folder of its own, with its calibration"
    )


def lens_of(K: NDArray[np.float64], size: tuple[int, int], where: object) -> Camera:
    """Return the camera of an intrinsic matrix (3, 3) or (3, 4) and an image (width, height).

    Raises:
        CameraError: naming ``where``: not a camera, or not a lens (``check_lens``).
    """
    try:
        camera = Camera.from_matrix(K, *size)
    except CameraError as err:
        raise CameraError(f"{where}: {err}") from err
    return check_lens(camera, where)


def rectification(lens: Lens) -> tuple[Camera, Rectify | None]:
    """Return the camera after rectification, and what rectifies an image, or None.

    Raises:
        CameraError: not a lens, before or after (``check_lens``), or not one we can rectify.
    """
    camera, rectify = lens.rectification()
    check_lens(lens.raw, lens.name)
    return check_lens(camera, lens.name), rectify


def check_lens(camera: Camera, where: object) -> Camera:
    """Return the camera, whose numbers could be those of a lens and sensor.

    Raises:
        CameraError: a field of view outside 3 to 140 degrees, pixels four times as wide as high
            (or the other way round), or a principal point outside the image.
    """
    width, height = camera.width, camera.height
    views = camera.fx / width, camera.fy / height
    if not (min(views) > 0.18 and max(views) < 20 and 0.25 < camera.fx / camera.fy < 4):
        raise CameraError(
            f"{where}: focal lengths {camera.fx:g}, {camera.fy:g} px for {width}x{height} pixels "
            "are no lens's; expected 0.2 to 20 image widths, and about equal; is the calibration "
            "of this image size, in pixels?"
        )
    if not (-0.5 <= camera.cx <= width - 0.5 and -0.5 <= camera.cy <= height - 0.5):
        raise CameraError(
            f"{where}: principal point {camera.cx:g}, {camera.cy:g} is outside the "
            f"{width}x{height} image; is the calibration of this image size, and after its crop?"
        )
    return camera
