"""ROS 1 messages (.bag files, some MCAPs) converted to ROS 2 types and CDR."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rosbags.convert.converter import (
    LATCH,
    STATIC_MSGTYPE_RENAMES,
    is_same_wireformat,
    migrate_bytes,
)
from rosbags.interfaces import Connection, ConnectionExtRosbag1, ConnectionExtRosbag2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

Convert = Callable[[bytes], bytes | memoryview]


def as_ros2(connection: Connection, store: Typestore) -> Connection | None:
    """Return the topic with its ROS 2 type and QoS; None where there is no such type.

    Topics of ROS 2 come back as they are, also those of types that ``store`` does not know.
    """
    if not _is_ros1(connection):
        return connection if connection.ext.serialization_format == "cdr" else None  # type: ignore[union-attr]
    kind = _type_name(connection)
    if kind not in store.types:
        return None
    latched = isinstance(connection.ext, ConnectionExtRosbag1) and connection.ext.latching
    ext = ConnectionExtRosbag2("cdr", LATCH if latched else [])
    return connection._replace(msgtype=kind, ext=ext)


def to_cdr(connection: Connection, store: Typestore) -> Convert | None:
    """Return the converter of a topic's messages to CDR; None where they are CDR already."""
    if not _is_ros1(connection):
        return None
    kind, own = _type_name(connection), connection.msgtype
    theirs = get_typestore(Stores.EMPTY)
    theirs.register(get_types_from_msg(connection.msgdef.data, own))
    if is_same_wireformat(theirs, store, own, kind):
        return partial(store.ros1_to_cdr, typename=kind)
    return partial(migrate_bytes, theirs, store, own, kind, {}, src_is2=False, dst_is2=True)


def _is_ros1(connection: Connection) -> bool:
    """Tell whether a topic's messages are of ROS 1."""
    ext = connection.ext
    return isinstance(ext, ConnectionExtRosbag1) or ext.serialization_format == "ros1"


def _type_name(connection: Connection) -> str:
    """Return the type of a topic as ROS 2 names it."""
    package, _, name = connection.msgtype.replace("/msg/", "/").partition("/")
    named = f"{package}/msg/{name}"
    return STATIC_MSGTYPE_RENAMES.get(named, named)
