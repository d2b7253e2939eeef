"""Images with the depth that another process publishes of them, and what to doubt there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sdepth_ros import notices
from sdepth_ros.frame_node import QUIET_S
from sdepth_ros.notices import Said
from sdepth_ros.qos import InputSubscription
from sdepth_ros.stamp_sync import StampSync

_STARTS_S = 60.0
"""How long a depth node may take to load its networks, the first time."""


class DepthPairs:
    """Pairs images and depth by their stamps."""

    def __init__(
        self, on_pair: Callable[[Any, Any], None], on_unpaired: Callable[[int], None]
    ) -> None:
        """Start without messages; arguments are those of ``StampSync``."""
        self._on_pair = on_pair
        self._sync = StampSync(self._pair, on_unpaired)
        self._began_s = self._paired_s = time.monotonic()
        self._unpaired = 0
        self.add_depth = self._sync.add_second

    def add_image(self, msg: Any) -> None:
        """Take an image, its depth follows."""
        self._unpaired += 1
        self._sync.add_first(msg)

    def doubt(self, depth: InputSubscription) -> Said | None:
        """Return that images came and no depth of their stamps, or that more than one sends it."""
        now_s, publishers = time.monotonic(), depth.count()
        if publishers > 1:
            return notices.TWO_DEPTHS(publishers=publishers, topic=depth.topic)
        if self._unpaired < 3 or now_s - self._paired_s < QUIET_S:
            return None
        if now_s - self._began_s < _STARTS_S and not publishers:
            return notices.NO_DEPTH_YET(topic=depth.topic)
        seconds = f"{now_s - self._paired_s:.0f}"
        return notices.NO_DEPTH(topic=depth.describe(), seconds=seconds, images=self._unpaired)

    def _pair(self, image: Any, depth: Any) -> None:
        """Pass on an image with its depth."""
        self._paired_s, self._unpaired = time.monotonic(), 0
        self._on_pair(image, depth)
