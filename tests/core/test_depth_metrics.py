"""Depth errors against values worked out by hand."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from sdepth.errors import ConfigError, DataError, ShapeError
from sdepth.metrics.depth import CAP_LAST, depth_errors, mean_errors


def row(*metres: float) -> np.ndarray:
    """Return a depth image of one row."""
    return np.array([metres], np.float32)


def test_errors_equal_hand_computed_values() -> None:
    errors = depth_errors(row(10, 20, 40), row(12, 20, 30), scale="none")
    assert errors.abs_rel == pytest.approx((0.2 + 0 + 0.25) / 3)
    assert errors.sq_rel == pytest.approx((4 / 10 + 0 + 100 / 40) / 3)
    assert errors.rmse == pytest.approx(sqrt((4 + 0 + 100) / 3))
    assert errors.rmse_log == pytest.approx(sqrt((log(1.2) ** 2 + log(0.75) ** 2) / 3))
    assert errors.delta1 == pytest.approx(2 / 3)  # 40 / 30 = 1.33
    assert errors.delta2 == errors.delta3 == 1


def test_a_perfect_estimate_has_no_error() -> None:
    errors = depth_errors(row(1, 5, 79), row(1, 5, 79))
    assert (errors.abs_rel, errors.rmse, errors.rmse_log) == (0, 0, 0)
    assert (errors.delta1, errors.delta2, errors.delta3) == (1, 1, 1)


def test_median_scaling_removes_one_factor_and_reports_it() -> None:
    errors = depth_errors(row(10, 20, 40), row(1, 2, 4), scale="median")
    assert errors.scale == pytest.approx(10)
    assert errors.abs_rel == pytest.approx(0, abs=1e-7)


def test_without_scaling_one_factor_stays() -> None:
    assert depth_errors(row(10, 20), row(9, 18), scale="none").abs_rel == pytest.approx(0.1)


def test_estimate_is_scaled_before_it_is_clamped() -> None:
    # clamped first, all three would be 80 m and then 20 m
    errors = depth_errors(row(10, 20, 40), row(100, 200, 400), scale="median")
    assert errors.abs_rel == pytest.approx(0, abs=1e-7)


def test_estimate_is_clamped_to_the_range_after_scaling() -> None:
    errors = depth_errors(row(10, 20, 40), row(10, 20, 500), scale="median", max_m=80)
    assert errors.abs_rel == pytest.approx((80 - 40) / 40 / 3)


def test_medians_are_of_the_pixels_that_count() -> None:
    truth, estimate = row(10, 20, 40, 0, 90, 100), row(1, 2, 4, 1000, 1000, 1000)
    assert depth_errors(truth, estimate).scale == pytest.approx(10)


def test_truth_at_or_beyond_the_limits_does_not_count() -> None:
    errors = depth_errors(row(1, 10, 80), row(50, 10, 5), scale="none", min_m=1, max_m=80)
    assert errors.abs_rel == 0


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="no true depth between"):
        depth_errors(row(0, 0), row(1, 1))
    with pytest.raises(ShapeError, match="estimate"):
        depth_errors(row(1, 2), row(1, 2, 3))
    with pytest.raises(ConfigError, match="expected 'median' or 'none'"):
        depth_errors(row(1), row(1), scale="mean")
    with pytest.raises(ConfigError, match="median-then-cap"):
        depth_errors(row(1), row(1), order="cap")


def test_images_count_alike_in_the_mean() -> None:
    one_pixel = depth_errors(row(10), row(11), scale="none")
    three_pixels = depth_errors(row(10, 10, 10), row(13, 13, 13), scale="none")
    assert mean_errors([one_pixel, three_pixels]).abs_rel == pytest.approx(0.2)
    with pytest.raises(DataError, match="no images"):
        mean_errors([])


def test_a_cap_after_scaling_takes_the_median_of_all_truth() -> None:
    truth, estimate = row(10, 20, 40, 60, 70), row(1, 2, 5, 9, 9)
    assert depth_errors(truth, estimate, max_m=50).scale == pytest.approx(20 / 2)
    last = depth_errors(truth, estimate, max_m=50, order=CAP_LAST)
    assert last.scale == pytest.approx(40 / 5)
    assert last.abs_rel == pytest.approx((0.2 + 0.2 + 0) / 3)


def test_the_cap_itself_counts_only_where_it_comes_last() -> None:
    truth, estimate = row(10, 40), row(10, 30)
    assert depth_errors(truth, estimate, scale="none", max_m=40).abs_rel == 0
    last = depth_errors(truth, estimate, scale="none", max_m=40, order=CAP_LAST)
    assert last.abs_rel == pytest.approx(0.125)


def test_estimates_may_be_clamped_to_another_range_than_truth() -> None:
    errors = depth_errors(row(10, 90), row(10, 200), 0, 256, "none", clamp_m=(1e-3, 80))
    assert errors.abs_rel == pytest.approx(10 / 90 / 2)
