"""Quality of service: what the nodes offer, and inputs that match what cameras offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from types import MappingProxyType
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

from sdepth_ros import notices
from sdepth_ros.notices import Said

# A reliable publisher serves both kinds of subscriber; a short queue keeps frames young.
OUTPUT = QoSProfile(depth=2, reliability=ReliabilityPolicy.RELIABLE)
LARGE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
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


# Our inputs ask for nothing else that a publisher may not offer.
_MISMATCHES = (
    (
        "reliability",
        (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE),
        notices.BEST_EFFORT,
    ),
    (
        "durability",
        (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL),
        notices.NOT_LATCHED,
    ),
)
_TYPES = {
    ("CompressedImage", "Image"): notices.COMPRESSED,
    ("Image", "CompressedImage"): notices.NOT_COMPRESSED,
}
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_BOTH = Signature([Parameter(name, Parameter.POSITIONAL_ONLY) for name in ("msg", "info")])


def with_info(callback: Callable[[Any, Mapping[str, Any]], None]) -> Callable[..., None]:
    """Return a callback for messages and what the middleware knows of each, where rclpy tells.

    Iron and later look at a callback's signature and hand over both; Humble looks at nothing and
    hands over the message alone.
    """

    def receive(msg: Any, info: Mapping[str, Any] = _NOTHING) -> None:
        callback(msg, info)

    receive.__signature__ = _BOTH  # type: ignore[attr-defined]
    return receive


def unheard(node: Node) -> list[Said]:
    """Return which publishers a node's subscriptions do not match.

    By what the publishers of the moment offer: events of the middleware tell when one comes that
    does not match, and never that it left.
    """
    found = []
    for mine in node.subscriptions:
        expected = mine.msg_type.__name__
        for theirs in node.get_publishers_info_by_topic(mine.topic_name):
            who = f"{theirs.node_namespace.rstrip('/')}/{theirs.node_name}"
            names = {"topic": mine.topic_name, "who": who}
            sent = theirs.topic_type.rpartition("/")[2]
            if sent != expected:
                notice = _TYPES.get((sent, expected), notices.OTHER_TYPE)
                found.append(notice(**names, sent=sent, expected=expected))
                continue
            for policy, (offered, asked), notice in _MISMATCHES:
                pair = getattr(theirs.qos_profile, policy), getattr(mine.qos_profile, policy)
                if pair == (offered, asked):
                    found.append(notice(**names))
    return found


class InputSubscription:
    """A subscription as reliable as its publishers.

    BEST_EFFORT always matches, but then the middleware loses large images; RELIABLE does not
    match a camera that offers BEST_EFFORT. So it starts RELIABLE and ``refresh`` follows what the
    publishers offer. A ``latched`` one also hears what was said before it came, where publishers
    keep that (TRANSIENT_LOCAL), as some do with camera_info.
    """

    def __init__(
        self,
        node: Node,
        kind: type,
        topic: str,
        callback: Callable[[Any], None],
        reliability: str,
        latched: bool = False,
        on_lost: Callable[[int], None] = lambda number: None,
    ) -> None:
        """Subscribe.

        Args:
            node: that listens.
            kind: type of the messages.
            topic: its name.
            callback: gets each message.
            reliability: auto, reliable or best_effort.
            latched: hear what was said before.
            on_lost: gets the number of messages that were sent since the last one of the same
                publisher and did not come, where the middleware numbers them (Kilted's does).
        """
        self._node, self._kind, self._callback = node, kind, callback
        self._on_lost, self._numbers = on_lost, dict[bytes, int]()
        self._automatic, self._latched = reliability == "auto", latched
        self._reliable = reliability != "best_effort"
        self._keeps = False
        self._subscription = self._subscribe(topic)
        self.topic: str = self._subscription.topic_name

    def refresh(self) -> None:
        """Subscribe anew where the publishers' reliability or durability calls for it."""
        offered = self._offered()
        if not offered:
            return
        reliable = all(qos.reliability == ReliabilityPolicy.RELIABLE for qos in offered)
        keeps = all(qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for qos in offered)
        wanted = reliable if self._automatic else self._reliable, keeps and self._latched
        if wanted == (self._reliable, self._keeps):
            return
        self._reliable, self._keeps = wanted
        self._node.destroy_subscription(self._subscription)
        self._subscription = self._subscribe(self.topic)
        kind = ("reliable" if self._reliable else "best effort") + ", latched" * self._keeps
        self._node.get_logger().info(f"{self.topic}: publishers are {kind}, subscribed likewise")

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def count(self) -> int:
        """Return the number of publishers."""
        return len(self._offered())

    def describe(self) -> str:
        """Return topic and number of publishers in words."""
        return f"{self.topic} ({self.count()} publishers)"

    def _receive(self, msg: Any, info: Mapping[str, Any]) -> None:
        """Hand on a message, after how many there are missing before it."""
        publisher, number = info.get("publisher_gid"), info.get("publication_sequence_number")
        if publisher is not None and number is not None:
            gid = bytes(publisher["data"])
            lost = number - self._numbers.get(gid, number - 1) - 1
            self._numbers[gid] = number
            if lost > 0:
                self._on_lost(lost)
        self._callback(msg)

    def _offered(self) -> list[QoSProfile]:
        """Return what each publisher of our type offers."""
        infos = self._node.get_publishers_info_by_topic(self.topic)
        kind = self._kind.__name__
        return [i.qos_profile for i in infos if i.topic_type.rpartition("/")[2] == kind]

    def _subscribe(self, topic: str) -> Any:
        """Return a new subscription."""
        reliable, best_effort = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
        kept, volatile = DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE
        qos = QoSProfile(
            depth=_INPUT_DEPTH,
            reliability=reliable if self._reliable else best_effort,
            durability=kept if self._keeps else volatile,
        )
        heard = with_info(self._receive)
        # Of a publisher that does not match rclpy would warn before ``refresh`` follows it.
        quiet = SubscriptionEventCallbacks(use_default_callbacks=False)
        return self._node.create_subscription(self._kind, topic, heard, qos, event_callbacks=quiet)
