"""TF conflicts: another publisher of the transform that odometry publishes."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from tf2_msgs.msg import TFMessage

from sdepth_ros.notices import RIVAL, Said

TOPIC = "/tf"
_KEPT = 300
"""Transforms of ours that may still be on their way back to us."""
# Best effort hears everybody, and nobody sends anything twice for us.
_GLIMPSE = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)


class Rivals:
    """Watches /tf for transforms to our child frame that we did not publish.

    That is cheap: only while others are on the topic, and only what names the frame is decoded.
    ``sent`` may be called from another thread than the rest.
    """

    def __init__(self, node: Node) -> None:
        """Start idle; ``node`` has one publisher of its own on /tf."""
        self._node = node
        self._child = ""
        self._ours: dict[tuple[float, ...], None] = {}  # in order
        self._found = ""
        self._subscription: Subscription[Any] | None = None

    def sent(self, item: TransformStamped) -> None:
        """Remember a transform of ours; call it before publishing, since /tf is heard back."""
        self._child = item.child_frame_id.lstrip("/")
        self._ours[_key(item)] = None
        if len(self._ours) > _KEPT:
            del self._ours[next(iter(self._ours))]

    def look(self) -> Said | None:
        """Return a warning if another node publishes our frame; poll this."""
        topic = self._node.resolve_topic_name(TOPIC)
        infos = self._node.get_publishers_info_by_topic(topic)
        names = [f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in infos]
        if (own := self._node.get_fully_qualified_name()) in names:
            names.remove(own)  # once: a twin of ours has the same name
        if not names:
            self.close()
        elif self._found:
            self._stop()
        elif self._subscription is None and self._child:
            self._subscription = self._node.create_subscription(
                TFMessage, TOPIC, self._hear, _GLIMPSE, raw=True
            )
        if not self._found:
            return None
        return RIVAL(others=" or ".join(sorted(set(names))), frames=self._found, topic=topic)

    def close(self) -> None:
        """Stop listening, and forget who was found."""
        self._found = ""
        self._stop()

    def _stop(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _hear(self, raw: Any) -> None:
        """Take a serialised TFMessage, in which strings end with a zero."""
        if self._child.encode() + b"\0" not in raw:
            return
        for item in deserialize_message(raw, TFMessage).transforms:
            if item.child_frame_id.lstrip("/") == self._child and _key(item) not in self._ours:
                self._found = f"{item.header.frame_id} -> {self._child}"


def _key(item: TransformStamped) -> tuple[float, ...]:
    """Return what tells a transform from all others."""
    stamp, at = item.header.stamp, item.transform.translation
    return stamp.sec, stamp.nanosec, at.x, at.y, at.z
