"""Processes end with the demo, and a failing one is told of with its last words."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.processes import ProcessError, processes

_SLEEP = ("timeit", "-n", "1", "import time; print('up', flush=True); time.sleep(600)")


def _wait_for(condition: object, timeout_s: float = 20.0) -> None:
    """Return when the condition holds."""
    end_s = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_a_failing_process_is_named_with_its_last_words(tmp_path: Path) -> None:
    with processes(tmp_path, {}) as group:
        group.start("broken", "json.tool", str(tmp_path / "missing.json"))
        with pytest.raises(ProcessError, match=r"(?s)broken failed.*missing\.json"):
            _wait_for(lambda: group.ended("broken"))


def test_no_process_outlives_an_interrupted_demo(tmp_path: Path) -> None:
    started = []

    def interrupted_demo() -> None:
        with processes(tmp_path, {}) as group:
            group.start("sleeper", *_SLEEP)
            started.append(group._running["sleeper"])
            _wait_for(lambda: "up" in (tmp_path / "sleeper.log").read_text())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_demo()
    assert started[0].poll() is not None


def test_command_line_shows_examples_and_refuses_what_it_does_not_know() -> None:
    pytest.importorskip("rclpy")
    command = [sys.executable, "-m", "demo", "--from", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 2
    assert "nowhere" in done.stderr
