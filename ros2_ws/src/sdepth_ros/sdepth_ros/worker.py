"""One thread with a small mailbox: the newest items win, so work never lags far behind.

``Rendezvous`` synchronises two such threads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Rendezvous:
    """Runs an action once it was offered and allowed, in the thread that comes last."""

    def __init__(self) -> None:
        """Start with neither."""
        self._lock = threading.Lock()
        self._action: Callable[[], None] | None = None
        self._let = False

    def offer(self, action: Callable[[], None]) -> None:
        """Offer the action; run it now if it was allowed before."""
        with self._lock:
            self._action, let = action, self._let
        if let:
            action()

    def let(self) -> None:
        """Allow the action, once; run it now if it was offered before."""
        with self._lock:
            action, first = self._action, not self._let
            self._let = True
        if first and action is not None:
            action()


class Worker(Generic[T]):
    """Works on one item at a time, in order, and keeps only the newest ``slots``."""

    def __init__(
        self,
        work: Callable[[T], None],
        ready: Callable[[T], bool],
        warm_up: Callable[[], None] | None = None,
        slots: int = 1,
    ) -> None:
        """Start the thread, return when it is warm; raise what ``warm_up`` raised.

        Args:
            work: what to do with an item; must not raise.
            ready: whether an item can be worked on yet; until then it waits in its slot. Asked
                when an item comes and at every ``wake``.
            warm_up: called once, in the thread: what a network sets up at its first image, it
                sets up for one thread.
            slots: items that may wait; 1: only the newest.
        """
        self._work, self._ready = work, ready
        self._items: deque[T] = deque()
        self._slots = slots
        self._busy = self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self._warm_up, self._warm = warm_up, threading.Event()
        self._failure: Exception | None = None
        self._thread.start()
        try:
            self._warm.wait()
        except KeyboardInterrupt:  # a thread inside torch must not outlive the interpreter
            self.close()
            raise
        if self._failure is not None:
            raise self._failure

    def put(self, item: T) -> T | None:
        """Leave an item; return the oldest one if it had to go: nobody will work on it."""
        with self._changed:
            dropped = self._items.popleft() if len(self._items) == self._slots else None
            self._items.append(item)
            self._changed.notify_all()
        return dropped

    def wake(self) -> None:
        """Ask ``ready`` again."""
        with self._changed:
            self._changed.notify_all()

    def waiting(self) -> T | None:
        """Return the item that waits longest, if any."""
        with self._changed:
            return self._items[0] if self._items else None

    def drain(self) -> list[T]:
        """Forget the items that wait, finish the one at work; return those forgotten."""
        with self._changed:
            forgotten = [*self._items]
            self._items.clear()
            self._changed.wait_for(lambda: not self._busy)
        return forgotten

    def close(self, timeout_s: float = 5.0) -> None:
        """Finish the item at work, forget the one that waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        """Work until closed."""
        try:
            if self._warm_up is not None:
                self._warm_up()
        except Exception as err:
            self._failure = err
            return
        finally:
            self._warm.set()
        while True:
            with self._changed:
                self._changed.wait_for(self._due)
                if self._closed:
                    return
                item, self._busy = self._items.popleft(), True
            try:
                self._work(item)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _due(self) -> bool:
        """Tell whether there is something to do."""
        return self._closed or (bool(self._items) and self._ready(self._items[0]))
