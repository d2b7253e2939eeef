"""Truth from two cameras: shifted textures of known disparity, then the whole way to a score."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sdepth.checkpoint import bundled
from sdepth.errors import ConfigError, DataError, ShapeError
from training.data.export_truth import main
from training.data.stereo import depths_of, match, to_depth
from training.evaluate import read_examples
from training.evaluate.__main__ import main as evaluate

FOCAL, BASELINE_M, WALL_PX, BOX_PX = 100.0, 0.5, 10, 25
BOX = slice(40, 80), slice(90, 130)
SIZE = 120, 200


def pair() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return both images of a wall (5 m) with a box (2 m) before it, which hides some of it."""
    height, width = SIZE
    rng = np.random.default_rng(0)
    wall = cv2.GaussianBlur(rng.integers(0, 256, (height, 2 * width, 3), np.uint8), (0, 0), 1)
    wall = cv2.normalize(wall, None, 0, 255, cv2.NORM_MINMAX)
    left, right = wall[:, :width].copy(), wall[:, WALL_PX : WALL_PX + width].copy()
    box = wall[BOX[0], width + 50 : width + 90]
    left[BOX] = box
    right[BOX[0], BOX[1].start - BOX_PX : BOX[1].stop - BOX_PX] = box
    return left, right


def write_pair(folder: Path, names: tuple[str, str], calib: str, count: int = 2) -> Path:
    """Return the folder of a drive with two cameras that see ``pair``."""
    for name, image in zip(names, pair(), strict=True):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            cv2.imwrite(str(folder / name / f"{i:06d}.png"), image[..., ::-1])
    (folder / "calib.txt").write_text(calib)
    (folder / "times.txt").write_text("".join(f"{0.1 * i}\n" for i in range(count)))
    return folder


def rows(numbers: tuple[int, int], tx: float = -FOCAL * BASELINE_M, fx: float = FOCAL) -> str:
    """Return calib.txt of two cameras; the right one's first row ends in ``tx``."""
    tail = "0 100 60 0 0 0 1 0"
    return f"P{numbers[0]}: {FOCAL} 0 100 0 {tail}\nP{numbers[1]}: {fx} 0 100 {tx} {tail}\n"


def test_shifted_textures_have_their_disparity() -> None:
    disparity = match(*pair(), 48)

    inner = disparity[50:70, 100:120]
    assert inner == pytest.approx(np.full_like(inner, BOX_PX), abs=0.2)
    around = disparity[:, 150:]  # up to the edge
    assert not disparity[:, :48].any()
    assert (np.abs(around - WALL_PX) < 0.5).mean() > 0.95


def test_wall_that_the_box_hides_from_one_camera_is_unknown() -> None:
    disparity = match(*pair(), 48)

    hidden = disparity[45:75, 90 - (BOX_PX - WALL_PX) + 3 : 90 - 3]  # the right camera sees none
    assert (hidden > 0).mean() < 0.2


def test_depth_ends_where_half_a_pixel_is_a_tenth_of_it() -> None:
    depth = to_depth(np.array([[0, 4.9, 5, 25]], np.float32), FOCAL, BASELINE_M)

    assert depth.tolist() == [[0, 0, 10, 2]]
    assert depth.dtype == np.float32


@pytest.mark.parametrize("names", [("image_0", "image_1"), ("image_2", "image_3")])
def test_baseline_is_read_from_kittis_calibration(tmp_path: Path, names: tuple[str, str]) -> None:
    numbers = int(names[0][-1]), int(names[1][-1])
    folder = write_pair(tmp_path / "07", names, rows(numbers))

    found = dict(depths_of(folder, disparities=48))

    assert list(found) == ["000000", "000001"]
    assert np.median(found["000000"][:, 150:]) == pytest.approx(5, rel=0.02)


def test_raw_drives_of_two_cameras_are_matched_too(tmp_path: Path) -> None:
    folder = tmp_path / "2011_09_26/2011_09_26_drive_0001_sync"
    for name, image in zip(("image_02", "image_03"), pair(), strict=True):
        (folder / name / "data").mkdir(parents=True)
        cv2.imwrite(str(folder / name / "data/0000000004.png"), image[..., ::-1])
    calib = rows((2, 3)).replace("P2:", "P_rect_02:").replace("P3:", "P_rect_03:")
    (folder.parent / "calib_cam_to_cam.txt").write_text(calib)

    assert main([str(folder), str(tmp_path / "t.npz"), "--stereo", "--disparities", "48"]) == 0

    (example,) = read_examples(tmp_path, tmp_path / "t.npz", 1)
    assert np.median(example.truth[:, 150:]) == pytest.approx(5, rel=0.02)


def test_two_folders_and_a_baseline_are_enough_to_score_depth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calib = rows((0, 1)).splitlines()[0] + "\n"
    folder, out = write_pair(tmp_path / "mine", ("left", "right"), calib), tmp_path / "t.npz"
    (folder / "times.txt").unlink()
    command = [str(folder), str(out), "--stereo", "--disparities", "48", "--stride", "2"]

    assert main(command) == 2
    assert "a baseline of 0 m" in capsys.readouterr().err
    assert main([*command, "--baseline", "1.0"]) == 0
    (example,) = read_examples(folder, out, 1)
    assert np.median(example.truth[:, 150:]) == pytest.approx(10, rel=0.02)
    scored = ["depth", str(bundled("day")), str(folder), "--truth", str(out)]
    assert evaluate([*scored, "--protocol", "stereo80", "--camera-height", "1.2"]) == 0
    assert "\n| flat ground |" in capsys.readouterr().out


def test_pairs_that_cannot_be_matched_are_refused(tmp_path: Path) -> None:
    twisted = write_pair(tmp_path / "a", ("image_0", "image_1"), rows((0, 1), fx=110))
    with pytest.raises(DataError, match=r"fx 100 and 110.* not those of a rectified pair"):
        next(depths_of(twisted))
    short = write_pair(tmp_path / "b", ("left", "right"), rows((0, 1)))
    (short / "right/000001.png").rename(short / "right/000009.png")
    with pytest.raises(DataError, match=r"left/000001\.png: no image of that name by the right"):
        list(depths_of(short, disparities=48))
    left, right = pair()
    with pytest.raises(ShapeError, match="right: got shape"):
        match(left, right[:-1])
    with pytest.raises(ConfigError, match="disparities 50: expected a multiple of 16"):
        match(left, right, 50)


def test_kittis_own_pair_is_told_by_its_calibration(shared_data: Path) -> None:
    folder = shared_data / "kitti_odom/sequences/06"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")

    _, depth = next(depths_of(folder))

    assert 0.5 < (depth > 0).mean() < 0.8
    assert depth.max() == pytest.approx(707.0912 * 0.53715 / 5, rel=0.01)  # metres: 5 px
