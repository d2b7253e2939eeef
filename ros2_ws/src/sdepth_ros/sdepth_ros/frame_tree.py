"""Transforms between frames: fixed ones from /tf_static, moving ones from /tf by their stamps."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.odometry.motion import rotation_vector
from sdepth_ros.conversions import read_transform, stamp_ns

_KEPT_NS = 10_000_000_000
"""How long a moving transform is remembered, as tf2's buffer does."""


class _Link(NamedTuple):
    """Where a frame hangs: T_parent_child (4, 4) at each stamp, nanoseconds; one: it is fixed."""

    parent: str
    stamps: list[int]
    poses: list[NDArray[np.float64]]


class FrameTree:
    """The tree of frames; transforms may come in one thread and be asked for in another."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        """Start without frames; ``on_change`` is called when some are known."""
        self._fixed: dict[str, _Link] = {}
        self._moving: dict[str, _Link] = {}
        self._lock = threading.Lock()
        self._on_change = on_change

    def add_fixed(self, msg: Any) -> None:
        """Take a TFMessage of /tf_static."""
        with self._lock:
            for item in msg.transforms:
                T = read_transform(item.transform.translation, item.transform.rotation)
                parent, child = plain(item.header.frame_id), plain(item.child_frame_id)
                self._fixed[child] = _Link(parent, [0], [T])
        self._on_change()

    def add_moving(self, msg: Any) -> None:
        """Take a TFMessage of /tf."""
        with self._lock:
            for item in msg.transforms:
                T = read_transform(item.transform.translation, item.transform.rotation)
                parent, child = plain(item.header.frame_id), plain(item.child_frame_id)
                self._remember(parent, child, stamp_ns(item.header), T)
        self._on_change()

    def lookup(self, target: str, source: str, stamp: int = 0) -> NDArray[np.float64] | None:
        """Return T_target_source (4, 4) at a stamp, ns, or None while no chain joins the two."""
        with self._lock:
            from_target = self._ancestors(plain(target), stamp)
            from_source = self._ancestors(plain(source), stamp)
        for frame, T_frame_source in from_source.items():
            if frame in from_target:
                return np.linalg.inv(from_target[frame]) @ T_frame_source
        return None

    def _remember(self, parent: str, child: str, stamp: int, T: NDArray[np.float64]) -> None:
        """Keep a moving transform; where time goes back far, or it hangs elsewhere, begin anew."""
        link = self._moving.get(child)
        if link is None or link.parent != parent or stamp < link.stamps[0]:
            self._moving[child] = _Link(parent, [stamp], [T])
            return
        at = bisect_left(link.stamps, stamp)
        if at < len(link.stamps) and link.stamps[at] == stamp:
            return
        link.stamps.insert(at, stamp)
        link.poses.insert(at, T)
        old = bisect_left(link.stamps, link.stamps[-1] - _KEPT_NS)
        del link.stamps[:old], link.poses[:old]

    def _ancestors(self, frame: str, stamp: int) -> dict[str, NDArray[np.float64]]:
        """Return T_ancestor_frame of the frame and its ancestors, nearest first."""
        chain = {frame: np.eye(4)}
        T_ancestor_frame = np.eye(4)
        while link := self._fixed.get(frame) or self._moving.get(frame):
            T_parent_child = link.poses[0] if frame in self._fixed else _at(link, stamp)
            frame = link.parent
            if T_parent_child is None or frame in chain:  # not known then, or a circle
                break
            T_ancestor_frame = T_parent_child @ T_ancestor_frame
            chain[frame] = T_ancestor_frame
        return chain


def plain(frame: str) -> str:
    """Return a frame's name as tf2 has it: without the leading slash of ROS 1."""
    return frame.lstrip("/")


def _at(link: _Link, stamp: int) -> NDArray[np.float64] | None:
    """Return T_parent_child (4, 4) at a stamp, between those known; None before and after."""
    after = bisect_left(link.stamps, stamp)
    if after == len(link.stamps):
        return None
    if link.stamps[after] == stamp:
        return link.poses[after]
    if after == 0:
        return None
    since, until = link.stamps[after - 1 : after + 1]
    first, second = link.poses[after - 1 : after + 1]
    share = (stamp - since) / (until - since)
    T = np.eye(4)
    T[:3, 3] = (1 - share) * first[:3, 3] + share * second[:3, 3]
    turned = share * rotation_vector(first[:3, :3].T @ second[:3, :3])
    T[:3, :3] = first[:3, :3] @ cv2.Rodrigues(turned)[0]
    return T
