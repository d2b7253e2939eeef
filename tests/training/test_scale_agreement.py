"""Scale metrics where the answer is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from sdepth.errors import DataError
from training.evaluate.scale_agreement import (
    alignment,
    consistency,
    length_ratio,
    motion_scales,
    ratio,
)


def _forward(*lengths_m: float) -> np.ndarray:
    """Return straight motions of these lengths."""
    T = np.tile(np.eye(4), (len(lengths_m), 1, 1))
    T[:, 2, 3] = np.negative(lengths_m)
    return T


def test_rho_is_one_where_depth_and_motion_share_any_unit() -> None:
    scales = motion_scales(_forward(1.0, 0.5, 2.0), _forward(0.1, 0.05, 0.2))

    found = alignment(ratio(np.full(3, 10.0), scales))

    assert (found.median_rho, found.mean_abs_log_rho, found.rho_spread) == pytest.approx((1, 0, 0))


def test_rho_above_one_says_motion_is_too_long_for_the_depth() -> None:
    rho = ratio(np.full(2, 10.0), motion_scales(_forward(1.0, 1.0), _forward(0.2, 0.2)))

    assert rho == pytest.approx([2, 2])
    assert alignment(rho).mean_abs_log_rho == pytest.approx(np.log(2))


def test_rho_does_not_change_with_the_unit_of_the_estimate() -> None:
    rng = np.random.default_rng(0)
    depth, true, found = (rng.uniform(0.5, 2, 50) for _ in range(3))

    in_metres = ratio(depth, motion_scales(_forward(*true), _forward(*found)))
    in_feet = ratio(depth / 3.28, motion_scales(_forward(*true), _forward(*3.28 * found)))

    assert in_feet == pytest.approx(in_metres)


def test_pairs_that_hardly_move_do_not_count() -> None:
    found = alignment(ratio(np.ones(3), motion_scales(_forward(1, 0.09, 1), _forward(1, 9, 1))))

    assert found.pairs == 2
    assert found.mean_abs_log_rho == pytest.approx(0)


def test_a_drive_that_stands_still_has_no_rho() -> None:
    with pytest.raises(DataError, match="no pair of frames moves"):
        alignment(motion_scales(_forward(0, 0), _forward(1, 1)))


def test_an_estimate_without_motion_gives_a_finite_number() -> None:
    assert np.isfinite(motion_scales(_forward(1.0), _forward(0.0))).all()


def test_spread_is_told_apart_into_within_and_across_drives() -> None:
    steady = consistency([np.full(5, 9.0), np.full(5, 11.0)])
    unsteady = consistency([np.array([9.0, 11.0]), np.array([9.0, 11.0])])

    assert (steady.within, steady.across) == pytest.approx((0, 0.1))
    assert (unsteady.within, unsteady.across) == pytest.approx((0.1, 0))
    assert steady.spread == unsteady.spread == pytest.approx(0.1)


def test_squares_of_within_and_across_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(1)
    found = consistency([rng.uniform(1, 3, n) for n in (4, 9, 20)])

    assert found.within**2 + found.across**2 == pytest.approx(found.spread**2)


def test_consistency_is_relative_so_its_unit_is_none() -> None:
    drives = [np.array([1.0, 2.0]), np.array([2.0, 4.0])]
    one, other = consistency(drives), consistency([7 * d for d in drives])

    assert (other.spread, other.within, other.across) == pytest.approx(
        (one.spread, one.within, one.across)
    )
    assert other.median == pytest.approx(7 * one.median)


def test_length_ratio_needs_no_truth() -> None:
    assert length_ratio(_forward(2.0, 1.0), _forward(1.0, 4.0)) == pytest.approx([2, 0.25])
