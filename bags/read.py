"""Read bags back: decoded messages of topics, in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sdepth.errors import DataError
from sdepth_ros.bags.reader import STORE, open_bag, warn_once


def read_messages(bag: Path, *topics: str) -> Iterator[tuple[str, int, Any]]:
    """Yield topic, time in the bag (ns) and decoded message; of all topics when none is named.

    Messages of types that are not known are left out, with a warning.

    Raises:
        DataError: there is no bag, or it is damaged.
    """
    with open_bag(bag) as opened:
        chosen = [c for c in opened.connections if not topics or c.topic in topics]
        for unknown in (c for c in chosen if c.msgtype not in STORE.types):
            warn_once(f"{bag}: {unknown.topic}: type {unknown.msgtype} is not known, left out")
        known = [c for c in chosen if c.msgtype in STORE.types]
        if not known:
            return
        for connection, time_ns, data in opened.messages(known):
            try:
                msg = STORE.deserialize_cdr(data, connection.msgtype)
            except Exception as err:  # damaged, it makes its decoder raise anything
                raise DataError(
                    f"{bag}: message on {connection.topic} at {time_ns} ns is damaged, or not a "
                    f"{connection.msgtype} ({type(err).__name__}: {err}); copy or record it again"
                ) from err
            yield connection.topic, time_ns, msg


def count_messages(bag: Path) -> dict[str, int]:
    """Return the number of messages by topic.

    Raises:
        DataError: there is no bag, or it is damaged.
    """
    with open_bag(bag) as opened:
        return {c.topic: c.msgcount for c in opened.connections}


def topic_types(bag: Path) -> dict[str, str]:
    """Return the type of each topic, such as ``sensor_msgs/msg/Image``.

    Raises:
        DataError: there is no bag, or it is damaged.
    """
    with open_bag(bag) as opened:
        return {c.topic: c.msgtype for c in opened.connections}
