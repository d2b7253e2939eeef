"""Quality of service: what the nodes offer, and inputs that match what cameras offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

# A reliable publisher serves both kinds of subscriber; a short queue keeps frames young.
OUTPUT = QoSProfile(depth=2, reliability=ReliabilityPolicy.RELIABLE)
STATE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
# As tf2's broadcasters and listeners have it.
TF = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
TF_STATIC = QoSProfile(
    depth=100,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
# Callbacks only fill a mailbox, so this queue is emptied at once and never ages a frame.
_INPUT_DEPTH = 5


class InputSubscription:
    """A subscription as reliable as its publishers.

    BEST_EFFORT always matches, but then the middleware loses large images; RELIABLE does not
    match a camera that offers BEST_EFFORT. So it starts RELIABLE and ``refresh`` follows what the
    publishers offer.
    """

    def __init__(
        self,
        node: Node,
        kind: type,
        topic: str,
        callback: Callable[[Any], None],
        reliability: str,
    ) -> None:
        """Subscribe; ``reliability`` is auto, reliable or best_effort."""
        self._node, self._kind, self._callback = node, kind, callback
        self._automatic = reliability == "auto"
        self._reliable = reliability != "best_effort"
        self._subscription = self._subscribe(topic)
        self.topic: str = self._subscription.topic_name

    def refresh(self) -> None:
        """Subscribe anew where the publishers' reliability calls for it."""
        offered = self._offered()
        reliable = all(policy == ReliabilityPolicy.RELIABLE for policy in offered)
        if not self._automatic or not offered or reliable == self._reliable:
            return
        self._reliable = reliable
        self._node.destroy_subscription(self._subscription)
        self._subscription = self._subscribe(self.topic)
        kind = "reliable" if reliable else "best effort"
        self._node.get_logger().info(f"{self.topic}: publishers are {kind}, subscribed likewise")

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def describe(self) -> str:
        """Return topic and number of publishers in words, and why they may not match."""
        offered = self._offered()
        unmatched = self._reliable and ReliabilityPolicy.BEST_EFFORT in offered
        reason = "; they are best effort, set input_reliability to auto" if unmatched else ""
        return f"{self.topic} ({len(offered)} publishers{reason})"

    def _offered(self) -> list[ReliabilityPolicy]:
        """Return the reliability of each publisher."""
        infos = self._node.get_publishers_info_by_topic(self.topic)
        return [info.qos_profile.reliability for info in infos]

    def _subscribe(self, topic: str) -> Any:
        """Return a new subscription."""
        reliable, best_effort = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(
            depth=_INPUT_DEPTH, reliability=reliable if self._reliable else best_effort
        )
        return self._node.create_subscription(self._kind, topic, self._callback, qos)
