"""NYUv2: raw video becomes rectified drives, the labelled test images a drive with depth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from sdepth.errors import DataError
from tests.training.trees import pictures
from training.data.crop_resize import CropResize
from training.data.drive import read_depth, read_image
from training.data.nyuv2 import read, read_test
from training.data.open_drive import find_drives, read_drive
from training.data.prepare import main


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a raw data set of a scene of six images."""
    scene = tmp_path / "nyu/bathroom_0001"
    scene.mkdir(parents=True)
    for i, image in enumerate(pictures(6, (480, 640))):
        name = f"r-{1294886360 + i // 3}.{(i % 3) * 333333:06d}-{2996770081 + 7 * i}.ppm"
        cv2.imwrite(str(scene / name), image)
    (scene / "INDEX.txt").write_text("")
    return scene.parent


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Path, Path]:
    """Return a labelled data set of five images, of which 2 and 5 are for testing."""
    h5py = pytest.importorskip("h5py")
    images = np.stack(pictures(5, (480, 640)))
    depths = np.linspace(0.7, 9.9, 5 * 480 * 640, dtype=np.float32).reshape(5, 480, 640)
    with h5py.File(tmp_path / "nyu_depth_v2_labeled.mat", "w") as file:
        file["images"], file["depths"] = images.transpose(0, 3, 2, 1), depths.transpose(0, 2, 1)
    savemat(tmp_path / "splits.mat", {"testNdxs": np.array([[2], [5]], np.uint16)})
    return tmp_path / "nyu_depth_v2_labeled.mat", tmp_path / "splits.mat"


def test_scenes_are_drives_of_undistorted_images(root: Path) -> None:
    (drive,) = read(root, every=1)
    assert (drive.name, round(drive.camera.fx, 3), len(drive.frames)) == (
        "bathroom_0001",
        518.858,
        6,
    )
    assert drive.frames[1].stamp_ns == 1294886360_333333000
    raw = read_image(drive.frames[0].image)
    d = np.array([0.20796615, -0.58613825, 7.2231363e-4, 1.0479627e-3, 0.49856986])
    error = np.abs(drive.read(drive.frames[0]).astype(int) - cv2.undistort(raw, drive.camera.K, d))
    assert error.max() <= 4  # of 255: cv2.undistort samples to 1/32 pixel


def test_every_nth_frame_is_prepared_without_the_border(root: Path, tmp_path: Path) -> None:
    args = ["nyuv2", str(root), str(tmp_path / "out"), "--every", "2", "--size", "320x256"]
    assert main(args) == 0
    made = read_drive(tmp_path / "out/sequences/bathroom_0001")
    (was,) = read(root, every=2)
    assert made.camera == was.camera.cropped(41, 45, 560, 426).resized(320, 256)
    assert len(made.frames) == len(was.frames) == 3
    assert read_image(made.frames[2].image).shape == (256, 320, 3)


def test_a_truncated_frame_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = sorted(root.glob("*/*.ppm"))[3]
    image.write_bytes(image.read_bytes()[:-1000])
    assert main(["nyuv2", str(root), "--every", "1"]) == 2
    assert f"1 truncated of 6 images: {image}" in capsys.readouterr().err


def test_other_folders_and_names_are_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"no SCENE/r-\*\.ppm; unpack the raw data set"):
        read(root.parent)
    (root / "bathroom_0001/r-copy.ppm").touch()
    with pytest.raises(DataError, match=r"r-copy\.ppm: expected r-SECONDS-NUMBER"):
        read(root)


def test_test_images_come_with_their_depth(labelled: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["nyuv2-test", str(labelled[0]), str(out), "--splits", str(labelled[1])]) == 0
    (folder,) = find_drives(out)
    drive = read_drive(folder)
    assert [frame.image.stem for frame in drive.frames] == ["00002", "00005"]
    np.testing.assert_array_equal(read_image(drive.frames[0].image), pictures(5, (480, 640))[1])
    truth = np.linspace(0.7, 9.9, 5 * 480 * 640, dtype=np.float32).reshape(5, 480, 640)[4]
    np.testing.assert_allclose(read_depth(drive.frames[1].depth), truth, atol=0.5 / 256 + 1e-6)


def test_the_real_sample_keeps_its_depth(shared_data: Path, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    sample = shared_data / "rgbd/nyu_fastdepth"
    if not sample.is_dir():
        pytest.skip(f"{sample} is not there")
    rgb, depth = (np.load(sample / f"{name}.npy") for name in ("rgb", "depth"))
    image = cv2.resize(np.round(rgb * 255).astype(np.uint8), (640, 480))
    depth = cv2.resize(depth, (640, 480), interpolation=cv2.INTER_NEAREST)
    with h5py.File(tmp_path / "one.mat", "w") as file:
        file["images"], file["depths"] = image.transpose(2, 1, 0)[None], depth.T[None]
    savemat(tmp_path / "splits.mat", {"testNdxs": [[1]]})
    made = read_test(tmp_path / "one.mat", tmp_path / "splits.mat", CropResize())
    (frame,) = made.frames()
    np.testing.assert_array_equal(frame.image(), image)
    np.testing.assert_array_equal(frame.depth(), depth)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda m, s: m.write_bytes(m.read_bytes()[:500]), "not the labelled data set"),
        (lambda m, s: m.unlink(), "not the labelled data set"),
        (lambda m, s: savemat(s, {"trainNdxs": [1]}), r"splits\.mat: no testNdxs"),
        (lambda m, s: savemat(s, {"testNdxs": [6]}), r"images \(5, 3, 640, 480\), depths"),
    ],
)
def test_damaged_labelled_files_are_refused(
    labelled: tuple[Path, Path], damage: Any, message: str
) -> None:
    damage(*labelled)
    with pytest.raises(DataError, match=message):
        read_test(*labelled, CropResize())
