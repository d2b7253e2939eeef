"""Truth from LiDAR: by hand, then bit for bit against real sweeps."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sdepth.errors import DataError
from training.data.export_truth import export_truth, main, project, read_calibration
from training.evaluate import read_examples

DRIVE = Path("2011_09_26/2011_09_26_drive_0001_sync")
REAL = "kitti_raw/2011_09_26/2011_09_26_drive_0052_sync"


def write_raw(root: Path, points: NDArray[np.float32], size: tuple[int, int] = (20, 30)) -> Path:
    """Return ``root`` with one drive of one image and one sweep; f = 10, centre (15, 10).

    The LiDAR is 0.3 m behind the camera, axes x forward, y left, z up.
    """
    height, width = size
    (root / DRIVE / "image_02/data").mkdir(parents=True)
    (root / DRIVE / "velodyne_points/data").mkdir(parents=True)
    image = np.zeros((height, width, 3), np.uint8)
    cv2.imwrite(str(root / DRIVE / "image_02/data/0000000007.png"), image)
    points.astype(np.float32).tofile(root / DRIVE / "velodyne_points/data/0000000007.bin")
    (root / DRIVE.parent / "calib_cam_to_cam.txt").write_text(
        f"calib_time: 09-Jan-2012\nS_rect_02: {width} {height}\nR_rect_00: 1 0 0 0 1 0 0 0 1\n"
        "P_rect_02: 10 0 15 0 0 10 10 0 0 0 1 0\n"
    )
    (root / DRIVE.parent / "calib_velo_to_cam.txt").write_text(
        "R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 -0.3\n"
    )
    return root


def points(*xyz: tuple[float, float, float]) -> NDArray[np.float32]:
    return np.array([(*p, 0.5) for p in xyz], np.float32)


def test_point_lands_one_less_than_its_rounded_pixel(tmp_path: Path) -> None:
    camera = read_calibration(write_raw(tmp_path, points((1, 0, 0))) / DRIVE.parent)

    depth = project(points((5.3, -1, 0.5)), camera)  # at (17, 9): 1 m right, 0.5 m up, 5 m ahead

    assert np.argwhere(depth).tolist() == [[8, 16]]
    assert depth[8, 16] == pytest.approx(5)
    assert project(points((5.3, -1, 0.5)), camera, "lidar")[8, 16] == pytest.approx(5.3)


def test_nearest_of_a_pixels_points_wins_and_none_behind_counts(tmp_path: Path) -> None:
    camera = read_calibration(write_raw(tmp_path, points((1, 0, 0))) / DRIVE.parent)

    depth = project(points((9, 0, 0), (4, 0, 0), (6, 0, 0), (-3, 0, 0)), camera)

    assert depth[depth > 0] == pytest.approx([3.7])


def test_exported_truth_is_read_back_beside_its_image(tmp_path: Path) -> None:
    root, out = write_raw(tmp_path / "k", points((5.3, -1, 0.5))), tmp_path / "t.npz"

    assert main([str(root / DRIVE), str(out)]) == 0

    (example,) = read_examples(root, out, 1)
    assert example.truth[8, 16] == pytest.approx(5)
    assert example.truth.shape == example.image.shape[:2] == (20, 30)


def test_images_of_two_sizes_keep_theirs(tmp_path: Path) -> None:
    root = write_raw(tmp_path / "k", points((5.3, -1, 0.5)))
    other = write_raw(tmp_path / "o", points((4, 0, 0)), (24, 26)) / DRIVE.parent
    other.rename(root / "2011_10_03")
    lines = (f"{DRIVE} 7 l", f"2011_10_03/{DRIVE.name} 0000000007 l")

    export_truth(root, tmp_path / "t.npz", lines, "camera")

    with np.load(tmp_path / "t.npz") as file:
        assert file["data"].shape == (2, 24, 30)
        assert file["sizes"].tolist() == [[20, 30], [24, 26]]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("7", "expected 'DATE/DRIVE NUMBER l'"),
        (f"{DRIVE} 7 r", "only the left camera"),
        (f"{DRIVE} 8 l", "0000000008.bin: no LiDAR sweep"),
        (f"2011_10_03/{DRIVE.name} 7 l", "calib_cam_to_cam.txt: missing"),
    ],
)
def test_line_without_data_is_refused(tmp_path: Path, line: str, complaint: str) -> None:
    root = write_raw(tmp_path / "k", points((5, 0, 0)))

    with pytest.raises(DataError, match=complaint):
        export_truth(root, tmp_path / "t.npz", (line,), "camera")


def test_damaged_sweep_and_calibration_are_refused(tmp_path: Path) -> None:
    root = write_raw(tmp_path / "k", points((5, 0, 0)))
    sweep = root / DRIVE / "velodyne_points/data/0000000007.bin"
    sweep.write_bytes(sweep.read_bytes()[:-4])
    with pytest.raises(DataError, match="3 numbers, not 4 for each point"):
        export_truth(root, tmp_path / "t.npz", (f"{DRIVE} 7 l",), "camera")
    (root / DRIVE.parent / "calib_velo_to_cam.txt").write_text("R: 1 2 3\nT: 0 0 0\n")
    with pytest.raises(DataError, match="row 'R:' is not 9 numbers"):
        read_calibration(root / DRIVE.parent)


def test_real_sweeps_give_the_known_truth_bit_for_bit(shared_data: Path, tmp_path: Path) -> None:
    drive = shared_data / REAL
    if not drive.is_dir():
        pytest.skip(f"{drive} is not there")
    with np.load(drive / "derived_by_us/gt_depths_eigen_0052.npz") as file:
        known = dict(zip(file["frames"].tolist(), file["data"], strict=True))

    assert main([str(drive), str(tmp_path / "t.npz")]) == 0

    with np.load(tmp_path / "t.npz") as file:
        assert file["frames"].tolist() == [0, 26, 52]
        for frame, depth in zip(file["frames"], file["data"], strict=True):
            assert np.array_equal(depth, known[int(frame)])
