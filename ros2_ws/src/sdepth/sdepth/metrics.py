"""Depth errors as the field counts them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdepth.errors import ConfigError, DataError
from sdepth.shapes import check_shape

GARG_ROWS, GARG_COLUMNS = (0.40810811, 0.99189189), (0.03594771, 0.96405229)


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
) -> DepthErrors:
    """Return the errors of one depth image.

    Order: keep pixels with min_m < truth < max_m; scale the estimate (``median``: by the ratio of
    medians over these pixels; ``none``: not at all); clamp it to [min_m, max_m]; average.

    Args:
        truth: (H, W), metres, 0 where unknown.
        estimate: (H, W), metres, or metres up to one factor.
        min_m: nearest truth that counts.
        max_m: farthest truth that counts, the cap.
        scale: ``median`` or ``none``.

    Raises:
        ShapeError: the images differ in size.
        DataError: no pixel of the truth counts.
        ConfigError: another ``scale``.

    Source: Eigen et al. 2014; order as in Godard et al. 2019's evaluation.
    """
    if scale not in ("median", "none"):
        raise ConfigError(f"scale {scale!r}: expected 'median' or 'none'")
    size = check_shape("truth", truth, "H W")
    check_shape("estimate", estimate, f"{size['H']} {size['W']}")
    known = (truth > min_m) & (truth < max_m)
    if not known.any():
        raise DataError(f"no true depth between {min_m} and {max_m} m; is the truth in metres?")
    t, d = truth[known].astype(np.float64), estimate[known].astype(np.float64)
    factor = float(np.median(t) / np.median(d))
    d = np.clip(d * factor if scale == "median" else d, min_m, max_m)
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


def garg_crop(height: int, width: int) -> NDArray[np.bool_]:
    """Return (height, width), True inside the crop of Garg et al. 2016."""
    mask = np.zeros((height, width), np.bool_)
    top, bottom = (int(f * height) for f in GARG_ROWS)
    left, right = (int(f * width) for f in GARG_COLUMNS)
    mask[top:bottom, left:right] = True
    return mask
