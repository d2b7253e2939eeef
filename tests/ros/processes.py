"""Nodes as processes of their own, and a node of the test's to talk to them over DDS."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from demo.domain import free_domain
from tests.ros import forkserver

ROOT = Path(__file__).parents[2]
PACKAGES = [ROOT / "ros2_ws/src/sdepth", ROOT / "ros2_ws/src/sdepth_ros"]


@contextmanager
def own_domain() -> Iterator[int]:
    """Give a DDS domain nobody else uses, also to child processes, while the block runs."""
    with free_domain() as number, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(number))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
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


class Peer(Node):
    """The test's node: publishes, listens and spins until something holds."""

    def __init__(self, domain: int) -> None:
        """Join a domain of its own context."""
        self.own_context = rclpy.Context()
        rclpy.init(context=self.own_context, domain_id=domain)
        super().__init__("peer", context=self.own_context)
        self._peer_executor = SingleThreadedExecutor(context=self.own_context)
        self._peer_executor.add_node(self)

    def listen(self, kind: type, topic: str, qos: object = 100) -> list:
        """Return a list that grows with a topic's messages."""
        received: list = []
        self.create_subscription(kind, topic, received.append, qos)
        return received

    def spin_until(self, condition: Callable[[], object], timeout_s: float = 30.0) -> bool:
        """Spin until the condition holds; tell whether it did."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._peer_executor.spin_once(timeout_sec=0.05)
        return True

    def close(self) -> None:
        """Leave."""
        self._peer_executor.shutdown()
        self.destroy_node()
        rclpy.shutdown(context=self.own_context)
