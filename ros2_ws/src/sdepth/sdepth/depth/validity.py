"""Which pixels of a depth image are valid: in range, off edges, sure enough."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.config import param
from sdepth.errors import ConfigError
from sdepth.geometry.camera import Camera
from sdepth.shapes import check_shape

Depth = NDArray[np.float32]
_EDGE_RAD = 0.0052
"""Half the angle within which a surface ends: a pixel of the networks' 320 columns."""


@dataclass(frozen=True)
class RangeConfig:
    """What is too near, too far, or between two surfaces.

    Raises:
        ConfigError: an empty range.
    """

    min_m: float = param(
        0.1, "Nearer is published as -Inf (REP 117), metres", range=(0.0, 1000.0), dynamic=True
    )
    max_m: float = param(
        80.0, "Farther is published as depth.sky says, metres", range=(0.0, 10000.0), dynamic=True
    )
    edge_filter: float = param(
        0.0,
        "NaN where depth jumps to a neighbour by more than this share, against flying pixels; "
        "0: off, 0.3 is a good start",
        range=(0.0, 10.0),
        dynamic=True,
    )

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if self.min_m >= self.max_m:
            raise ConfigError(
                f"depth.min_m {self.min_m} and depth.max_m {self.max_m}: expected min < max"
            )


@dataclass(frozen=True)
class ConfidenceConfig:
    """What is too unsure to be valid."""

    min: float = param(
        0.0,
        "Depth less sure than this, 0..1, is NaN, and no point; 0: none. The network runs twice, "
        "unless it says itself how sure it is",
        range=(0.0, 1.0),
        dynamic=True,
    )


def valid_depth(
    depth: NDArray[np.float32],
    limits: RangeConfig,
    sure: NDArray[np.float32] | None = None,
    least: float = 0.0,
    sky: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Return depth (H, W), metres, finite where it is valid, and only there.

    NaN: unknown (an edge between two surfaces, or too unsure); +Inf: beyond the range, such as
    sky; -Inf: nearer than the range.

    Args:
        depth: as a network gives it, metres.
        limits: range and edges.
        sure: (H, W) confidence, 0..1, where known.
        least: confidence that is enough.
        sky: (H, W), what the network itself takes for sky, where it says so.

    Source: REP 117.
    """
    valid = within(drop_edges(depth, limits.edge_filter), limits.min_m, limits.max_m)
    if sure is not None and least > 0:
        valid[~(sure >= least)] = np.nan  # also where confidence is no number
    if sky is not None:
        valid[sky] = np.inf
    return valid


def drop_edges(depth: Depth, share: float, window: int = 3) -> Depth:
    """Return depth (H, W) with NaN at discontinuities, where a pixel mixes two surfaces.

    A pixel jumps where the farthest of its neighbourhood is farther than the nearest by more than
    ``share`` of it; beside one without depth (NaN) it does not. Slanted surfaces change, too: the
    road at distance z, seen from height h with focal length f (pixels), by 2 z / (f h) of it in a
    neighbourhood of 3, so 0.2 to 0.5 is a sensible share.

    Args:
        depth: metres.
        share: of the nearest depth; 0 for no change.
        window: rows and columns of the neighbourhood, an odd number.
    """
    check_shape("depth", depth, "H W")
    if share <= 0:
        return depth
    unknown, square = np.isnan(depth), np.ones((window, window), np.uint8)
    holes = bool(unknown.any())
    near = cv2.erode(np.where(unknown, np.float32(np.inf), depth) if holes else depth, square)
    far = cv2.dilate(np.where(unknown, np.float32(-np.inf), depth) if holes else depth, square)
    far *= np.float32(1 / (1 + share))
    found = depth.copy()
    np.copyto(found, np.nan, where=far > near)
    return found


def edge_window(camera: Camera) -> int:
    """Return the neighbourhood of ``drop_edges`` in which a network's edges end.

    Their width is an angle: resized to a large image, an edge is a slope of many pixels, of which
    no two differ much.
    """
    return 1 + 2 * max(1, round(_EDGE_RAD * camera.fx))


def within(depth: Depth, min_m: float, max_m: float) -> Depth:
    """Return depth with -Inf where nearer than a range, metres, and +Inf where farther (REP 117).

    NaN stays.
    """
    found = np.where(depth > max_m, np.float32(np.inf), depth)
    np.copyto(found, -np.inf, where=found < min_m)  # in place: half the time
    return found


def in_range(
    fused: NDArray[np.float32], depth: NDArray[np.float32], limits: RangeConfig
) -> NDArray[np.float32]:
    """Return fused depth (h, w), metres, at the end of the range where fusing went beyond it.

    What is as in ``depth`` stays, sky and what is unknown among it.
    """
    if fused is depth:
        return depth
    return np.where(fused == depth, depth, np.clip(fused, limits.min_m, limits.max_m))
