"""Folders of images are read in the order that a person would."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdepth.errors import DataError
from training.data.drive import image_files


@pytest.mark.parametrize(
    "names",
    [
        ("1.png", "2.png", "10.png", "11.png", "100.png"),
        ("0001.png", "0002.png", "0010.png", "1000.png", "10000.png"),
        ("frame_1.JPG", "FRAME_2.jpg", "frame_10.jpeg", "frame_11.PNG"),
        ("cam0-9-left.ppm", "cam0-10-left.ppm", "cam1-1-left.ppm"),
        ("1305031102.12.png", "1305031102.2.png", "1305031103.175304.png", "2305031102.1.png"),
        ("99-2.png", "99-10.png", "a.png", "b.png"),
    ],
)
def test_images_come_in_their_natural_order(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in (*reversed(names), "._1.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "0.png").mkdir()

    assert [path.name for path in image_files(tmp_path)] == list(names)


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("1.jpg", "1.png"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"1\.png: stands beside 1\.jpg"):
        image_files(tmp_path)
