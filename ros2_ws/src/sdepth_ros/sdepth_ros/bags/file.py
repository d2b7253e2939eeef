"""Rosbag2 MCAPs written with rosbags alone, without ROS: recorded and converted ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer

_VERSION: Final = 8
"""Of the metadata: one form that Humble, Jazzy and Kilted read."""
_FOREVER = QosTime(2147483647, 4294967295)


def new_bag(path: Path) -> Writer:
    """Return the writer, to be opened, of a bag in the folder ``path``, which must not exist."""
    return Writer(path, version=_VERSION, storage_plugin=StoragePlugin.MCAP)


def add_topic(
    writer: Writer,
    topic: str,
    type_name: str,
    typestore: Any,
    *,
    depth: int = 10,
    reliable: bool = True,
    latched: bool = False,
) -> Connection:
    """Return a new topic of an open bag, offered with this quality of service.

    Args:
        writer: of the bag.
        topic: its name.
        type_name: such as ``sensor_msgs/msg/Image``.
        typestore: rosbags' definitions of messages.
        depth: of the queue that keeps the last messages.
        reliable: or best effort.
        latched: who subscribes later still gets the last ones.
    """
    qos = Qos(
        history=QosHistory.KEEP_LAST,
        depth=depth,
        reliability=QosReliability.RELIABLE if reliable else QosReliability.BEST_EFFORT,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=_FOREVER,
        lifespan=_FOREVER,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=_FOREVER,
        avoid_ros_namespace_conventions=False,
    )
    return writer.add_connection(topic, type_name, typestore=typestore, offered_qos_profiles=[qos])
