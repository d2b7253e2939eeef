"""Tracking quality for diagnostics: the last frame, and the share of refused alignments."""

from __future__ import annotations

from collections import deque

import numpy as np

from sdepth.odometry.odometry import OdometryState
from sdepth.odometry.pipeline import OdometryResult

_RECENT = 300
"""Frames of which the diagnostics say how many refinements were refused."""


class TrackingLog:
    """Keeps the state of recent frames."""

    def __init__(self) -> None:
        """Start without a frame."""
        self._state: OdometryState | None = None
        self._refused: deque[bool] = deque(maxlen=_RECENT)

    def add(self, result: OdometryResult) -> bool:
        """Take a frame; tell whether tracking is another than before."""
        state, before = result.state, self._state
        if result.first:  # it has nothing to be refined against
            before = None
            self._refused.clear()
        else:
            self._refused.append(state.tracking != "ok")
        self._state = state
        return before is None or state.tracking != before.tracking

    def values(self, metric: bool) -> dict[str, str]:
        """Return what the diagnostics say; ``metric``: whether lengths are metres."""
        state, refused = self._state, list(self._refused)
        if state is None:
            return {}
        values = {"tracking": state.tracking, "metric": str(metric)}
        if np.isfinite(state.residual_ratio):
            values["residual refined over initial"] = f"{state.residual_ratio:.3f}"
            values["image seen %"] = f"{100 * state.valid:.1f}"
        if refused:
            values["refinements refused %"] = f"{100 * np.mean(refused):.1f}"
        return values
