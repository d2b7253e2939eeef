"""Diagnostics of a node, published once a second, also while it configures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions

from sdepth_ros.notices import FINE, Said
from sdepth_ros.qos import STATE

_AGAIN_S, _PERIOD_S = 30.0, 1.0
"""Between two logs of what lasts, and between two reports."""


class Health:
    """Publishes DiagnosticStatus, and logs messages that changed."""

    def __init__(
        self,
        node: Node,
        steady: Clock,
        concerns: Callable[[], list[Said]],
        values: Callable[[], dict[str, str]],
    ) -> None:
        """Begin to report.

        Args:
            node: whose health it is.
            steady: a clock that also ticks where /clock stands.
            concerns: returns what is not as it should be.
            values: returns what else is told.
        """
        self._node, self._concerns, self._values = node, concerns, values
        self._logged: dict[str, float] = {}
        options = QoSOverridingOptions.with_default_policies()
        self._publisher = node.create_publisher(
            DiagnosticArray, "/diagnostics", STATE, qos_overriding_options=options
        )
        node.create_timer(_PERIOD_S, self.report, clock=steady)

    def report(self) -> None:
        """Publish how the node is now."""
        said = self._concerns() or [FINE()]
        self._log(said)
        status = DiagnosticStatus(
            level=bytes([max(item.level for item in said)]),
            name=f"{self._node.get_fully_qualified_name().lstrip('/')}: frames",
            message="; ".join(item.text for item in said),
            hardware_id="sdepth",
        )
        status.values = [KeyValue(key=key, value=value) for key, value in self._values().items()]
        report = DiagnosticArray(status=[status])
        report.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(report)

    @contextmanager
    def while_busy(self) -> Iterator[None]:
        """Report also while this block keeps the node from its timers."""
        done = threading.Event()

        def report() -> None:
            self.report()
            while not done.wait(_PERIOD_S):
                self.report()

        thread = threading.Thread(target=report, name="health", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _log(self, said: list[Said]) -> None:
        """Log what is new, and what lasts twice a minute; numbers in it make nothing new."""
        logger: Any = self._node.get_logger()
        kinds = {"".join(filter(str.isalpha, s.text)): s.text for s in said if s.logged}
        for kind, text in kinds.items():
            if time.monotonic() - self._logged.get(kind, -_AGAIN_S) >= _AGAIN_S:
                self._logged[kind] = time.monotonic()
                logger.warning(text)
