"""RobotCar: raw images become what the SDK makes of them, and damage is named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from sdepth.errors import CameraError, DataError
from tests.training.trees import ROBOTCAR_MODEL, mosaic, pictures, write_robotcar
from training.data.drive import read_image
from training.data.open_drive import find_drives, read_drive
from training.data.prepare import main
from training.data.robotcar import find, read

SMALL = "98 98 63.5 47.5\n" + ROBOTCAR_MODEL.split("\n", 1)[1]


@pytest.fixture
def tree(tmp_path: Path) -> tuple[Path, Path]:
    """Return a traversal of six 128x96 images and its models."""
    return write_robotcar(tmp_path, pictures(6, (96, 128)), SMALL)


def test_real_night_pixels_survive_mosaic_and_demosaic(shared_data: Path, tmp_path: Path) -> None:
    sample = shared_data / "night_robotcar"
    if not sample.is_dir():
        pytest.skip(f"{sample} is not there")
    night = read_image(sample / "left_sequence/00001.png")
    whole = cv2.copyMakeBorder(night, 0, 960 - len(night), 0, 0, cv2.BORDER_REPLICATE)
    model = (sample / "calib/models/stereo_wide_left.txt").read_text()
    drive = read(*write_robotcar(tmp_path, [whole] * 3, model))
    assert (drive.camera.fx, drive.camera.cy, drive.camera.height) == (983.044006, 493.378998, 960)
    error = drive.read(drive.frames[0]).astype(float) - whole
    assert np.sqrt((error**2).mean()) < 4  # of 255: noise that two thirds of samples cannot show


def test_undistortion_is_the_sdks(tmp_path: Path) -> None:
    (image,) = pictures(1, (96, 128))
    drive = read(*write_robotcar(tmp_path, [image] * 3, SMALL, bulge=2.25))
    rgb = cv2.cvtColor(mosaic(image), cv2.COLOR_BayerGR2RGB)
    v, u = np.mgrid[:96, :128]
    expected = [
        map_coordinates(rgb[..., c].astype(float), (v, u + 2.25), order=1) for c in range(3)
    ]
    error = np.abs(drive.read(drive.frames[0])[:, :-3] - np.stack(expected, -1)[:, :-3])
    assert error.max() <= 1  # rounding


def test_poses_are_those_of_the_camera_looking_along_the_road(tree: tuple[Path, Path]) -> None:
    drive = read(*tree)
    assert drive.frames[1].stamp_ns - drive.frames[0].stamp_ns == 62_500_000
    pose = drive.frames[4].T_world_cam
    assert pose is not None
    np.testing.assert_allclose(pose[:3], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2]], atol=1e-9)


def test_prepared_it_is_cropped_resized_and_trained_on_as_any_drive(
    tree: tuple[Path, Path], tmp_path: Path
) -> None:
    traversal, models = tree
    out = tmp_path / "out"
    args = ["robotcar", str(traversal), str(out), "--models", str(models)]
    assert main([*args, "--crop", "96x64+16+8", "--size", "48x32"]) == 0
    (folder,) = find_drives(out)
    drive, raw = read_drive(folder), read(traversal, models)
    assert drive.camera == raw.camera.cropped(16, 8, 96, 64).resized(48, 32)
    assert [f.stamp_ns for f in drive.frames] == [f.stamp_ns for f in raw.frames]
    cut = raw.read(raw.frames[5])[8:72, 16:112]
    expected = cv2.resize(cut, (48, 32), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(read_image(drive.frames[5].image), expected)
    assert drive.frames[5].image.stem == raw.frames[5].image.stem
    np.testing.assert_allclose(drive.frames[5].T_world_cam, raw.frames[5].T_world_cam, atol=1e-8)


def test_a_missing_image_splits_the_drive_only_when_asked(
    tree: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traversal, models = tree
    broken = sorted((traversal / "stereo/left").iterdir())[3]
    broken.unlink()
    args = ["robotcar", str(traversal), str(tmp_path / "out"), "--models", str(models)]
    args += ["--crop", "none"]
    assert main(args) == 2
    assert f"1 missing of 6 images: {broken}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*args, "--skip-broken"]) == 0
    assert [len(read_drive(f).frames) for f in find_drives(tmp_path / "out")] == [3]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("stereo_wide_left.txt", None, r"left\.txt: missing; give --models"),
        ("stereo_wide_left.txt", "983 983 643", "expected fx fy cx cy and a 4x4 matrix"),
        ("stereo_wide_left.txt", ROBOTCAR_MODEL, "principal point 643.*is outside the 128x96"),
        ("stereo_wide_left.txt", SMALL.replace("98 ", "0 "), "uncalibrated"),
        ("stereo_wide_left_distortion_lut.bin", None, r"lut\.bin: missing; it is in models/"),
        ("stereo_wide_left_distortion_lut.bin", "short", "0 numbers, expected 24576 for images"),
    ],
)
def test_bad_models_are_refused(
    tree: tuple[Path, Path], name: str, content: str | None, message: str
) -> None:
    path = tree[1] / name
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises((DataError, CameraError), match=message):
        read(*tree)


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("vo/vo.csv", "head\n3,2,0,0,0,0,0,0\n3,2,0,0,0,0,0,0\n", "line 3: times must increase"),
        ("vo/vo.csv", "head\n3,2,0,0,0,nan,0,0\n", "all numbers be finite"),
        ("vo/vo.csv", "head\n3,2,0\n", "rows of 8 numbers"),
        ("stereo.timestamps", "soon 1\n", "expected lines of 'MICROSECONDS CHUNK'"),
        (
            "stereo.timestamps",
            "1 1\n2 1\n",
            r"none of 2 images; expected 1\.png, \.\.\. from 2014",
        ),
    ],
)
def test_bad_traversals_are_refused(
    tree: tuple[Path, Path], part: str, content: str, message: str
) -> None:
    (tree[0] / part).write_text(content)
    with pytest.raises(DataError, match=message):
        read(*tree)


def test_the_wrong_folder_and_camera_are_refused(tree: tuple[Path, Path]) -> None:
    assert find(tree[0].parent) == find(tree[0]) == [tree[0]]
    with pytest.raises(DataError, match=r"no stereo\.timestamps here or one folder down"):
        find(tree[1])
    with pytest.raises(DataError, match="expected one of stereo/left"):
        read(*tree, camera="mono_left")
