"""Depth colours do not depend on the frame."""

from __future__ import annotations

import numpy as np
import pytest

from sdepth.depth.colorize import colorize
from sdepth.errors import ConfigError


def test_the_same_distance_has_the_same_colour_in_any_frame() -> None:
    alone = colorize(np.full((1, 1), 10.0, np.float32))
    among = colorize(np.array([[1.0, 10.0, 70.0]], np.float32))
    np.testing.assert_array_equal(alone[0, 0], among[0, 1])


def test_near_is_red_and_far_is_blue() -> None:
    near, far = colorize(np.array([[2.5, 60.0]], np.float32))[0].astype(int)
    assert near[2] > near[0]  # BGR
    assert far[0] > far[2]


def test_sky_takes_the_far_colour_and_nan_is_black() -> None:
    far, sky, invalid = colorize(np.array([[80.0, np.inf, np.nan]], np.float32))[0]
    np.testing.assert_array_equal(far, sky)
    assert invalid.sum() == 0


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="near < far"):
        colorize(np.ones((1, 1), np.float32), near_m=5, far_m=5)
