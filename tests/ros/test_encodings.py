"""Every encoding a driver may send, byte by byte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sdepth_ros import conversions
from tests.ros import messages

RED_8 = {
    "rgb8": [[(255, 0, 0)]],
    "bgr8": [[(0, 0, 255)]],
    "rgba8": [[(255, 0, 0, 9)]],
    "bgra8": [[(0, 0, 255, 9)]],
    "bayer_rggb8": [[255, 0], [0, 0]],
    "bayer_bggr8": [[0, 0], [0, 255]],
    "bayer_gbrg8": [[0, 0], [255, 0]],
    "bayer_grbg8": [[0, 255], [0, 0]],
}
RED_16 = {
    name.replace("8", "16"): np.array(tile, np.uint16) * 256 + 77 for name, tile in RED_8.items()
}
# Red in video range (ITU-R BT.601): Y 81, U 90, V 240.
RED_YUV = {
    "yuv422": [[(90, 81), (240, 81)]],
    "uyvy": [[(90, 81), (240, 81)]],
    "yuv422_yuy2": [[(81, 90), (81, 240)]],
    "yuyv": [[(81, 90), (81, 240)]],
}
GREY = ("mono8", "mono16")
ORDERS = ("<", ">")


def tiled(tile: Any, dtype: str) -> NDArray[Any]:
    """Return 6 rows and 8 columns (and perhaps channels) of a pattern."""
    part = np.asarray(tile)
    times = (6 // part.shape[0], 8 // part.shape[1]) + (1,) * (part.ndim - 2)
    return np.tile(part, times).astype(dtype)


def message(pixels: NDArray[Any], encoding: str, padding: int, order: str = "<") -> Any:
    """Return an Image whose rows end in bytes that are not pixels."""
    rows = pixels.reshape(pixels.shape[0], -1).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=199)
    height, width = pixels.shape[:2]
    return messages.image(padded, encoding, height=height, width=width, is_bigendian=order == ">")


def test_no_encoding_is_left_out() -> None:
    assert set(conversions.COLOUR_ENCODINGS) == {*RED_8, *RED_16, *RED_YUV, *GREY}


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", RED_8)
def test_red_of_eight_bits_is_red(encoding: str, padding: int) -> None:
    rgb = conversions.to_rgb(message(tiled(RED_8[encoding], "u1"), encoding, padding))
    np.testing.assert_array_equal(rgb, np.full((6, 8, 3), (255, 0, 0)))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", RED_16)
def test_red_of_sixteen_bits_is_red(encoding: str, padding: int, order: str) -> None:
    pixels = tiled(RED_16[encoding], f"{order}u2")
    rgb = conversions.to_rgb(message(pixels, encoding, padding, order))
    np.testing.assert_array_equal(rgb, np.full((6, 8, 3), (255, 0, 0)))


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", RED_YUV)
def test_red_of_video_is_red(encoding: str, padding: int) -> None:
    rgb = conversions.to_rgb(message(tiled(RED_YUV[encoding], "u1"), encoding, padding))
    # 1.164 (81 - 16) + 1.596 (240 - 128) = 254.4; green and blue come out just below zero.
    np.testing.assert_array_equal(rgb, np.full((6, 8, 3), (254, 0, 0)))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("padding", [0, 5])
def test_grey_has_three_equal_channels(padding: int, order: str) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (6, 8), np.uint8)
    deep = (grey.astype(np.uint16) * 256 + 77).astype(f"{order}u2")
    for msg in (message(grey, "mono8", padding), message(deep, "mono16", padding, order)):
        np.testing.assert_array_equal(conversions.to_rgb(msg), np.repeat(grey[..., None], 3, 2))


@pytest.mark.parametrize(
    ("encoding", "channels"),
    [("rgb8", [0, 1, 2]), ("bgr8", [2, 1, 0]), ("rgba8", [0, 1, 2]), ("bgra8", [2, 1, 0])],
)
def test_every_colour_keeps_its_bytes(encoding: str, channels: list[int]) -> None:
    depth = 4 if "a" in encoding else 3
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, depth), np.uint8)
    rgb = conversions.to_rgb(message(pixels, encoding, 3))
    np.testing.assert_array_equal(rgb, pixels[..., channels])


@pytest.mark.parametrize("encoding", [name for name in RED_8 if "bayer" in name])
def test_a_mosaic_keeps_the_colour_each_pixel_has(encoding: str) -> None:
    mosaic = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    rgb = conversions.to_rgb(messages.image(mosaic, encoding))
    for at, colour in enumerate(encoding.removeprefix("bayer_")[:4]):
        v, u = divmod(at, 2)
        own = rgb[2 + v : -2 : 2, 2 + u : -2 : 2, "rgb".index(colour)]
        np.testing.assert_array_equal(own, mosaic[2 + v : -2 : 2, 2 + u : -2 : 2])


@pytest.mark.parametrize("order", ORDERS)
def test_depth_is_read_in_either_byte_order(order: str) -> None:
    metres = np.array([[0.5, np.nan], [np.inf, 80.25]], f"{order}f4")
    msg = message(metres, "32FC1", 3, order)
    np.testing.assert_array_equal(conversions.to_depth(msg), metres)
    msg = message(np.array([[0, 1500]], f"{order}u2"), "16UC1", 3, order)
    np.testing.assert_allclose(conversions.to_depth(msg), [[np.nan, 1.5]])


def test_a_cv_bridge_that_cannot_be_imported_is_never_met(tmp_path: Path) -> None:
    pytest.importorskip("rclpy")
    (tmp_path / "cv_bridge.py").write_text("raise ImportError('numpy.core.multiarray')")
    nodes = "import sdepth_ros.depth_node, sdepth_ros.odometry_node, sys; print(*sys.modules)"
    paths = f"import sys; sys.path[:0] = {[str(tmp_path), *sys.path]}; {nodes}"
    modules = subprocess.check_output([sys.executable, "-c", paths], text=True).split()
    assert "sdepth_ros.conversions" in modules
    assert "cv_bridge" not in modules
