"""Quality of service for played and recorded topics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

STATIC_TF = "/tf_static"
_DEPTH = 100


def play_qos(topic: str, recorded: Iterable[Any]) -> QoSProfile:
    """Return the QoS to publish a bag's topic with: RELIABLE, latched where it was recorded so.

    ``/tf_static`` is always latched: without, a viewer that starts later never hears it.

    Args:
        topic: its name.
        recorded: the QoS profiles in the bag, as rosbags reads them; may be empty.
    """
    latched = any(qos.durability.name == "TRANSIENT_LOCAL" for qos in recorded)
    return _profile(reliable=True, latched=latched or topic == STATIC_TF)


def record_qos(offered: Iterable[QoSProfile]) -> QoSProfile:
    """Return the QoS that matches every publisher of a topic and loses least."""
    offered = list(offered)
    return _profile(
        reliable=all(q.reliability == ReliabilityPolicy.RELIABLE for q in offered),
        latched=all(q.durability == DurabilityPolicy.TRANSIENT_LOCAL for q in offered),
    )


def _profile(reliable: bool, latched: bool) -> QoSProfile:
    """Return a deep KEEP_LAST profile."""
    return QoSProfile(
        depth=_DEPTH,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
