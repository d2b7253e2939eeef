"""Sixteen bits to eight, by what the sensor has."""

from __future__ import annotations

import numpy as np
import pytest

from sdepth.errors import ConfigError
from sdepth.pixels import BitDepth
from sdepth_ros import conversions
from tests.ros import messages


def bright(*values: int) -> np.ndarray:
    """Return an image of these pixels."""
    return np.array([values], np.uint16)


@pytest.mark.parametrize(("white", "bits"), [(900, 10), (4095, 12), (16000, 14), (65535, 16)])
@pytest.mark.parametrize("encoding", ["mono16", "bayer_rggb16", "rgb16"])
def test_white_is_white_whatever_the_sensor(encoding: str, white: int, bits: int) -> None:
    pixels = np.full((4, 4, 3) if encoding == "rgb16" else (4, 4), white, np.uint16)
    depth = BitDepth()
    rgb = conversions.to_rgb(messages.image(pixels, encoding), depth)
    assert (rgb == white >> (bits - 8)).all()
    assert depth.bits == bits


def test_opacity_says_nothing_of_the_sensor() -> None:
    pixels = np.full((4, 4, 4), 4095, np.uint16)
    pixels[..., 3] = 65535
    rgb = conversions.to_rgb(messages.image(pixels, "rgba16"), BitDepth())
    assert (rgb == 255).all()


def test_the_brightest_pixel_so_far_decides_also_for_darker_images() -> None:
    depth = BitDepth()
    assert depth.bits == 0
    assert depth.to_eight(bright(300)) == 300 >> 2
    assert depth.to_eight(bright(4000)) == 4000 >> 4
    assert depth.to_eight(bright(300)) == 300 >> 4
    assert (depth.bits, depth.guessed) == (12, 12)


def test_what_is_given_holds_and_more_is_white() -> None:
    depth = BitDepth(12)
    assert depth.to_eight(bright(4095, 100, 60000)).tolist() == [[255, 6, 255]]
    assert (depth.bits, depth.guessed) == (12, 0)
    assert BitDepth(16).to_eight(bright(4095)) == 15
    with pytest.raises(ConfigError, match="significant_bits: got 7, expected 0 or 8 to 16"):
        BitDepth(7)
