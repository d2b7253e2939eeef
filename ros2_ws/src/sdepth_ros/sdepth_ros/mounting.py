"""Where the camera sits on the base frame, found through /tf_static and, where it moves, /tf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.subscription import Subscription
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from sdepth_ros import notices
from sdepth_ros.conversions import stamp_ns
from sdepth_ros.frame_tree import FrameTree, plain
from sdepth_ros.node_params import OdometryParams
from sdepth_ros.notices import Said
from sdepth_ros.qos import TF, TF_STATIC


class Mounting:
    """Listens to transforms, while a node is active."""

    def __init__(self, node: Node, params: OdometryParams, on_change: Callable[[], None]) -> None:
        """Subscribe to /tf_static; ``on_change`` is called when some transforms are known."""
        self._node, self._params = node, params
        self._frames = FrameTree(on_change)
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
        """Return which name of a frame, or which way between two, is missing."""
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
