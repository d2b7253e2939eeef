"""The stream of images of a camera: which come too soon, and what is to be doubted of them."""

from __future__ import annotations

from sdepth.stamp_order import fault
from sdepth_ros.notices import NO_FRAME_ID, NO_STAMPS, Said

_STANDS_STILL = 3
"""Images of the stamp of the one before, after which the camera's clock is no clock."""
_JITTER = 0.1  # share of a period by which an image may come early


class ImageWatch:
    """Looks at stamps and names of images as they come."""

    def __init__(self) -> None:
        """Start without an image."""
        self._taken_ns = self._newest_ns = self._still = 0
        self._nameless = False

    def take(self, stamp: int, frame_id: str, max_rate_hz: float) -> bool:
        """Tell whether to take an image: it does not follow the last one taken too soon.

        Args:
            stamp: of the image, ns.
            frame_id: of its camera.
            max_rate_hz: images a second that are taken at most; 0: all.
        """
        self._still = self._still + 1 if stamp == self._newest_ns else 0
        self._newest_ns, self._nameless = stamp, not frame_id
        if too_soon(stamp, self._taken_ns, max_rate_hz):
            return False
        self._taken_ns = stamp
        return True

    def doubts(self) -> list[Said]:
        """Return that images have no place or no time."""
        found = [NO_FRAME_ID()] if self._nameless else []
        if self._still >= _STANDS_STILL:
            found.append(NO_STAMPS(fault=fault(self._newest_ns, self._newest_ns)))
        return found


def too_soon(stamp: int, last: int, rate_hz: float) -> bool:
    """Tell whether a stamp follows the last one, ns, sooner than a rate allows; 0: any rate."""
    return rate_hz > 0 and 0 <= stamp - last < (1 - _JITTER) * 1e9 / rate_hz
