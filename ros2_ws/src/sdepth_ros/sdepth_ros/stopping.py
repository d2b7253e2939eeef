"""Signal handling: the first SIGINT or SIGTERM stops the process, later ones are ignored."""

from __future__ import annotations

import atexit
import gc
import signal
from collections.abc import Callable

_STOP_SIGNALS = signal.SIGINT, signal.SIGTERM


def on_stop(act: Callable[[], None]) -> None:
    """Act at the first signal to stop, in the main thread, and ignore those that follow.

    A terminal and then ``ros2 launch``, or systemd and then ``ros2 launch``, send it twice; the
    second would break off what the first one made us finish. When Python ends it looks through
    all objects for garbage, a second over torch's: what is there then goes with the process.
    """

    def stop(*_: object) -> None:
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        act()

    for number in _STOP_SIGNALS:
        signal.signal(number, stop)
    atexit.register(gc.freeze)


def interrupt() -> None:
    """End the main thread's work."""
    raise KeyboardInterrupt
