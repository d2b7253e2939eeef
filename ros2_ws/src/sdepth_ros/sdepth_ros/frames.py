"""Fixed transforms between frames, from /tf_static alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdepth_ros.conversions import read_transform


class StaticFrames:
    """The tree of frames that do not move against each other."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        """Start without frames; ``on_change`` is called when some are known."""
        self._parents: dict[str, tuple[str, NDArray[np.float64]]] = {}
        self._on_change = on_change

    def add(self, msg: Any) -> None:
        """Take a TFMessage."""
        for item in msg.transforms:
            T = read_transform(item.transform.translation, item.transform.rotation)
            parent, child = item.header.frame_id.lstrip("/"), item.child_frame_id.lstrip("/")
            self._parents[child] = (parent, T)
        self._on_change()

    def lookup(self, target: str, source: str) -> NDArray[np.float64] | None:
        """Return T_target_source (4, 4), or None while no chain joins the two frames."""
        from_target, from_source = self._ancestors(target), self._ancestors(source)
        for frame, T_frame_source in from_source.items():
            if frame in from_target:
                return np.linalg.inv(from_target[frame]) @ T_frame_source
        return None

    def _ancestors(self, frame: str) -> dict[str, NDArray[np.float64]]:
        """Return T_ancestor_frame of the frame and its ancestors, nearest first."""
        chain = {frame: np.eye(4)}
        T_ancestor_frame = np.eye(4)
        while frame in self._parents:
            frame, T_parent_child = self._parents[frame]
            if frame in chain:  # a circle of frames
                break
            T_ancestor_frame = T_parent_child @ T_ancestor_frame
            chain[frame] = T_ancestor_frame
        return chain
