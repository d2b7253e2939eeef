"""The field's lists of images for training or testing, one image a line.

Forms: "FOLDER NUMBER SIDE" (KITTI: SIDE is l or r), "FOLDER NUMBER", "FOLDER/NAME" or "NAME", and
paths, absolute or not, such as "sequences/00/image_2/000003.png".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from sdepth.errors import DataError
from training.data.drive import IMAGES, Drive
from training.data.open_drive import read_drive
from training.data.text import text_lines

_Key = tuple[str, str, bool]
"""Folder, name, and whether it is the right camera's."""


def read_list(path: Path) -> tuple[str, ...]:
    """Return the lines of a list.

    Raises:
        DataError: missing or empty.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such list; a protocol's `split` says where it is from")
    lines = tuple(line.strip() for line in text_lines(path) if line.strip())
    if not lines:
        raise DataError(f"{path}: empty; expected one image a line")
    return lines


def find_frames(
    folders: Sequence[Path], lines: Sequence[str], path: Path | None
) -> list[tuple[Drive, int]]:
    """Return the drive and place in it of each line's image.

    Args:
        folders: of drives (``find_drives``).
        lines: of a list; drives of the right camera are read where one asks for it.
        path: where the lines are from.

    Raises:
        DataError: a line's image is not there.
    """
    keys = [_parse(line) for line in lines]
    known: dict[_Key, tuple[Drive, int]] = {}
    for right in sorted({right for _, _, right in keys}):
        for folder in folders:
            drive = read_drive(folder, right)
            for i, frame in enumerate(drive.frames):
                name = _key(frame.image.stem.removesuffix("_leftImg8bit"))
                known[_key(folder.name), name, right] = drive, i
                known.setdefault(("", name, right), (drive, i))
    for line, key in zip(lines, keys, strict=True):
        if key not in known:
            raise DataError(
                f"{path}: no image of '{line}' in {len(folders)} drives beside {folders[0]}; is "
                "all of the dataset there?"
            )
    return [known[key] for key in keys]


def _parse(line: str) -> _Key:
    """Return what a line names."""
    line = line.replace("\\", "/")
    words = line.split()
    if len(words) > 1 and Path(line).suffix.lower() not in IMAGES:
        place, name, right = words[0], words[1], words[2:3] == ["r"]
        return _key(Path(place).name), _key(_without_ending(name)), right
    *folders, name = line.split("/")
    inner = [folder for folder in folders if folder != "data"]
    camera = re.fullmatch(r"image_0?([0-3])", inner[-1]) if inner else None
    place = "/".join(inner[:-1] if camera else inner)
    right = camera is not None and camera[1] in "13"
    return _key(Path(place).name), _key(_without_ending(name)), right


def _without_ending(name: str) -> str:
    """Return the name of an image file without .png, .jpg and their like."""
    return Path(name).stem if Path(name).suffix.lower() in IMAGES else Path(name).name


def _key(name: str) -> str:
    """Return a name that is the same for a number with and without leading zeros."""
    return str(int(name)) if name.isdigit() else name
