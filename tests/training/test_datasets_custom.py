"""One's own images and videos: rectified by a ROS calibration, and damage is named."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from sdepth.errors import CameraError, DataError
from sdepth.geometry.calibration import read_calibration
from tests.training.trees import pictures
from training.data.check import rectification
from training.data.crop_resize import CropResize
from training.data.custom import read_folder, read_video
from training.data.drive import read_image
from training.data.open_drive import read_drive
from training.data.prepare import main

K = [80.0, 0, 63.5, 0, 80, 31.5, 0, 0, 1]


@pytest.fixture
def calib(tmp_path: Path) -> Path:
    """Return a calibration of 128x64 images, as camera_calibration writes it."""
    return write_calib(tmp_path / "camera.yaml", [0.0] * 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of five images."""
    (tmp_path / "drive").mkdir()
    for i, image in enumerate(pictures(5, (64, 128))):
        cv2.imwrite(str(tmp_path / f"drive/{i}.png"), image)
    return tmp_path / "drive"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Return a video of twelve frames at 20 Hz."""
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (128, 64))
    assert writer.isOpened()
    for image in pictures(12, (64, 128)):
        writer.write(image[..., ::-1])
    writer.release()
    return path


def write_calib(path: Path, d: list[float], **changes: object) -> Path:
    """Return a calibration file."""
    P = [*K[:3], 0, *K[3:6], 0, *K[6:], 0]
    given = {
        "image_width": 128,
        "image_height": 64,
        "camera_name": "narrow_stereo",
        "camera_matrix": {"rows": 3, "cols": 3, "data": K},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": d},
        "rectification_matrix": {"rows": 3, "cols": 3, "data": [1, 0, 0, 0, 1, 0, 0, 0, 1]},
        "projection_matrix": {"rows": 3, "cols": 4, "data": P},
        **changes,
    }
    path.write_text(yaml.safe_dump(given))
    return path


def test_frames_keep_their_order_when_they_are_written(folder: Path, calib: Path) -> None:
    for i in reversed(range(5)):
        (folder / f"{i}.png").rename(folder / f"{i + 7}.PNG")
    out = folder.parent / "out"

    assert main(["folder", str(folder), str(out), "--calib", str(calib)]) == 0

    images = [frame.image.stem for frame in read_drive(out / "sequences/drive").frames]
    assert images == ["7", "8", "9", "10", "11"]


def test_a_folder_becomes_a_drive(folder: Path, calib: Path) -> None:
    drive = read_folder(folder, calib, fps=20)
    assert (drive.camera.fx, drive.camera.cy, drive.rectify) == (80, 31.5, None)
    assert [f.stamp_ns for f in drive.frames] == [i * 50_000_000 for i in range(5)]
    (folder / "times.txt").write_text("1\n1.5\n2\n2.5\n3.000000001\n")
    assert read_folder(folder, calib, 20).frames[4].stamp_ns == 3_000_000_001


def test_distorted_folders_are_prepared_rectified(folder: Path, tmp_path: Path) -> None:
    d = [-0.2, 0.05, 0.0, 0.0, 0.0]
    calib = write_calib(tmp_path / "wide.yaml", d)
    assert main(["folder", str(folder), str(tmp_path / "out"), "--calib", str(calib)]) == 0
    made = read_drive(tmp_path / "out/sequences/drive")
    raw = read_image(folder / "3.png")
    expected = cv2.undistort(raw, np.reshape(K, (3, 3)), np.array(d))
    error = np.abs(read_image(made.frames[3].image).astype(int) - expected)
    assert error.max() <= 6  # of 255: cv2.undistort samples to 1/32 pixel


def test_every_nth_frame_of_a_video_is_prepared(video: Path, calib: Path, tmp_path: Path) -> None:
    args = ["video", str(video), str(tmp_path / "out"), "--calib", str(calib), "--every", "3"]
    assert main([*args, "--crop", "128x48+0+0"]) == 0
    made = read_drive(tmp_path / "out/sequences/drive")
    assert [f.stamp_ns for f in made.frames] == [i * 150_000_000 for i in range(4)]
    seen = read_image(made.frames[2].image).astype(float)
    errors = [np.abs(seen - image[:48]).mean() for image in pictures(12, (64, 128))]
    assert np.argmin(errors) == 6
    assert errors[6] < 10  # of 255: the frames of the video are JPEG


PHONE_MS = (0, 33, 66, 400, 433, 900, 933)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "avi"])
def test_a_video_of_no_steady_rate_has_its_own_times(
    calib: Path, tmp_path: Path, ending: str
) -> None:
    av = pytest.importorskip("av")
    path, out = tmp_path / f"phone.{ending}", tmp_path / "out"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time, pixels in zip(PHONE_MS, pictures(7, (64, 128)), strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())

    assert main(["video", str(path), str(out), "--calib", str(calib)]) == 0
    made = read_drive(out / "sequences/phone")
    assert [frame.stamp_ns for frame in made.frames] == [t * 1_000_000 for t in PHONE_MS]


def test_a_video_that_ends_early_is_refused(
    video: Path, calib: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    assert main(["video", str(video), str(tmp_path / "out"), "--calib", str(calib)]) == 2
    assert " s; copy it again" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("calib.txt"))


def test_other_files_are_refused(folder: Path, calib: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"0\.png: not a video|camera\.yaml: not a video"):
        read_video(calib, calib, 1, CropResize())
    with pytest.raises(DataError, match="no images; expected a folder"):
        read_folder(tmp_path / "typo", calib, 10)
    (folder / "times.txt").write_text("1\n2\n")
    with pytest.raises(DataError, match="2 times for 5 images"):
        read_folder(folder, calib, 10)


def test_images_of_another_camera_are_refused(
    folder: Path, calib: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(folder / "2.png"), np.zeros((32, 64, 3), np.uint8))
    args = ["folder", str(folder), str(tmp_path / "out"), "--calib", str(calib)]
    assert main([*args, "--size", "64x32"]) == 2
    assert "drive: image of 64x32, its camera's is 128x64" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera_matrix": {"data": [0.0] * 9}}, r"camera\.yaml: .*uncalibrated"),
        ({"camera_matrix": {"data": K[:8]}}, r"camera\.yaml: no calibration \(ValueError"),
        (
            {"distortion_model": "omni", "distortion_coefficients": {"data": [1.0]}},
            "'omni' with 1",
        ),
        ({"image_width": 1280, "image_height": 720}, "are no lens's"),
        ({"image_width": None}, r"no calibration \(TypeError"),
    ],
)
def test_bad_calibrations_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = write_calib(tmp_path / "camera.yaml", [0.0] * 5, **changes)
    with pytest.raises((CameraError, DataError), match=message):
        rectification(read_calibration(path))


def test_a_missing_calibration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.yaml: no calibration \(FileNotFoundError"):
        read_calibration(tmp_path / "none.yaml")
