"""A node beside those that run as processes: it listens, publishes, and spins until it has it."""

from __future__ import annotations

import time
from collections.abc import Callable

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node


class Peer(Node):
    """A node in a context and a DDS domain of its own, spun by whoever waits for something.

    Attributes:
        own_context: of this node alone; ``close`` shuts it down.
    """

    def __init__(self, domain: int, name: str = "peer") -> None:
        """Join a domain."""
        self.own_context = rclpy.Context()
        rclpy.init(context=self.own_context, domain_id=domain)
        super().__init__(name, context=self.own_context)
        self._spinner = SingleThreadedExecutor(context=self.own_context)
        self._spinner.add_node(self)

    def listen(self, kind: type, topic: str, qos: object = 100) -> list:
        """Return a list that grows with a topic's messages."""
        received: list = []
        self.create_subscription(kind, topic, received.append, qos)  # type: ignore[arg-type]
        return received

    def spin_until(self, condition: Callable[[], object], timeout_s: float = 30.0) -> bool:
        """Spin until the condition holds; tell whether it did."""
        end_s = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end_s:
                return False
            self._spinner.spin_once(timeout_sec=0.05)
        return True

    def spin_to(self, due_s: float) -> None:
        """Return at a time of ``time.monotonic``, to the millisecond."""
        while (left_s := due_s - time.monotonic()) > 0:
            self._spinner.spin_once(timeout_sec=left_s)

    def close(self) -> None:
        """Leave."""
        self._spinner.shutdown()
        self.destroy_node()
        rclpy.shutdown(context=self.own_context)
