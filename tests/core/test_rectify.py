"""Lenses: what they bend is straight afterwards, and which part of the sensor is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sdepth.errors import CameraError, DataError
from sdepth.geometry.calibration import read_calibration
from sdepth.geometry.camera import Camera
from sdepth.geometry.rectify import Lens

WIDTH, HEIGHT = 320, 240
K = (200.0, 0.0, 162.0, 0.0, 205.0, 117.0, 0.0, 0.0, 1.0)
P = (170.0, 0.0, 158.0, 0.0, 0.0, 172.0, 121.0, 0.0, 0.0, 0.0, 1.0, 0.0)
R = tuple(cv2.Rodrigues(np.array([0.02, -0.03, 0.01]))[0].ravel())
DISTORTIONS = {
    "plumb_bob": (-0.28, 0.07, 1e-3, -5e-4, 0.0),
    "rational_polynomial": (0.4, -0.2, 1e-3, 5e-4, 0.02, 0.75, -0.15, 0.03),
    "equidistant": (0.03, -0.01, 2e-3, -1e-4),
}
P_CAM = np.array([[x, y, 4.0] for x in (-1.2, -0.4, 0.5, 1.3) for y in (-0.8, 0.1, 0.9)])


def lens(model: str = "plumb_bob", **changes: object) -> Lens:
    """Return a lens of 320x240; ``changes`` replace its fields."""
    made = Lens("camera_info", (WIDTH, HEIGHT), model, K, DISTORTIONS[model])
    return replace(made, **changes)


def seen(bent: Lens) -> NDArray[np.float64]:
    """Return where the whole sensor sees the points (12, 2): OpenCV's own projection."""
    project = cv2.fisheye.projectPoints if bent.model == "equidistant" else cv2.projectPoints
    points = P_CAM[:, None] if bent.model == "equidistant" else P_CAM
    zero = np.zeros(3)
    return project(points, zero, zero, np.reshape(bent.k, (3, 3)), np.array(bent.d))[0].reshape(
        -1, 2
    )


def dots(uv: NDArray[np.float64], camera: Camera) -> NDArray[np.uint8]:
    """Return an image with a soft dot at each of the pixels."""
    v, u = np.mgrid[: camera.height, : camera.width]
    squared = (u - uv[:, 0, None, None]) ** 2 + (v - uv[:, 1, None, None]) ** 2
    return np.round(250 * np.exp(-squared / 8).max(0)).astype(np.uint8)


