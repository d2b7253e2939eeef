"""Where a camera was, from the odometry or transforms of a bag."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sdepth.errors import DataError
from sdepth_ros.bags.reader import warn_once
from sdepth_ros.conversions import read_transform, stamp_ns
from training.data.poses import Pose, from_first, poses_at

_MAX_GAP_S = 0.5
"""Between poses farther apart than this, nothing is known."""


class PoseLog:
    """The transforms of a bag, by name of what was moving: a topic of odometry, or /tf."""

    def __init__(self) -> None:
        """Start empty."""
        self._above: dict[str, tuple[str, Pose]] = {}
        self._moving: dict[tuple[str, str], dict[int, Pose]] = defaultdict(dict)

    def add(self, topic: str, msg: Any, time_ns: int | None = None) -> None:
        """Take a message of nav_msgs/Odometry or tf2_msgs/TFMessage, as of a time or its stamp."""
        if hasattr(msg, "pose"):
            pose = msg.pose.pose
            if (T_odom_base := _read(topic, pose.position, pose.orientation)) is not None:
                time = stamp_ns(msg.header) if time_ns is None else time_ns
                self._moving[topic, _name(msg.child_frame_id)][time] = T_odom_base
            return
        for stamped in msg.transforms:
            T = _read(topic, stamped.transform.translation, stamped.transform.rotation)
            child, parent = _name(stamped.child_frame_id), _name(stamped.header.frame_id)
            if T is None:
                continue
            if topic.endswith("tf_static"):
                self._above[child] = parent, T
            else:
                time = stamp_ns(stamped.header) if time_ns is None else time_ns
                self._moving[topic, child][time] = T

    def at(
        self, stamps_ns: Sequence[int], camera: str, topic: str, bag: Path
    ) -> list[Pose | None]:
        """Return T_world_cam (4, 4) at the stamps, from the first one known; None where unknown.

        Args:
            stamps_ns: times of the images, nanoseconds.
            camera: frame of the images.
            topic: of odometry, or /tf; "" takes the only one there is, "none" none.
            bag: to name in errors.

        Raises:
            DataError: several topics to choose from, or no static transform to the camera.
        """
        if topic == "none":
            return [None] * len(stamps_ns)
        fixed = {k: self._between(k[1], camera) for k in self._moving if topic in ("", k[0])}
        reached = {k: T for k, T in fixed.items() if T is not None}
        reached = {k: T for k, T in reached.items() if not k[0].endswith("/tf")} or reached
        if topic and not fixed:
            raise DataError(f"{bag}: no poses on {topic}; got {self._names()}")
        if fixed and not reached:
            raise DataError(
                f"{bag}: no static transform from {self._names()} to {camera}; record /tf_static, "
                "or give --odometry none for images alone"
            )
        if len(reached) > 1:
            raise DataError(f"{bag}: poses of {self._names()}; choose one with --odometry TOPIC")
        for key, T_base_cam in reached.items():
            times = sorted(self._moving[key])
            T_world_base = np.stack([self._moving[key][time] for time in times])
            bases = poses_at(stamps_ns, times, T_world_base, _MAX_GAP_S)
            return from_first([None if T is None else T @ T_base_cam for T in bases])
        return [None] * len(stamps_ns)

    def _names(self) -> str:
        """Return what moves, for errors."""
        return ", ".join(f"{topic} ({child})" for topic, child in self._moving) or "none"

    def _between(self, target: str, source: str) -> Pose | None:
        """Return T_target_source (4, 4) of two frames that do not move apart, or None."""
        (target_root, T_root_target), (source_root, T_root_source) = map(
            self._root, (target, _name(source))
        )
        if target_root != source_root:
            return None
        return np.linalg.inv(T_root_target) @ T_root_source

    def _root(self, frame: str) -> tuple[str, Pose]:
        """Return the topmost frame that ``frame`` is fixed to, and T_root_frame (4, 4)."""
        T = np.eye(4)
        seen = {frame}
        while frame in self._above:
            frame, T_parent_child = self._above[frame]
            T = T_parent_child @ T
            if frame in seen:
                break
            seen.add(frame)
        return frame, T


def _read(topic: str, translation: Any, rotation: Any) -> Pose | None:
    """Return T (4, 4) of a message; None with a warning where it says none."""
    try:
        return read_transform(translation, rotation)
    except DataError:
        warn_once(f"{topic}: what is not finite, or has a quaternion of zeros, is left out")
        return None


def _name(frame: str) -> str:
    """Return a frame's name without the slash of ROS 1."""
    return frame.lstrip("/")
