"""Scale from speed: the ratio of the vehicle's speed to visual odometry's, at equal times."""

from __future__ import annotations

from collections import deque

_MAX_GAP_NS = 2_000_000_000  # between two speeds of the vehicle that one in between is taken from
_KEPT = 200


class SpeedRatio:
    """Pairs our own speeds with the vehicle's at the same time.

    A vehicle that stands, or creeps, says nothing about scale.
    """

    def __init__(self, least_mps: float = 1.0) -> None:
        """Ignore times at which the vehicle is slower than this, m/s."""
        self._least_mps = least_mps
        self._vehicle: deque[tuple[int, float]] = deque(maxlen=_KEPT)
        self._own: deque[tuple[int, float]] = deque(maxlen=_KEPT)

    def vehicle(self, stamp_ns: int, speed_mps: float) -> list[tuple[int, float]]:
        """Add a speed of the vehicle, m/s; return the (stamp, ratio) pairs that it completes.

        A ratio is the vehicle's speed over ours.
        """
        if self._vehicle and stamp_ns <= self._vehicle[-1][0]:
            self._vehicle.clear()  # a bag looped
        self._vehicle.append((stamp_ns, abs(speed_mps)))
        return self._match()

    def own(self, stamp_ns: int, speed: float) -> list[tuple[int, float]]:
        """Add a speed of visual odometry, depth units/s; return (stamp, ratio) pairs completed."""
        if self._own and stamp_ns <= self._own[-1][0]:
            self._own.clear()
        self._own.append((stamp_ns, abs(speed)))
        return self._match()

    def _match(self) -> list[tuple[int, float]]:
        """Return ratios at our own stamps up to the vehicle's last one."""
        found = []
        while self._own and self._vehicle and self._own[0][0] <= self._vehicle[-1][0]:
            stamp_ns, own = self._own.popleft()
            vehicle = self._vehicle_at(stamp_ns)
            if vehicle is not None and vehicle >= self._least_mps and own > 0:
                found.append((stamp_ns, vehicle / own))
        return found

    def _vehicle_at(self, stamp_ns: int) -> float | None:
        """Return the vehicle's speed between two that are known, or None."""
        before = [item for item in self._vehicle if item[0] <= stamp_ns]
        after = next((item for item in self._vehicle if item[0] >= stamp_ns), None)
        if not before or after is None or after[0] - before[-1][0] > _MAX_GAP_NS:
            return None
        (t0, v0), (t1, v1) = before[-1], after
        return v0 if t1 == t0 else v0 + (v1 - v0) * (stamp_ns - t0) / (t1 - t0)
