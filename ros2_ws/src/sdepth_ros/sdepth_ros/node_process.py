"""A process of one node or of several, until it is told to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from sdepth_ros.frame_node import FrameNode


def run(make_nodes: Callable[[], Iterable[FrameNode[Any]]], args: list[str] | None) -> int:
    """Spin nodes until they are told to stop; return the exit code of their process."""
    rclpy.init(args=args)
    nodes: list[FrameNode[Any]] = []
    try:
        nodes.extend(make_nodes())
        executor = SingleThreadedExecutor()
        for node in nodes:
            executor.add_node(node)
        if all(node.autostart() for node in nodes):
            executor.spin()
        elif rclpy.ok():  # else: told to stop meanwhile
            return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if rclpy.ok():  # else: told to stop in the middle of a callback
            raise
    finally:
        signal.signal(signal.SIGINT, lambda *_: None)  # systemd and then ros2 launch send it
        for node in nodes:
            if not node.failure:
                totals = (f"{key} {value}" for key, value in node.stats.values().items())
                node.get_logger().info(", ".join(totals))
            node.close()
        rclpy.try_shutdown()  # gives the signal back to Python, which may still be long at its end
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return 1 if any(node.crashed for node in nodes) else 0
