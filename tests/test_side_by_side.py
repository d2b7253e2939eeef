"""Tests side by side: one that wants to be alone is, and does not wait forever."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from tests.side_by_side import turn


def test_who_wants_to_be_alone_comes_after_those_before_and_before_those_after(
    tmp_path: Path,
) -> None:
    inside: list[str] = []
    seen: dict[str, list[str]] = {}
    leave = Event()

    def run(name: str, alone: bool) -> None:
        with turn(tmp_path, alone):
            inside.append(name)
            seen[name] = [*inside]
            if not alone:
                leave.wait(20)
            inside.remove(name)

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(run, name, False) for name in ("first", "second")]
        while len(inside) < 2:
            time.sleep(0.01)
        for name in ("alone", "later"):
            runs.append(pool.submit(run, name, name == "alone"))
            time.sleep(0.2)  # until it waits
        assert sorted(inside) == ["first", "second"]
        leave.set()
    for done in runs:
        done.result()
    assert seen["alone"] == ["alone"]
    assert seen["later"] == ["later"]
