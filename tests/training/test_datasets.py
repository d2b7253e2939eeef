"""Preparing drives: what is written, resumed and refused, whatever the data set."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from sdepth.errors import CameraError, ConfigError, DataError
from sdepth.geometry.camera import Camera
from tests.helpers import write_drive
from training.data.check import check_lens, describe, flaw
from training.data.crop_resize import CropResize
from training.data.drive import Drive, Frame, read_depth
from training.data.open_drive import find_drives, read_drive
from training.data.poses import poses_at
from training.data.prepare import main
from training.data.recording import recording, split
from training.data.write import WriteConfig, write_recording

LENS = Camera(40, 40, 31.5, 15.5, 64, 32)


@pytest.fixture
def kitti(tmp_path: Path) -> Path:
    """Return the root of a drive of six frames."""
    return write_drive(tmp_path / "kitti", frames=6)


def frames(*stamps: int, known: int = 0) -> tuple[Frame, ...]:
    """Return frames at these times, of which the first ``known`` have poses."""
    pose = [np.eye(4) if i < known else None for i in range(len(stamps))]
    return tuple(Frame(Path(f"{s}.png"), s, T) for s, T in zip(stamps, pose, strict=True))


def test_without_an_output_a_data_set_is_only_checked(
    kitti: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(kitti.rglob("*"))
    assert main(["kitti", str(kitti)]) == 0
    assert f"6 images in 1 drives, none missing\ndata.train=[{kitti}]" in capsys.readouterr().out
    assert sorted(kitti.rglob("*")) == before


def test_images_that_need_nothing_are_linked_with_depth_and_poses(kitti: Path) -> None:
    out = kitti.parent / "out"
    assert main(["kitti", str(kitti), str(out)]) == 0
    made, was = read_drive(out / "sequences/00"), read_drive(kitti / "sequences/00")
    assert made.frames[3].image.resolve() == was.frames[3].image
    assert made.frames[3].depth.resolve() == was.frames[3].depth
    assert made.frames[3].stamp_ns == was.frames[3].stamp_ns
    assert made.camera == was.camera
    np.testing.assert_allclose(made.frames[3].T_world_cam, was.frames[3].T_world_cam, atol=1e-9)


def test_depth_is_trimmed_with_its_images(kitti: Path) -> None:
    out = kitti.parent / "out"
    assert main(["kitti", str(kitti), str(out), "--crop", "32x16+8+4", "--size", "16x8"]) == 0
    made, was = (read_drive(r / "sequences/00").frames[3] for r in (out, kitti))
    np.testing.assert_array_equal(read_depth(made.depth), read_depth(was.depth)[4:20:2, 8:40:2])


def test_jpegs_are_read_with_their_depth(kitti: Path) -> None:
    folder = kitti / "sequences/00"
    for image in (folder / "image_2").iterdir():
        cv2.imwrite(str(image.with_suffix(".jpg")), cv2.imread(str(image)))
        image.unlink()
    drive = read_drive(folder)
    assert drive.frames[5].image.suffix == ".jpg"
    assert drive.frames[5].depth == folder / "depth_2/000005.png"


def test_a_stopped_run_goes_on_and_keeps_what_is_done(kitti: Path) -> None:
    out = kitti.parent / "out"
    args = ["kitti", str(kitti), str(out), "--size", "32x16"]
    assert main(args) == 0
    folder = out / "sequences/00"
    (folder / "calib.txt").unlink()
    (folder / "image_2/000002.png").unlink()
    kept = (folder / "image_2/000001.png").stat().st_mtime_ns
    with pytest.raises(DataError, match="no drives found"):
        find_drives(out)
    assert main(args) == 0
    assert len(read_drive(folder).frames) == 6
    assert (folder / "image_2/000001.png").stat().st_mtime_ns == kept


def test_other_arguments_do_not_mix_with_what_is_there(
    kitti: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = kitti.parent / "out"
    assert main(["kitti", str(kitti), str(out), "--size", "32x16"]) == 0
    assert main(["kitti", str(kitti), str(out), "--size", "16x8"]) == 2
    assert "made with size '32x16' (now '16x8')" in capsys.readouterr().err
    assert main(["kitti", str(kitti), str(kitti)]) == 2
    assert "not empty and no dataset.json" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["truncated", "empty", "missing"])
def test_damaged_files_are_named_before_anything_is_written(
    kitti: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    image = kitti / "sequences/00/image_2/000004.png"
    target = image.rename(image.with_name("whole"))
    if damage == "missing":
        image.symlink_to("nowhere.png")
    else:
        image.write_bytes(target.read_bytes()[: -30 if damage == "truncated" else 0])
    assert main(["kitti", str(kitti), str(kitti.parent / "out")]) == 2
    assert f"1 {damage} of 6 images: {image} ({damage})" in capsys.readouterr().err
    assert not (kitti.parent / "out").exists()


def test_a_file_broken_inside_is_refused_and_left_out_only_when_asked(
    kitti: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = kitti / "sequences/00/image_2/000005.png"
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 0xFF
    image.write_bytes(content)
    args = ["kitti", str(kitti), str(kitti.parent / "out"), "--size", "32x16"]
    assert main(args) == 2
    assert f"{image}: missing or not a whole image" in capsys.readouterr().err
    assert main([*args, "--skip-broken"]) == 0
    assert "left out 00/000005: " in capsys.readouterr().err
    assert len(read_drive(kitti.parent / "out/sequences/00").frames) == 5


def test_images_of_another_size_than_the_camera_are_refused(kitti: Path) -> None:
    drive = read_drive(kitti / "sequences/00")
    odd = Drive("odd", LENS.resized(32, 16), drive.frames, rectify=lambda x: x)
    with pytest.raises(DataError, match="image of 64x32, its camera's is 32x16"):
        write_recording(kitti.parent / "out", recording(odd), WriteConfig())


def test_a_drive_is_split_where_frames_or_poses_are_missing() -> None:
    drive = Drive("a", LENS, frames(0, 10, 20, 40, 50, 60, 70, 80, 90, 100, known=7))
    assert [(p.name, len(p.frames)) for p in split(drive)] == [
        ("a_00", 3),
        ("a_01", 4),
        ("a_02", 3),
    ]
    jittered = Drive("b", LENS, frames(0, 10, 25, 30, 42, 50))
    assert split(jittered) == [jittered]
    assert split(Drive("c", LENS, frames(0, 10))) == []
    with pytest.raises(DataError, match=r"10\.png: stamp 10 ns does not come after 20 ns"):
        split(Drive("d", LENS, frames(0, 20, 10, 30)))


def test_poses_between_known_ones_are_straight_and_even() -> None:
    T = np.tile(np.eye(4), (3, 1, 1))
    T[1:, 0, 3] = 1, 3
    T[1, :3, :3] = cv2.Rodrigues(np.array([0, 0.4, 0]))[0]
    second = 10**9
    at = [0, second // 2, second, 3 * second, 9 * second, -1, 9 * second + 1]
    poses = poses_at(at, [0, second, 9 * second], T, max_gap_s=2)
    assert [p is None for p in poses] == [False, False, False, True, False, True, True]
    np.testing.assert_allclose(poses[1][:3, 3], [0.5, 0, 0], atol=1e-12)
    np.testing.assert_allclose(cv2.Rodrigues(poses[1][:3, :3])[0][:, 0], [0, 0.2, 0], atol=1e-9)


def test_trims_are_read_from_text_and_keep_rays() -> None:
    crop = CropResize.parse("32x16+8+4", "64x32")
    assert crop.camera(LENS) == LENS.cropped(8, 4, 32, 16).resized(64, 32)
    assert CropResize.parse("none", "") == CropResize()
    for crop, size in (("32x16", "none"), ("none", "64"), ("half", "")):
        with pytest.raises((ConfigError, DataError), match="expected WIDTHxHEIGHT"):
            CropResize.parse(crop, size)
    with pytest.raises(CameraError, match="leaves the 64x32 image"):
        CropResize.parse("64x32+1+0", "").camera(LENS)


def test_depth_is_trimmed_without_mixing_distances() -> None:
    depth = np.zeros((32, 64), np.float32)
    depth[:, 20:] = 7
    small = CropResize.parse("32x16+8+4", "16x8").depth(depth)
    assert small.shape == (8, 16)
    assert np.unique(small).tolist() == [0, 7]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((4, 4, 31, 15), "are no lens's"),
        ((4000, 4000, 31, 15), "are no lens's"),
        ((100, 20, 31, 15), "are no lens's"),
        ((40, 40, 640, 15), "principal point 640, 15 is outside"),
    ],
)
def test_absurd_intrinsics_are_refused(values: tuple[float, ...], message: str) -> None:
    with pytest.raises(CameraError, match=f"calib: .*{message}"):
        check_lens(Camera(*values, 64, 32), "calib")


def test_truncated_ppm_and_jpeg_and_other_kinds_are_told_apart(tmp_path: Path) -> None:
    image = np.full((8, 8, 3), 9, np.uint8)
    for name in ("a.ppm", "a.jpg", "a.png"):
        path = tmp_path / name
        cv2.imwrite(str(path), image)
        assert flaw(path) is None
        path.write_bytes(path.read_bytes()[:-3])
        assert flaw(path) == "truncated"
    shutil.copy(tmp_path / "a.png", tmp_path / "a.bmp")
    assert "expected a .png, .jpg or .ppm image" in str(flaw(tmp_path / "a.bmp"))


def test_many_broken_files_are_counted_and_the_first_named() -> None:
    broken = {Path(f"{i}.png"): "missing" if i else "empty" for i in range(8)}
    said = describe(broken, 100)
    assert said.startswith("1 empty, 7 missing of 100 images: 0.png (empty), 1.png (missing)")
    assert said.endswith("and 3 more")
