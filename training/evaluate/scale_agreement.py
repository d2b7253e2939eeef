"""Whether depth and motion have one scale, and the same one everywhere.

Scales are factors to metres: of an image's depth, ``DepthErrors.scale`` (median truth over median
estimate under the mask of the depth errors); of a pair's motion, ``motion_scales``. Their ratio
rho is 1 where depth and motion fit each other, whatever unit both are in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdepth.errors import DataError
from sdepth.shapes import check_shape

Array = NDArray[np.float64]

MIN_MOTION_M = 0.1
"""A shorter true motion says nothing about scale."""
TINY_M = 1e-6
"""An estimated motion counts as at least so long."""


@dataclass(frozen=True)
class Alignment:
    """How well the scales of depth and motion agree, over pairs of frames.

    Attributes:
        median_rho: of depth scale over motion scale; above 1 motion is too long for the depth.
        mean_abs_log_rho: 0 where they agree; 0.1 is a tenth off.
        rho_spread: standard deviation of rho over its median.
        pairs: how many counted.
    """

    median_rho: float
    mean_abs_log_rho: float
    rho_spread: float
    pairs: int


@dataclass(frozen=True)
class Consistency:
    """How much a scale varies, relative to its median over all drives.

    Attributes:
        median: of the scale.
        spread: standard deviation over all images; squared, it is the sum of the squares of
        within: root of the mean variance inside a drive, and
        across: standard deviation of the drives' means (drives weigh as many images as they have).
    """

    median: float
    spread: float
    within: float
    across: float


def motion_scales(T_true: Array, T: Array) -> Array:
    """Return |t_true| / |t| (N,) of motions (N, 4, 4); NaN where truth moves less than 0.1 m."""
    check_shape("T", T, f"{check_shape('T_true', T_true, 'N 4 4')['N']} 4 4")
    true, found = (np.linalg.norm(x[:, :3, 3], axis=1) for x in (T_true, T))
    scales = true / np.maximum(found, TINY_M)
    return np.asarray(np.where(true < MIN_MOTION_M, np.nan, scales), np.float64)


def ratio(depth_scales: Array, motion: Array) -> Array:
    """Return rho (N,): depth scale of each pair's earlier image over the pair's motion scale."""
    check_shape("motion", motion, f"{len(depth_scales)}")
    return np.asarray(depth_scales / motion, np.float64)


def alignment(rho: Array) -> Alignment:
    """Return how far ``rho`` (N,) is from 1; NaNs do not count.

    Raises:
        DataError: no number among them.
    """
    known = rho[np.isfinite(rho)]
    if not len(known):
        raise DataError(f"no pair of frames moves {MIN_MOTION_M} m or more: no scale to compare")
    median = float(np.median(known))
    return Alignment(
        median_rho=median,
        mean_abs_log_rho=float(np.mean(np.abs(np.log(known)))),
        rho_spread=float(np.std(known / median)),
        pairs=len(known),
    )


def consistency(drives: Sequence[Array]) -> Consistency:
    """Return how much a scale varies within and across drives.

    Args:
        drives: the scales of each drive's images, at least one each.

    Raises:
        DataError: no drive, or one without images.
    """
    if not drives or not all(len(d) for d in drives):
        raise DataError("no depth to compare: expected at least one image per drive")
    everything = np.concatenate(drives)
    median = float(np.median(everything))
    counts = np.array([len(d) for d in drives])
    means = np.array([np.mean(d) for d in drives]) / median
    variances = np.array([np.var(d) for d in drives]) / median**2
    centre = np.average(means, weights=counts)
    return Consistency(
        median=median,
        spread=float(np.std(everything) / median),
        within=float(np.sqrt(np.average(variances, weights=counts))),
        across=float(np.sqrt(np.average((means - centre) ** 2, weights=counts))),
    )


def length_ratio(T_initial: Array, T_fitted: Array) -> Array:
    """Return |t_initial| / |t_fitted| (N,): rho without truth, with motions fitted to the depth.

    Fitted by features that need no training, so that nothing learned judges itself.
    """
    initial, fitted = (np.linalg.norm(T[:, :3, 3], axis=1) for T in (T_initial, T_fitted))
    return np.asarray(initial / np.maximum(fitted, TINY_M), np.float64)