def centre(image: NDArray[np.uint8], near: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centre (u, v) of the light within 6 pixels of a place."""
    v, u = np.indices(image.shape)
    weights = image * (np.hypot(u - near[0], v - near[1]) < 6)
    assert weights.max() > 100, f"no dot at {near}"
    return np.array([(weights * u).sum(), (weights * v).sum()]) / weights.sum()


def check_dots(bent: Lens, uv_raw: NDArray[np.float64]) -> Camera:
    """Return the rectified camera, once every dot is where it sees it within half a pixel."""
    camera, rectify = bent.rectification()
    assert rectify is not None
    image = rectify(dots(uv_raw, bent.raw))
    p_rect = P_CAM @ bent.rotation.T
    uv = p_rect[:, :2] / p_rect[:, 2:] * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    inside = ((uv > 6) & (uv < [camera.width - 7, camera.height - 7])).all(1)
    inside &= ((uv_raw > 6) & (uv_raw < [bent.raw.width - 7, bent.raw.height - 7])).all(1)
    assert inside.sum() >= 2
    for expected in uv[inside]:
        assert np.hypot(*(centre(image, expected) - expected)) < 0.5
    return camera


@pytest.mark.parametrize("changes", [{}, {"p": P}, {"p": P, "r": R}], ids=["K", "P", "P and R"])
@pytest.mark.parametrize("model", DISTORTIONS)
def test_dots_seen_through_a_lens_are_where_a_pinhole_sees_them(
    model: str, changes: dict[str, object]
) -> None:
    bent = lens(model, **changes)
    straight = Camera.from_matrix(np.reshape(K, (3, 3)), WIDTH, HEIGHT)
    assert np.abs(seen(bent) - P_CAM[:, :2] / 4 @ straight.K[:2, :2] - straight.K[:2, 2]).max() > 2
    camera = check_dots(bent, seen(bent))
    f = (170, 172) if changes else (200, 205)
    assert (camera.fx, camera.fy, camera.width, camera.height) == (*f, WIDTH, HEIGHT)


@pytest.mark.parametrize("follows", [False, True])
@pytest.mark.parametrize("model", DISTORTIONS)
def test_dots_in_a_window_of_binned_pixels_are_where_a_pinhole_sees_them(
    model: str, follows: bool
) -> None:
    window = (40, 20, 200, 160)
    bent = lens(model, p=P, r=R, window=window, binning=(2, 1), follows=follows)
    camera = check_dots(bent, (seen(bent) - window[:2] + [0.5, 0]) / [2, 1] - [0.5, 0])
    assert camera.fx == 85
    if not follows:
        assert (camera.width, camera.height) == (100, 160)


def test_a_window_and_binning_change_the_camera_as_by_hand() -> None:
    cut = lens(window=(40, 20, 101, 60), binning=(2, 3)).raw
    # Border rule: a binned pixel's centre is between those it is made of; the odd column is left.
    assert (cut.width, cut.height) == (50, 20)
    assert (cut.fx, cut.fy) == pytest.approx((100, 205 / 3))
    assert (cut.cx, cut.cy) == pytest.approx(((162 - 40 + 0.5) / 2 - 0.5, (97 + 0.5) / 3 - 0.5))


def test_no_window_and_no_binning_are_all_of_the_sensor() -> None:
    assert lens(binning=(0, 0)).raw == lens().raw == Camera(200, 205, 162, 117, WIDTH, HEIGHT)
    assert (lens(window=(20, 10, 0, 0)).raw.width, lens(window=(20, 10, 0, 0)).raw.cy) == (
        300,
        107,
    )


@pytest.mark.parametrize(
    "changes",
    [{"window": (300, 0, 40, 10)}, {"window": (400, 0, 0, 0)}, {"binning": (500, 1)}],
    ids=["window outside", "window beyond", "binned away"],
)
def test_a_part_that_is_not_on_the_sensor_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(CameraError, match="camera_info: "):
        lens(**changes)


def test_a_pinhole_is_left_alone_whatever_its_model() -> None:
    for bent in (lens(d=(0.0,) * 5, p=P, r=R), lens(d=(), model="plumb_bob")):
        assert bent.rectification() == (bent.raw, None)
    other = replace(lens(d=()), model="none")
    assert other.rectification() == (other.raw, None)


def test_images_that_come_rectified_are_described_by_the_projection() -> None:
    assert lens(p=P).rectified == Camera(170, 172, 158, 121, WIDTH, HEIGHT)
    assert lens().rectified == lens().raw


def test_images_of_another_size_are_not_rectified() -> None:
    _, rectify = lens().rectification()
    with pytest.raises(CameraError, match="camera_info is for 320x240, the image is 64x48"):
        rectify(np.zeros((48, 64, 3), np.uint8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d": (0.1,)}, "distortion 'plumb_bob' with 1 coefficients"),
        ({"model": "omni"}, "expected plumb_bob or rational_polynomial .4, 5"),
        ({"size": (40_000, 240)}, "at most 32766 columns"),
        ({"k": (0.0,) * 9}, "uncalibrated"),
        ({"p": (*P[:5], -1.0, *P[6:])}, "fx, fy > 0"),
    ],
)
def test_what_cannot_be_rectified_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(CameraError, match=f"camera_info: .*{message}"):
        replace(lens(), **changes).rectification()


@pytest.mark.parametrize(
    ("as_calibrated", "model", "zeros"),
    [
        ("plumb_bob", "plumb_bob", 3),
        ("plumb_bob", "plumb_bob", 2),
        ("plumb_bob", "rational_polynomial", 0),
        ("plumb_bob", "rational_polynomial", 9),
        ("plumb_bob", "", 0),
        ("plumb_bob", "", 3),
        ("plumb_bob", "Plumb Bob", 0),
        ("plumb_bob", "radtan", 0),
        ("rational_polynomial", "plumb_bob", 0),
        ("rational_polynomial", "", 4),
        ("equidistant", "fisheye", 0),
        ("equidistant", "equidistant", 1),
        ("equidistant", "Kannala-Brandt4", 4),
    ],
)
def test_what_opencv_takes_is_taken(as_calibrated: str, model: str, zeros: int) -> None:
    known = lens(as_calibrated)
    other = replace(known, model=model, d=(*known.d, *[0.0] * zeros))

    check_dots(other, seen(known))
    parts = [replace(made, window=(40, 30, 200, 160), follows=True) for made in (known, other)]
    assert parts[0].rectification()[0] == parts[1].rectification()[0]


@pytest.mark.parametrize(
    ("model", "d"),
    [
        ("plumb_bob", (0.1, 0.0, 0.0)),
        ("plumb_bob", (0.1,) * 15),
        ("", (0.1,) * 4),  # of either model
        ("fisheye", (0.1,) * 5),
        ("equidistant", (0.1,) * 3),
        ("inverse_brown_conrady", (0.1,) * 5),
    ],
)
def test_what_opencv_does_not_take_is_refused(model: str, d: tuple[float, ...]) -> None:
    with pytest.raises(CameraError, match=f"distortion '{model}' with {len(d)} coefficients"):
        replace(lens(), d=d, model=model).rectification()


@pytest.mark.parametrize("bad", [{"d": (float("nan"),) * 5}, {"r": (2.0, *R[1:])}])
def test_what_no_calibration_writes_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(CameraError, match=r"not finite|is not a rotation"):
        lens(**bad)


def test_a_calibration_file_gives_its_lens(tmp_path: Path) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(
        "image_width: 320\nimage_height: 240\ncamera_name: front\n"
        f"camera_matrix: {{rows: 3, cols: 3, data: {list(K)}}}\n"
        "distortion_model: plumb_bob\n"
        f"distortion_coefficients: {{rows: 1, cols: 5, data: {list(DISTORTIONS['plumb_bob'])}}}\n"
        "rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}\n"
        f"projection_matrix: {{rows: 3, cols: 4, data: {list(P)}}}\n"
    )
    made = read_calibration(path)
    assert made == lens(p=P, r=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    assert made.name == str(path)


def opencv(matrix: str) -> str:
    """Return a matrix as cv2.FileStorage writes it."""
    return f"!!opencv-matrix\n   rows: 1\n   cols: 1\n   dt: d\n   data: {matrix}"


OTHER_FORMS = {
    "OpenCV": (
        "%YAML:1.0\n---\nimage_width: 320\nimage_height: 240\nflags: 0\n"
        f"camera_matrix: {opencv(str(list(K)))}\n"
        f"distortion_coefficients: {opencv(str(list(DISTORTIONS['plumb_bob'])))}\n"
    ),
    "ros2 topic echo": (
        "header:\n  stamp: {sec: 5, nanosec: 0}\n  frame_id: camera\nheight: 240\nwidth: 320\n"
        f"distortion_model: plumb_bob\nd: {list(DISTORTIONS['plumb_bob'])}\nk: {list(K)}\n"
        "r: [1, 0, 0, 0, 1, 0, 0, 0, 1]\np: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\nbinning_x: 0\n"
        "binning_y: 0\nroi: {x_offset: 0, y_offset: 0, height: 0, width: 0}\n---\n"
    ),
    "Kalibr": (
        "cam0:\n  camera_model: pinhole\n  distortion_model: radtan\n  resolution: [320, 240]\n"
        f"  intrinsics: {[K[0], K[4], K[2], K[5]]}\n"
        f"  distortion_coeffs: {list(DISTORTIONS['plumb_bob'][:4])}\n  rostopic: /cam0\n"
    ),
}


@pytest.mark.parametrize("form", OTHER_FORMS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_calibrations_of_others_give_the_same_lens(tmp_path: Path, form: str, end: str) -> None:
    path = tmp_path / "camera.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + OTHER_FORMS[form].replace("\n", end).encode())
    d = DISTORTIONS["plumb_bob"][: 4 if form == "Kalibr" else 5]
    camera, rectify = read_calibration(path).rectification()
    expected, expected_rectify = lens(d=d).rectification()
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    assert camera == expected
    assert rectify is not None
    assert expected_rectify is not None
    np.testing.assert_array_equal(rectify(image), expected_rectify(image))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OTHER_FORMS["Kalibr"] + OTHER_FORMS["Kalibr"].replace("cam0", "cam1"), "2 cameras, cam0"),
        (OTHER_FORMS["Kalibr"].replace("pinhole", "omni"), "camera_model omni"),
        (OTHER_FORMS["ros2 topic echo"].replace("binning_x: 0", "binning_x: 2"), "binning is set"),
        (OTHER_FORMS["ros2 topic echo"].replace("x_offset: 0", "x_offset: 8"), "a region of inte"),
        (OTHER_FORMS["OpenCV"] + "image_width: 640\n", "key 'image_width' stands twice"),
        ("Camera.fx: 250.0\nCamera.fy: 250.0\n", "0 cameras, no intrinsics"),
        ("# oST version 5.0 parameters\n[image]\nwidth\n320\n", "expected .*document"),
    ],
)
def test_a_calibration_that_could_be_misread_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "camera.yaml").write_text(text)
    with pytest.raises(DataError, match=rf"no calibration \(\w+: .*{said}") as error:
        read_calibration(tmp_path / "camera.yaml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "[1]", "a: [", "image_width: .inf", "\x00", "[" * 3000])
def test_other_files_are_no_calibration(tmp_path: Path, text: str) -> None:
    (tmp_path / "camera.yaml").write_text(text)
    with pytest.raises(DataError, match=r"camera\.yaml: no calibration .*expected the \.yaml of"):
        read_calibration(tmp_path / "camera.yaml")
