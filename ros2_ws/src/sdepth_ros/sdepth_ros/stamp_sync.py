"""Images with the depth of the same stamp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sdepth_ros.conversions import stamp_ns


class StampSync:
    """Pairs the messages of two topics by exactly equal stamps; keeps a bounded number."""

    def __init__(
        self,
        on_pair: Callable[[Any, Any], None],
        on_unpaired: Callable[[int], None],
        size: int = 30,
    ) -> None:
        """Start empty.

        Args:
            on_pair: gets the two messages.
            on_unpaired: gets the number of first messages given up: their partner never came, or
                another one of their stamp did.
            size: messages of each topic to keep at most.
        """
        self._on_pair, self._on_unpaired, self._size = on_pair, on_unpaired, size
        self._first: dict[int, Any] = {}
        self._second: dict[int, Any] = {}

    def add_first(self, msg: Any) -> None:
        """Take a message of the first topic."""
        self._add(msg, self._first, self._second)

    def add_second(self, msg: Any) -> None:
        """Take a message of the second topic."""
        self._add(msg, self._second, self._first)

    def _add(self, msg: Any, own: dict[int, Any], other: dict[int, Any]) -> None:
        """Keep the message, and hand out the pair it completes."""
        stamp = stamp_ns(msg.header)
        if own.pop(stamp, None) is not None and own is self._first:
            self._on_unpaired(1)
        own[stamp] = msg
        if stamp in other:
            pair = self._first[stamp], self._second[stamp]
            for queue in (self._first, self._second):
                before = list(queue).index(stamp)  # came before the pair: too late for a partner
                self._forget(queue, before)
                del queue[stamp]
            self._on_pair(*pair)
        else:
            self._forget(own, len(own) - self._size)

    def _forget(self, queue: dict[int, Any], number: int) -> None:
        """Drop the messages that came first."""
        for stamp in list(queue)[: max(0, number)]:
            del queue[stamp]
        if queue is self._first and number > 0:
            self._on_unpaired(number)
