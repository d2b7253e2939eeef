"""Nodes as processes of their own, and their output."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.domain import domain_variables, free_domain
from tests.ros import forkserver

ROOT = Path(__file__).parents[2]
PACKAGES = [ROOT / "ros2_ws/src/sdepth", ROOT / "ros2_ws/src/sdepth_ros"]


@contextmanager
def own_domain() -> Iterator[int]:
    """Give a DDS domain nobody else uses, also to child processes, while the block runs."""
    with free_domain() as number, pytest.MonkeyPatch.context() as patch:
        for name, value in domain_variables(number).items():
            patch.setenv(name, value)
        yield number


def environment() -> dict[str, str]:
    """Return the environment of a child process: ours, and where the packages are."""
    path = os.pathsep.join([*map(str, PACKAGES), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


_forkserver = functools.cache(lambda: forkserver.start(environment()))


def start(module: str, *args: str, fresh: bool = False) -> subprocess.Popen[str]:
    """Return the running process of an executable of sdepth_ros.

    It is a fork, which need not import torch again, behind a client that stands for it; or a
    ``fresh`` interpreter, for who looks at the process by its pid.
    """
    python = [sys.executable, "-m"] if fresh else _forkserver()[1]
    return subprocess.Popen(
        [*python, f"sdepth_ros.{module}", *args], env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str], timeout_s: float = 20.0) -> str:
    """Return what a process printed, after asking it to end where it has not."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=timeout_s)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"did not end: {process.communicate()[0]}") from None


def outcome(module: str, *args: str) -> tuple[int, str]:
    """Return exit code and output of an executable that ends by itself."""
    process = start(module, *args)
    try:
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, output


@contextmanager
def running(module: str, *args: str, fresh: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Run an executable while the block runs."""
    process = start(module, *args, fresh=fresh)
    try:
        yield process
    finally:
        finish(process)
