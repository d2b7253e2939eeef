"""Whether frames come in order."""

from __future__ import annotations

from typing import Literal

_LATE_NS = 1_000_000_000
_MOST_LATE = 5
"""A stamp further back than that, or so many before the last one in a row: time began anew."""


def fault(stamp_ns: int, before_ns: int) -> str:
    """Return what is wrong with a stamp after that of the frame before; "" where nothing is."""
    if stamp_ns < 0:
        return f"stamp {stamp_ns} ns is before 1970: the driver's clock is wrong"
    if stamp_ns > before_ns:
        return ""
    if stamp_ns == before_ns == 0:
        return "stamp is 0 again: the driver does not set header.stamp"
    if stamp_ns == before_ns:
        return f"stamp {stamp_ns} ns is that of the frame before: it came twice, or time stands"
    return f"stamp {stamp_ns} ns does not come after {before_ns} ns, that of the frame before"


class StampOrder:
    """Tells a frame that is late, or comes twice, from time that begins anew (a bag loops).

    Attributes:
        last: the newest stamp, nanoseconds, since time began.
    """

    def __init__(self) -> None:
        """Start without a stamp."""
        self.last: int | None = None
        self._late = 0

    def take(self, stamp: int) -> Literal["next", "late", "anew"]:
        """Return how a stamp, nanoseconds, follows those before it.

        ``next``: after all of them; ``late``: not after the newest, which stays the newest;
        ``anew``: so far back, or so often late, that time has begun anew with it.
        """
        if self.last is None or stamp > self.last:
            self.last, self._late = stamp, 0
            return "next"
        self._late += stamp < self.last  # a stamp that stands still is no new beginning
        if self.last - stamp > _LATE_NS or self._late > _MOST_LATE:
            self.last, self._late = stamp, 0
            return "anew"
        return "late"
