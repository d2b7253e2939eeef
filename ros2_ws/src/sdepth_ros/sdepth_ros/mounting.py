"""Where the camera sits on the base frame, found through /tf_static and, where it moves, /tf."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.subscription import Subscription
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from sdepth.errors import DataError
from sdepth.odometry.motion import rotation_vector
from sdepth_ros import notices
from sdepth_ros.conversions import plain, read_transform, stamp_ns
from sdepth_ros.node_params import OdometryParams
from sdepth_ros.notices import Said
from sdepth_ros.qos import TF, TF_STATIC

_KEPT_NS = 10_000_000_000
"""How long a moving transform is remembered, as tf2's buffer does."""


_QUIET_S = 5.0  # between two warnings of refused transforms


class _Link(NamedTuple):
    """T_parent_child (4, 4) at each stamp, nanoseconds; one stamp only: a fixed transform."""

    parent: str
    stamps: list[int]
    poses: list[NDArray[np.float64]]


class FrameTree:
    """A thread-safe TF buffer, with interpolation of moving transforms."""

    def __init__(
        self, on_change: Callable[[], None], on_refused: Callable[[str], object] = str
    ) -> None:
        """Start without frames.

        Args:
            on_change: is called when some are known.
            on_refused: is told of transforms that are left out, as tf2 leaves them out.
        """
        self._on_refused = on_refused
        self._fixed: dict[str, _Link] = {}
        self._moving: dict[str, _Link] = {}
        self._lock = threading.Lock()
        self._on_change = on_change

    def add_fixed(self, msg: Any) -> None:
        """Take a TFMessage of /tf_static."""
        with self._lock:
            for parent, child, _, T in self._read(msg):
                self._fixed[child] = _Link(parent, [0], [T])
        self._on_change()

    def add_moving(self, msg: Any) -> None:
        """Take a TFMessage of /tf."""
        with self._lock:
            for parent, child, header, T in self._read(msg):
                self._remember(parent, child, stamp_ns(header), T)
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

    def _read(self, msg: Any) -> Iterator[tuple[str, str, Any, NDArray[np.float64]]]:
        """Yield parent, child, header and T_parent_child (4, 4) of what a TFMessage says."""
        for item in msg.transforms:
            parent, child = plain(item.header.frame_id), plain(item.child_frame_id)
            try:
                T = read_transform(item.transform.translation, item.transform.rotation)
            except DataError as err:
                self._on_refused(f"{parent} -> {child}: {err}; left out")
                continue
            yield parent, child, item.header, T

    def _remember(self, parent: str, child: str, stamp: int, T: NDArray[np.float64]) -> None:
        """Keep a moving transform; clear its history if time jumps back or the parent changes."""
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


class Mounting:
    """Listens to transforms, while a node is active."""

    def __init__(self, node: Node, params: OdometryParams, on_change: Callable[[], None]) -> None:
        """Subscribe to /tf_static; ``on_change`` is called when some transforms are known."""
        self._node, self._params = node, params
        warn = partial(node.get_logger().warning, throttle_duration_sec=_QUIET_S)
        self._frames = FrameTree(on_change, warn)
        self._inputs: list[Subscription] = []
        self._hear("/tf_static", self._frames.add_fixed, TF_STATIC)

    def close(self) -> None:
        """Unsubscribe."""
        while self._inputs:
            self._node.destroy_subscription(self._inputs.pop())

    def lookup(self, camera: Header) -> NDArray[np.float64] | None:
        """Return T_base_cam at an image's stamp, or None for odometry of the camera itself."""
        base = self._params.base_frame
        return self._frames.lookup(base, camera.frame_id, stamp_ns(camera)) if base else None

    def follow_moving(self, camera: Header) -> None:
        """Listen to /tf, too, where an image waits for what /tf_static does not tell."""
        if len(self._inputs) == 1 and self._params.base_frame and self.lookup(camera) is None:
            self._hear("/tf", self._frames.add_moving, TF)

    def missing(self, camera: Header) -> Said | None:
        """Return which frame name or which transform is missing."""
        base = plain(self._params.base_frame)
        if not camera.frame_id:
            return notices.NO_FRAME_ID()
        if (moved := base or camera.frame_id) == plain(self._params.odom_frame):
            return notices.OWN_CHILD(frame=moved)
        if base and self.lookup(camera) is None:
            return notices.NO_TRANSFORM(base=base, camera=camera.frame_id)
        return None

    def _hear(self, topic: str, callback: Callable[[Any], None], qos: Any) -> None:
        """Subscribe."""
        self._inputs.append(self._node.create_subscription(TFMessage, topic, callback, qos))


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
