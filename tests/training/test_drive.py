"""Reading drives: what comes back, and one clear error for each kind of damage."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sdepth.errors import CameraError, DataError
from tests.helpers import write_drive
from training.data.drive import read_depth, read_image, read_mask
from training.data.open_drive import find_drives, read_drive

SAMPLES = Path(__file__).parents[3] / "shared/data"
P_ROW = "40 0 31.5 0 0 40 15.5 0 0 0 1 0"


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """Return the folder of a good sequence of four frames."""
    return write_drive(tmp_path) / "sequences/00"


@pytest.fixture
def raw_drive(tmp_path: Path) -> Path:
    """Return the folder of a good raw drive of three frames."""
    folder = tmp_path / "2011_09_26/2011_09_26_drive_0001_sync"
    images = folder / "image_02/data"
    images.mkdir(parents=True)
    for i in range(3):
        cv2.imwrite(str(images / f"{i:010d}.png"), np.full((32, 64, 3), i, np.uint8))
    (folder.parent / "calib_cam_to_cam.txt").write_text(f"S_rect_02: 64 32\nP_rect_02: {P_ROW}\n")
    stamps = "".join(f"2011-09-26 13:02:25.{i}64389445\n" for i in range(3))
    (folder / "image_02/timestamps.txt").write_text(stamps)
    return folder


def test_a_sequence_comes_back_with_all_that_is_known(sequence: Path) -> None:
    drive = read_drive(sequence)
    assert (drive.name, len(drive.frames)) == ("00", 4)
    assert (drive.camera.width, drive.camera.height) == (64, 32)
    assert drive.camera.fx == pytest.approx(0.58 * 64)
    assert [f.stamp_ns for f in drive.frames] == [0, 100_000_000, 200_000_000, 300_000_000]
    pose = drive.frames[2].T_world_cam
    assert pose is not None
    np.testing.assert_array_equal(pose[:, 3], [0, 0, 1.0, 1])


def test_images_depth_and_masks_have_their_units(sequence: Path) -> None:
    frame = read_drive(sequence).frames[1]
    assert frame.depth is not None
    assert frame.mask is not None
    image, depth, mask = read_image(frame.image), read_depth(frame.depth), read_mask(frame.mask)
    assert (image.shape, image.dtype) == ((32, 64, 3), np.uint8)
    assert (depth.dtype, np.unique(depth).tolist()) == (np.float32, [9.5])
    assert (mask.shape, mask.dtype) == ((32, 64), np.uint8)


def test_images_are_red_green_blue_and_grey_ones_have_equal_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((2, 2, 3), (0, 0, 255), np.uint8))
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((2, 2), 7, np.uint8))
    assert read_image(tmp_path / "red.png")[0, 0].tolist() == [255, 0, 0]
    assert read_image(tmp_path / "grey.png")[0, 0].tolist() == [7, 7, 7]


@pytest.mark.parametrize("ending", [".JPG", ".jpeg", ".PNG", ".jpg"])
def test_drives_are_read_in_order_whatever_their_images_are_called(
    sequence: Path, raw_drive: Path, ending: str
) -> None:
    for images in (sequence / "image_2", raw_drive / "image_02/data"):
        for i, path in enumerate(sorted(images.iterdir())):
            path.rename(images / f"{8 + i}{ending}")

    for drive in map(read_drive, (sequence, raw_drive)):
        names = [frame.image.stem for frame in drive.frames]
        assert names == ["8", "9", "10", "11"][: len(names)]
        assert len(names) >= 3


def test_depth_masks_poses_and_meta_may_be_missing(sequence: Path) -> None:
    for part in ("depth_2", "mask_2"):
        (sequence / part).rename(sequence / f"no_{part}")
    (sequence.parents[1] / "poses/00.txt").unlink()
    drive = read_drive(sequence)
    known = {(f.depth, f.mask, f.T_world_cam) for f in drive.frames}
    assert known == {(None, None, None)}
    assert drive.camera_height_m is None


def test_a_grey_camera_is_read_with_its_own_row(sequence: Path) -> None:
    (sequence / "image_2").rename(sequence / "image_0")
    (sequence / "calib.txt").write_text(f"P0: {P_ROW}\n")
    drive = read_drive(sequence)
    assert drive.camera.fx == 40
    assert drive.frames[0].depth is None  # depth_2 belongs to the other camera


def test_a_raw_drive_comes_back_with_its_stamps(raw_drive: Path) -> None:
    drive = read_drive(raw_drive)
    assert (drive.camera.fx, drive.camera.width, len(drive.frames)) == (40, 64, 3)
    assert drive.frames[0].stamp_ns == 1_317_042_145_064_389_445
    assert drive.frames[1].stamp_ns - drive.frames[0].stamp_ns == 100_000_000


def test_raw_frames_without_timestamps_are_a_tenth_of_a_second_apart(raw_drive: Path) -> None:
    (raw_drive / "image_02/timestamps.txt").unlink()
    (raw_drive / "image_02/data/0000000001.png").unlink()
    assert [f.stamp_ns for f in read_drive(raw_drive).frames] == [0, 200_000_000]


def test_raw_depth_is_found_for_the_frames_that_have_it(raw_drive: Path) -> None:
    depth_dir = raw_drive / "proj_depth/groundtruth/image_02"
    depth_dir.mkdir(parents=True)
    cv2.imwrite(str(depth_dir / "0000000001.png"), np.full((32, 64), 512, np.uint16))
    depths = [f.depth for f in read_drive(raw_drive).frames]
    assert [d is not None for d in depths] == [False, True, False]


def test_drives_are_found_under_either_root(tmp_path: Path, raw_drive: Path) -> None:
    root = write_drive(write_drive(tmp_path / "odometry"), name="03")
    assert [p.name for p in find_drives(root)] == ["00", "03"]
    assert find_drives(root / "sequences/03") == [root / "sequences/03"]
    assert find_drives(tmp_path / "2011_09_26") == find_drives(raw_drive) == [raw_drive]


def test_a_folder_without_a_drive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        read_drive(tmp_path / "typo")
    with pytest.raises(DataError, match="neither a KITTI odometry sequence"):
        read_drive(tmp_path)
    with pytest.raises(DataError, match="no drives found"):
        find_drives(tmp_path)


def test_a_sequence_without_images_is_refused(sequence: Path) -> None:
    for image in (sequence / "image_2").iterdir():
        image.unlink()
    with pytest.raises(DataError, match="no images; expected image_2/"):
        read_drive(sequence)


@pytest.mark.parametrize("part", ["image_2", "depth_2", "mask_2"])
def test_a_truncated_png_is_refused_by_name(sequence: Path, part: str) -> None:
    path = sequence / part / "000000.png"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    read = {"image_2": read_image, "depth_2": read_depth, "mask_2": read_mask}[part]
    with pytest.raises(DataError, match=f"{part}/000000.png: "):
        read(path)
    if part == "image_2":
        with pytest.raises(DataError, match=r"000000.png: missing or not a whole"):
            read_drive(sequence)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ("0\n0.1\n0.3\n0.2\n", "time does not increase after line 3"),
        ("0\n0.1\n0.1\n0.2\n", "time does not increase after line 2"),
        ("0\n0.1\n0.2\n", "3 times for 4 images"),
        ("0\n0.1\nsoon\n0.3\n", "expected rows of one number"),
        ("-0.1\n0\n0.1\n0.2\n", "-0.1 s; expected seconds"),
        ("17e17\n17.1e17\n17.2e17\n17.3e17\n", r"1.7e\+18 s; expected seconds"),
        ("0 1\n2 3\n", "2 numbers a row; expected rows of one number"),
        ("0,0\n0,1\n0,2\n0,3\n", "expected rows of one number"),
        ("", "0 times for 4 images"),
        ("0\n0.1\nnan\n0.3\n", "line 3 is not finite"),
    ],
)
def test_bad_times_are_refused(sequence: Path, times: str, message: str) -> None:
    (sequence / "times.txt").write_text(times)
    with pytest.raises(DataError, match=rf"times\.txt: .*{message}"):
        read_drive(sequence)


def test_missing_times_are_refused(sequence: Path) -> None:
    (sequence / "times.txt").unlink()
    with pytest.raises(DataError, match=r"times\.txt: missing"):
        read_drive(sequence)


@pytest.mark.parametrize(
    ("calib", "message"),
    [
        (f"P0: {P_ROW}\n", r"no row 'P2:'; found \['P0'\]"),
        ("P2: 40 0 31.5\n", "row 'P2:' is not 12 numbers"),
        ("P2: " + P_ROW.replace("40", "forty") + "\n", "row 'P2:' is not 12 numbers"),
    ],
)
def test_bad_calibration_is_refused(sequence: Path, calib: str, message: str) -> None:
    (sequence / "calib.txt").write_text(calib)
    with pytest.raises(DataError, match=rf"calib\.txt: {message}"):
        read_drive(sequence)


def test_zero_intrinsics_are_refused(sequence: Path, raw_drive: Path) -> None:
    zeros = " ".join(["0"] * 12)
    (sequence / "calib.txt").write_text(f"P2: {zeros}\n")
    (raw_drive.parent / "calib_cam_to_cam.txt").write_text(f"P_rect_02: {zeros}\n")
    for folder in (sequence, raw_drive):
        with pytest.raises(CameraError, match=r"calib\w*\.txt: .*uncalibrated"):
            read_drive(folder)


@pytest.mark.parametrize(
    ("poses", "message"),
    [
        ("1 0 0 0 0 1 0 0 0 0 1 0\n", "1 poses for 4 images"),
        ("1 0 0 0\n" * 4, "expected rows of 12 numbers"),
        ("1 0 0 nan 0 1 0 0 0 0 1 0\n" * 4, "line 1 is not finite"),
    ],
)
def test_bad_poses_are_refused(sequence: Path, poses: str, message: str) -> None:
    (sequence.parents[1] / "poses/00.txt").write_text(poses)
    with pytest.raises(DataError, match=rf"00\.txt: .*{message}"):
        read_drive(sequence)


def test_eight_bit_depth_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "depth.png"), np.full((4, 4), 9, np.uint8))
    with pytest.raises(DataError, match="got uint8, expected a uint16 PNG of metres x 256"):
        read_depth(tmp_path / "depth.png")
    with pytest.raises(DataError, match="got nothing readable"):
        read_depth(tmp_path / "none.png")


def test_a_raw_drive_without_calibration_is_refused(raw_drive: Path) -> None:
    calib = raw_drive.parent / "calib_cam_to_cam.txt"
    calib.write_text(f"P_rect_03: {P_ROW}\n")
    with pytest.raises(DataError, match="no row 'P_rect_02:'; found"):
        read_drive(raw_drive)
    calib.unlink()
    with pytest.raises(DataError, match=r"calib_cam_to_cam\.txt: missing"):
        read_drive(raw_drive)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["2011-09-26 13:02:25.1"] * 3, "times do not increase"),
        (["2011-09-26 13:02:25.1"], "1 times for 3 images"),
        (["yesterday"] * 3, "'yesterday' is not 'YYYY-MM-DD"),
    ],
)
def test_bad_raw_timestamps_are_refused(raw_drive: Path, lines: list[str], message: str) -> None:
    (raw_drive / "image_02/timestamps.txt").write_text("\n".join(lines))
    with pytest.raises(DataError, match=rf"timestamps\.txt: .*{message}"):
        read_drive(raw_drive)


def test_a_raw_drive_without_images_is_refused(raw_drive: Path) -> None:
    for image in (raw_drive / "image_02/data").iterdir():
        image.unlink()
    with pytest.raises(DataError, match="no images; expected image_02/data/"):
        read_drive(raw_drive)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"{SAMPLES} is not there")
def test_real_kitti_odometry_is_read() -> None:
    drive = read_drive(SAMPLES / "kitti_odom/sequences/06")
    camera = drive.camera
    assert (camera.width, camera.height, camera.fx) == (1226, 370, 707.0912)
    assert len(drive.frames) == 51
    poses = np.stack([f.T_world_cam for f in drive.frames if f.T_world_cam is not None])
    np.testing.assert_allclose(poses[0], np.eye(4), atol=1e-6)  # seven digits in the file
    assert read_image(drive.frames[50].image).shape == (370, 1226, 3)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"{SAMPLES} is not there")
def test_real_kitti_raw_is_read() -> None:
    (folder,) = find_drives(SAMPLES / "kitti_raw")
    drive = read_drive(folder)
    assert (drive.camera.width, drive.camera.height, drive.camera.fx) == (1242, 375, 721.5377)
    assert [f.stamp_ns for f in drive.frames] == [i * 100_000_000 for i in range(53)]
    assert read_image(drive.frames[0].image).shape == (375, 1242, 3)
