"""The image codec, cameras and transforms, on messages without ROS."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sdepth.errors import CameraError, ImageError
from sdepth.geometry.camera import Camera
from sdepth_ros import conversions
from tests.ros import messages

RED = np.zeros((2, 4, 3), np.uint8)
RED[..., 0] = 255
CAMERA = Camera(100.0, 110.0, 31.5, 23.5, 64, 48)


def test_padded_rows_are_cut_off() -> None:
    padded = np.zeros((2, 20), np.uint8)
    padded[:, :12] = RED.reshape(2, 12)
    padded[:, 12:] = 77
    msg = messages.image(padded, "rgb8", width=4, step=20)
    np.testing.assert_array_equal(conversions.to_rgb(msg), RED)


def test_padded_depth_is_read_in_metres() -> None:
    depth = np.arange(6, dtype=np.float32).reshape(2, 3)
    padded = np.hstack([depth, np.zeros((2, 1), np.float32)])
    msg = messages.image(padded, "32FC1", width=3, step=16)
    np.testing.assert_array_equal(conversions.to_depth(msg), depth)


def test_millimetres_become_metres_and_zero_is_invalid() -> None:
    depth = conversions.to_depth(messages.image(np.array([[0, 1500]], np.uint16), "16UC1"))
    np.testing.assert_allclose(depth, [[np.nan, 1.5]])


@pytest.mark.parametrize(
    "changes",
    [{"data": np.zeros(23, np.uint8)}, {"step": 11}, {"height": 0}, {"width": 10**6}],
    ids=["truncated", "short step", "no rows", "huge width"],
)
def test_an_image_that_is_not_whole_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ImageError, match="no pixels" if "height" in changes else "truncated"):
        conversions.to_rgb(messages.image(RED, "rgb8", **changes))


def test_an_unknown_encoding_is_refused_naming_the_known() -> None:
    with pytest.raises(ImageError, match="'rgb7': expected one of rgb8, bgr8"):
        conversions.to_rgb(messages.image(RED, "rgb7"))
    with pytest.raises(ImageError, match="'rgb8': expected one of 32FC1, 16UC1"):
        conversions.to_depth(messages.image(RED, "rgb8"))


def test_an_odd_width_of_paired_pixels_is_refused() -> None:
    with pytest.raises(ImageError, match="yuv422 image of 3x2"):
        conversions.to_rgb(messages.image(np.zeros((2, 3, 2), np.uint8), "yuv422"))


def test_a_compressed_image_keeps_its_colours() -> None:
    data = cv2.imencode(".png", RED[..., ::-1])[1].ravel()
    msg = messages.CompressedImage(header=messages.HEADER, format="png", data=data)
    np.testing.assert_array_equal(conversions.to_rgb(msg), RED)


def packed(pixels: np.ndarray, form: str, ending: str = ".png") -> np.ndarray:
    """Return the picture that a CompressedImage of this format gives."""
    data = cv2.imencode(ending, pixels)[1].ravel()
    return conversions.to_rgb(
        messages.CompressedImage(header=messages.HEADER, format=form, data=data)
    )


@pytest.mark.parametrize("ending", [".png", ".jpg"])
@pytest.mark.parametrize("form", ["bayer_rggb8; {} compressed ", "bayer_rggb8; {}", "bayer_rggb8"])
def test_a_compressed_mosaic_gets_its_colours_back(form: str, ending: str) -> None:
    mosaic = np.zeros((32, 32), np.uint8)
    mosaic[0::2, 0::2] = 255
    rgb = packed(mosaic, form.format(ending[1:]), ending)
    np.testing.assert_allclose(rgb[8:24, 8:24], np.full((16, 16, 3), (255, 0, 0)), atol=3)


@pytest.mark.parametrize("form", ["bayer_rggb8; jpeg compressed mono8", "jpeg", "", "x; y; z"])
def test_one_compressed_plane_that_is_said_to_be_grey_or_nothing_is_grey(form: str) -> None:
    plane = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    np.testing.assert_array_equal(packed(plane, form), np.repeat(plane[..., None], 3, 2))


@pytest.mark.parametrize(
    ("form", "colour"),
    [
        ("bayer_rggb8; jpeg compressed bgr8", (1, 2, 3)),
        ("rgb8; png compressed bgr8", (1, 2, 3)),
        ("rgb8; png compressed ", (1, 2, 3)),
        ("rgb8; png compressed rgb8", (3, 2, 1)),  # its planes lie in the file the other way
    ],
)
def test_compressed_colours_are_what_the_format_says(form: str, colour: tuple[int, ...]) -> None:
    pixels = np.full((4, 4, 3), (3, 2, 1), np.uint8)  # OpenCV writes blue first
    assert (packed(pixels, form) == colour).all()


def test_sixteen_bits_of_a_png_are_as_bright_as_their_sensor_makes_them() -> None:
    mosaic = np.full((8, 8), 4000, np.uint16)
    assert (packed(mosaic, "mono16; png compressed ") == 4000 >> 4).all()
    assert (packed(mosaic, "bayer_grbg16; png compressed ") == 4000 >> 4).all()


@pytest.mark.parametrize("data", [b"", b"\xff\xd8 not a JPEG"])
def test_a_broken_compressed_image_is_refused(data: bytes) -> None:
    msg = messages.CompressedImage(
        header=messages.HEADER, format="jpeg", data=np.frombuffer(data, np.uint8)
    )
    with pytest.raises(ImageError, match="expected JPEG or PNG"):
        conversions.to_rgb(msg)


def test_image_fields_read_back_as_written() -> None:
    depth = np.array([[1.5, np.nan, np.inf]], np.float32)
    fields = conversions.image_fields(depth, "32FC1")
    msg = messages.RawImage(header=messages.HEADER, **fields)
    np.testing.assert_array_equal(conversions.to_depth(msg), depth)
    assert (msg.step, len(msg.data)) == (12, 12)


def test_cloud_fields_describe_rows_of_sixteen_byte_points() -> None:
    fields = conversions.cloud_fields(np.zeros((3, 5, 4), np.float32))
    assert (fields["height"], fields["width"]) == (3, 5)
    assert (fields["point_step"], fields["row_step"], len(fields["data"])) == (16, 80, 240)
    assert [f["offset"] for f in conversions.CLOUD_FIELDS] == [0, 4, 8, 12]


def test_a_camera_survives_the_message() -> None:
    fields = conversions.camera_info_fields(CAMERA)
    lens = conversions.to_lens(messages.camera_info(fields["k"], 64, 48))
    assert lens.rectified == lens.raw == CAMERA
    np.testing.assert_array_equal(np.reshape(fields["p"], (3, 4))[:, :3], CAMERA.K)


def test_region_of_interest_and_binning_change_the_camera() -> None:
    roi = messages.RegionOfInterest(x_offset=4, y_offset=8, height=40, width=32, do_rectify=False)
    msg = messages.camera_info(CAMERA.K, 64, 48, roi=roi, binning_x=2, binning_y=2)
    assert conversions.to_lens(msg).raw == CAMERA.cropped(4, 8, 32, 40).resized(16, 20)


def test_an_uncalibrated_camera_is_refused() -> None:
    with pytest.raises(CameraError, match="calibrate the camera"):
        conversions.to_lens(messages.camera_info(np.zeros((3, 3)), 64, 48))


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.5, np.pi / 2, np.pi - 1e-9, np.pi])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, -2, 3)])
def test_rotations_survive_the_quaternion(angle: float, axis: tuple[int, int, int]) -> None:
    R = cv2.Rodrigues(angle * np.array(axis) / np.linalg.norm(axis))[0]
    q = conversions.to_q_xyzw(R)
    assert np.linalg.norm(q) == pytest.approx(1)
    np.testing.assert_allclose(conversions.from_q_xyzw(q), R, atol=1e-8)


def test_a_quaternion_of_any_length_turns_alike() -> None:
    q = np.array([0.1, -0.2, 0.3, 0.9])
    np.testing.assert_allclose(
        conversions.from_q_xyzw(7 * q), conversions.from_q_xyzw(q / np.linalg.norm(q)), atol=1e-12
    )


def test_a_transform_survives_the_message() -> None:
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.array([0.1, -0.2, 0.3]))[0]
    T[:3, 3] = 1, 2, 3
    translation, rotation = messages.Vector3(0, 0, 0), messages.Quaternion(0, 0, 0, 1)
    conversions.write_transform(T, translation, rotation)
    np.testing.assert_allclose(conversions.read_transform(translation, rotation), T, atol=1e-12)
