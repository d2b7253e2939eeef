"""What became of the frames: counts and latencies, for diagnostics."""

from __future__ import annotations

import threading
from collections import Counter, deque

import numpy as np

IN, OUT, DROPPED, BAD, IDLE, LOST = (
    "frames in",
    "frames out",
    "frames dropped",
    "frames bad",
    "frames unheard",
    "frames lost",
)
"""Every frame in is answered, dropped, bad or unheard by anybody; lost ones never came in."""


class FrameStats:
    """Counts from several threads, and the latencies of the last 300 frames."""

    def __init__(self) -> None:
        """Start at zero."""
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._latencies_ms: deque[float] = deque(maxlen=300)
        self.last_error = ""

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count."""
        with self._lock:
            self._counts[what] += number

    def done(self, latency_ms: float) -> None:
        """Count a frame answered this long after it came in."""
        with self._lock:
            self._counts[OUT] += 1
            self._latencies_ms.append(latency_ms)

    def bad(self, error: str) -> None:
        """Count a frame that could not be used, and keep why."""
        with self._lock:
            self._counts[BAD] += 1
            self.last_error = error

    def __getitem__(self, what: str) -> int:
        """Return a count."""
        with self._lock:
            return self._counts[what]

    def values(self) -> dict[str, str]:
        """Return every count and the median and 95th percentile of the latency, as text."""
        with self._lock:
            names = (IN, OUT, DROPPED, BAD, IDLE, LOST)
            counts = {name: str(self._counts[name]) for name in names}
            latencies = list(self._latencies_ms)
        if latencies:
            p50, p95 = np.percentile(latencies, [50, 95])
            counts |= {"latency p50 ms": f"{p50:.1f}", "latency p95 ms": f"{p95:.1f}"}
        return counts | ({"last error": self.last_error} if self.last_error else {})
