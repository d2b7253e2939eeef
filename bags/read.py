"""Read bags back: decoded messages of topics, in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader, ReaderError

from bags.messages import STORE
from sdepth.errors import DataError


def read_messages(bag: Path, *topics: str) -> Iterator[tuple[str, int, Any]]:
    """Yield topic, time in the bag (ns) and decoded message; of all topics when none is named.

    Raises:
        DataError: there is no bag, or it is damaged.
    """
    try:
        with Reader(bag) as reader:
            chosen = [c for c in reader.connections if not topics or c.topic in topics]
            if not chosen:
                return
            for connection, time_ns, data in reader.messages(chosen):
                yield connection.topic, time_ns, STORE.deserialize_cdr(data, connection.msgtype)
    except (ReaderError, OSError) as err:
        raise DataError(
            f"{bag}: not a whole rosbag2 ({err}); give the folder that holds metadata.yaml"
        ) from err


def count_messages(bag: Path) -> dict[str, int]:
    """Return the number of messages by topic.

    Raises:
        DataError: there is no bag.
    """
    return {c.topic: c.msgcount for c in _connections(bag)}


def topic_types(bag: Path) -> dict[str, str]:
    """Return the type of each topic, such as ``sensor_msgs/msg/Image``.

    Raises:
        DataError: there is no bag.
    """
    return {c.topic: c.msgtype for c in _connections(bag)}


def _connections(bag: Path) -> list[Connection]:
    """Return the topics of a bag."""
    try:
        with Reader(bag) as reader:
            return list(reader.connections)  # closing empties it
    except (ReaderError, OSError) as err:
        raise DataError(
            f"{bag}: not a rosbag2 ({err}); give the folder that holds metadata.yaml"
        ) from err
