"""Cityscapes: runs of frames become drives without the bonnet, and damage is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdepth.errors import CameraError, DataError
from tests.training.trees import write_cityscapes
from training.data.cityscapes import read
from training.data.drive import read_image
from training.data.open_drive import find_drives, read_drive
from training.data.prepare import main

RUNS = {"aachen_000000": range(4), "aachen_000001": range(3), "bochum_000000": range(275, 280)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root of two cities and three sequences, images of 128x64."""
    return write_cityscapes(tmp_path / "cityscapes", RUNS, (64, 128))


def test_runs_of_frames_are_drives_with_their_camera(root: Path) -> None:
    drives = read(root)
    names = ["aachen_000000_000000", "aachen_000001_000000", "bochum_000000_000275"]
    assert [drive.name for drive in drives] == names
    assert [len(drive.frames) for drive in drives] == [4, 3, 5]
    assert (drives[2].camera.fx, drives[2].camera.cx, drives[2].camera.width) == (140.8, 64, 128)
    period_s = (drives[2].frames[4].stamp_ns - drives[2].frames[0].stamp_ns) * 1e-9 / 4
    assert period_s == pytest.approx(1 / 17)


def test_a_missing_frame_ends_a_run(root: Path) -> None:
    (root / "leftImg8bit_sequence/train/bochum/bochum_000000_000276_leftImg8bit.png").unlink()
    assert [len(drive.frames) for drive in read(root)] == [4, 3, 1, 3]


def test_timestamps_are_used_where_they_are_there(root: Path) -> None:
    folder = root / "timestamp_sequence/train/aachen"
    folder.mkdir(parents=True)
    for i in range(4):
        (folder / f"aachen_000000_{i:06d}_timestamp.txt").write_text(f"{58_000_000 * i}\n")
    assert [f.stamp_ns for f in read(root)[0].frames] == [58_000_000 * i for i in range(4)]


def test_prepared_the_lowest_quarter_is_gone(root: Path, tmp_path: Path) -> None:
    args = ["cityscapes", str(root), str(tmp_path / "out"), "--crop", "128x48+0+0"]
    assert main([*args, "--size", "64x24"]) == 0
    folders = find_drives(tmp_path / "out")
    made, was = read_drive(folders[0]), read(root)[0]
    assert len(folders) == 3
    assert made.camera == was.camera.cropped(0, 0, 128, 48).resized(64, 24)
    half = was.read(was.frames[1])[:48].reshape(24, 2, 64, 2, 3).mean((1, 3))
    error = np.abs(read_image(made.frames[1].image) - half)
    assert error.max() <= 0.5  # rounding


def test_the_published_crop_refuses_images_of_another_size(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cityscapes", str(root)]) == 2
    assert "crop 2048x768+0+0 leaves the 128x64 image" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"no bochum_000000_\*_camera\.json; unpack camera_trainvaltest"),
        ("{}", r"expected intrinsic with fx, fy, u0, v0 \(KeyError"),
        ("fx: 3", "expected intrinsic with fx, fy, u0, v0"),
        ('{"intrinsic": {"fx": -1, "fy": 1, "u0": 1, "v0": 1}}', r"camera\.json: .*fx, fy > 0"),
        ('{"intrinsic": {"fx": 9e4, "fy": 9e4, "u0": 1, "v0": 1}}', "are no lens's"),
    ],
)
def test_bad_cameras_are_refused(root: Path, content: str | None, message: str) -> None:
    path = root / "camera/train/bochum/bochum_000000_000279_camera.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises((DataError, CameraError), match=message):
        read(root)


def test_wrong_folders_and_names_are_refused(root: Path) -> None:
    with pytest.raises(DataError, match="unpack leftImg8bit_sequence_trainvaltest"):
        read(root, "val")
    (root / "leftImg8bit_sequence/train/aachen/holiday.png").touch()
    with pytest.raises(DataError, match=r"holiday\.png: expected CITY_000000_000000"):
        read(root)
