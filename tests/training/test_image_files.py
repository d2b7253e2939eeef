"""Folders of images are read in the order that a person would."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sdepth.errors import DataError
from training.data.drive import image_files, read_image


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


@pytest.mark.parametrize(("white", "bits"), [(900, 10), (4095, 12), (16000, 14), (65535, 16)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_white_is_white_whatever_the_sensor(
    tmp_path: Path, white: int, bits: int, channels: int
) -> None:
    shape = (4, 6, channels)[: 2 + (channels > 1)]
    for i in range(40):  # most are dark
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full(shape, white >> (i > 0), np.uint16))

    assert (read_image(tmp_path / "0.png") == white >> (bits - 8)).all()
    assert (read_image(tmp_path / "39.png") == (white >> 1) >> (bits - 8)).all()


def test_few_bits_are_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((4, 6), 4000, np.uint16))
    for i in range(3):
        read_image(tmp_path / f"{i}.png")
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{tmp_path}: images of 16 bits, taken as 12, which is what they hold"
    )


def test_eight_bits_are_as_they_were(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), pixels[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), pixels)
