"""Which pixels of a depth image are valid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdepth.config import param
from sdepth.depth.filters import drop_edges, within
from sdepth.errors import ConfigError


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
