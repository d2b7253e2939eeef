"""Depth errors as the field counts them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdepth.errors import ConfigError, DataError
from sdepth.shapes import check_shape

MASK_FIRST, CAP_LAST = "mask-then-median", "median-then-cap"
"""Whether the median is taken over the pixels that are scored, or over all known ones."""


@dataclass(frozen=True)
class DepthErrors:
    """Errors of one image, or their means over images.

    Attributes:
        abs_rel: mean of |d - truth| / truth.
        sq_rel: mean of (d - truth)^2 / truth, metres.
        rmse: root of the mean squared error, metres.
        rmse_log: the same of the natural logarithms.
        delta1: share of pixels within a factor of 1.25; delta2, delta3: of 1.25^2, 1.25^3.
        scale: median(truth) / median(estimate), before any scaling.
    """

    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    delta1: float
    delta2: float
    delta3: float
    scale: float


def depth_errors(
    truth: NDArray[np.float32],
    estimate: NDArray[np.float32],
    min_m: float = 1e-3,
    max_m: float = 80.0,
    scale: str = "median",
    order: str = MASK_FIRST,
    clamp_m: tuple[float, float] | None = None,
) -> DepthErrors:
    """Return the errors of one depth image.

    Order: keep pixels with min_m < truth < max_m; scale the estimate (``median``: by the ratio of
    medians over these pixels; ``none``: not at all); clamp it; average. ``CAP_LAST`` takes the
    medians over every truth beyond min_m and only then keeps truth <= max_m.

    Args:
        truth: (H, W), metres, 0 where unknown.
        estimate: (H, W), metres, or metres up to one factor.
        min_m: nearest truth that counts.
        max_m: farthest truth that counts, the cap.
        scale: ``median`` or ``none``.
        order: ``MASK_FIRST`` (Godard et al. 2019) or ``CAP_LAST`` (Liu et al. 2021, ADDS).
        clamp_m: nearest and farthest estimate; None for [min_m, max_m].

    Raises:
        ShapeError: the images differ in size.
        DataError: no pixel of the truth counts.
        ConfigError: another ``scale`` or ``order``.

    Source: Eigen et al. 2014; order as in Godard et al. 2019's evaluation.
    """
    if order not in (MASK_FIRST, CAP_LAST):
        raise ConfigError(f"order {order!r}: expected {MASK_FIRST!r} or {CAP_LAST!r}")
    if scale not in ("median", "none"):
        raise ConfigError(f"scale {scale!r}: expected 'median' or 'none'")
    size = check_shape("truth", truth, "H W")
    check_shape("estimate", estimate, f"{size['H']} {size['W']}")
    known = truth > min_m
    scored = known & (truth <= max_m if order == CAP_LAST else truth < max_m)
    if not scored.any():
        raise DataError(f"no true depth between {min_m} and {max_m} m; is the truth in metres?")
    compared = known if order == CAP_LAST else scored
    factor = float(
        np.median(truth[compared].astype(np.float64))
        / np.median(estimate[compared].astype(np.float64))
    )
    t, d = truth[scored].astype(np.float64), estimate[scored].astype(np.float64)
    d = np.clip(d * factor if scale == "median" else d, *(clamp_m or (min_m, max_m)))
    ratio = np.maximum(t / d, d / t)
    error = d - t
    return DepthErrors(
        abs_rel=float(np.mean(np.abs(error) / t)),
        sq_rel=float(np.mean(error**2 / t)),
        rmse=float(np.sqrt(np.mean(error**2))),
        rmse_log=float(np.sqrt(np.mean((np.log(d) - np.log(t)) ** 2))),
        delta1=float(np.mean(ratio < 1.25)),
        delta2=float(np.mean(ratio < 1.25**2)),
        delta3=float(np.mean(ratio < 1.25**3)),
        scale=factor,
    )


def mean_errors(rows: Sequence[DepthErrors]) -> DepthErrors:
    """Return the mean of each error over images.

    Raises:
        DataError: there are none.
    """
    if not rows:
        raise DataError("no images to average over")
    names = [field.name for field in dataclasses.fields(DepthErrors)]
    return DepthErrors(**{n: float(np.mean([getattr(row, n) for row in rows])) for n in names})
