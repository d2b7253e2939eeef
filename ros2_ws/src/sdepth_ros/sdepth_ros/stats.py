"""Statistics for diagnostics: frames by outcome, processing times, tracking quality."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from sdepth.odometry.odometry import OdometryState
from sdepth.odometry.pipeline import OdometryResult
from sdepth_ros.notices import MOST_REFUSED, SOME_REFUSED, Said

IN, OUT, DROPPED, BAD, IDLE, LOST = (
    "frames in",
    "frames out",
    "frames dropped",
    "frames bad",
    "frames unheard",
    "frames lost",
)
"""Every frame in is answered, dropped, bad or unheard by anybody; lost ones never came in."""
_RECENT, _MOST = 20, 3
"""Frames that tell how it goes now; refused ones of them, at least, that may be most."""
_TRACKED = 300
"""Frames of which the diagnostics say how many alignments were refused."""


class FrameStats:
    """Counts from several threads, the times of the last 300 frames, and how the last 20 went.

    One thread works on frames: it says where a frame begins and what its parts are.
    """

    def __init__(self) -> None:
        """Start at zero."""
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._parts_ms: dict[str, float] = {}
        self._inner_ms = 0.0
        self._frames_ms: deque[dict[str, float]] = deque(maxlen=300)
        self._refused: deque[bool] = deque(maxlen=_RECENT)
        self.last_error = ""

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count."""
        with self._lock:
            self._counts[what] += number
            if what == IDLE:
                self._refused.append(False)

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Time a frame; what belongs to no ``part`` of it is "other"."""
        self._parts_ms = {}
        with self.part("other"):
            yield

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time a part of a frame, less the parts within; one that comes twice is added up."""
        outer_ms, self._inner_ms = self._inner_ms, 0.0
        since_s = time.perf_counter()
        try:
            yield
        finally:
            took_ms = 1e3 * (time.perf_counter() - since_s)
            self._parts_ms[name] = self._parts_ms.get(name, 0.0) + took_ms - self._inner_ms
            self._inner_ms = outer_ms + took_ms

    def done(self, latency_ms: float) -> float:
        """Count a frame answered this long after it came in; return what it took, ms."""
        processing_ms = sum(self._parts_ms.values())
        with self._lock:
            self._counts[OUT] += 1
            self._refused.append(False)
            times = {"processing": processing_ms, "latency": latency_ms}
            self._frames_ms.append(self._parts_ms | times)
        return processing_ms

    def bad(self, error: str) -> None:
        """Count a frame that could not be used, and keep why."""
        with self._lock:
            self._counts[BAD] += 1
            self._refused.append(True)
            self.last_error = error

    def forget_recent(self) -> None:
        """Let the frames so far say nothing of how it goes now."""
        with self._lock:
            self._refused.clear()

    def refused(self) -> Said | None:
        """Return that recent frames were refused; None where none was."""
        with self._lock:
            bad, recent, error = sum(self._refused), len(self._refused), self.last_error
        if not bad:
            return None
        most = bad >= _MOST and 2 * bad > recent
        return (MOST_REFUSED if most else SOME_REFUSED)(bad=bad, recent=recent, error=error)

    def __getitem__(self, what: str) -> int:
        """Return a count."""
        with self._lock:
            return self._counts[what]

    def values(self) -> dict[str, str]:
        """Return every count, and median and 95th percentile of each time, as text."""
        with self._lock:
            names = (IN, OUT, DROPPED, BAD, IDLE, LOST)
            values = {name: str(self._counts[name]) for name in names}
            frames = list(self._frames_ms)
        for name in dict.fromkeys(name for times in frames for name in times):
            p50, p95 = np.percentile([f[name] for f in frames if name in f], [50, 95])
            values |= {f"{name} p50 ms": f"{p50:.2f}", f"{name} p95 ms": f"{p95:.2f}"}
        return values | ({"last error": self.last_error} if self.last_error else {})


class TrackingLog:
    """Keeps how well recent frames were tracked.

    Attributes:
        told: share of the last frame's pixels that fusing told of; None where it was not fused.
    """

    def __init__(self) -> None:
        """Start without a frame."""
        self._state: OdometryState | None = None
        self.told: float | None = None
        self._refused: deque[bool] = deque(maxlen=_TRACKED)

    def add(self, result: OdometryResult) -> bool:
        """Take a frame; tell whether tracking is another than before."""
        state, before = result.state, self._state
        if result.first:  # it has nothing to be refined against
            before = None
            self._refused.clear()
        else:
            self._refused.append(state.tracking != "ok")
        self._state = state
        self.told = None
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
        if (told := self.told) is not None:
            values["fused told"] = f"{told:.2f}"
        return values
