"""Order and turns of tests that several processes of pytest-xdist run side by side."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def slow_files_first(items: list[pytest.Item]) -> None:
    """Sort tests: files with a slow one come first, the order within a file stays."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@contextmanager
def turn(folder: Path, alone: bool) -> Iterator[None]:
    """Wait until a test may run, and keep others waiting that may not run beside it.

    The room is shared, or one's own if ``alone``. Who waits for it stands in the door, so that
    those who come later cannot keep it occupied. ``folder`` holds the files that are locked.
    """
    with (folder / "room").open("w") as entered:
        with (folder / "door").open("w") as waiting:
            fcntl.flock(waiting, fcntl.LOCK_EX)
            fcntl.flock(entered, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
