"""The process of one or several nodes: executor, signals, exit code, logging."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from sdepth_ros.frame_node import FrameNode
from sdepth_ros.stopping import interrupt, on_stop


def run(make_nodes: Callable[[], Iterable[FrameNode[Any]]], args: list[str] | None) -> int:
    """Spin nodes until they are told to stop; return the exit code of their process.

    The signals are ours: rclpy's handlers shut ROS down under the callback that runs.
    """
    _forward_log()
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    on_stop(interrupt)
    nodes: list[FrameNode[Any]] = []
    try:
        nodes.extend(make_nodes())
        if not all(node.autostart() for node in nodes):
            return 1
        _spin(nodes)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        for node in nodes:
            if not node.failure:
                totals = (f"{key} {value}" for key, value in node.stats.values().items())
                node.get_logger().info(", ".join(totals))
            node.close()
        rclpy.try_shutdown()
    return 1 if any(node.crashed for node in nodes) else 0


def _spin(nodes: Iterable[FrameNode[Any]]) -> None:
    """Run callbacks in a thread of their own, so that no signal interrupts one halfway."""
    executor = SingleThreadedExecutor()
    for node in nodes:
        executor.add_node(node)
    stopped: Future[None] = Future()
    with ThreadPoolExecutor(1, "callbacks") as pool:
        spinning = pool.submit(executor.spin_until_future_complete, stopped)
        try:
            spinning.result()
        finally:
            stopped.set_result(None)


class _ToRos(logging.Handler):
    """Hands records to rclpy."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record as ROS does."""
        logger = get_logger(record.name)
        log = logger.info if record.levelno < logging.WARNING else logger.warning
        log(record.getMessage())


def _forward_log() -> None:
    """Log from now on what the core says through ROS, and nowhere else."""
    core = logging.getLogger("sdepth")
    core.handlers = [_ToRos()]
    core.propagate = False
    core.setLevel(logging.INFO)
