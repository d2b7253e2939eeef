"""What the core logs, in the log of the node's process."""

from __future__ import annotations

import logging

from rclpy.logging import get_logger


class _ToRos(logging.Handler):
    """Hands records to rclpy."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record as ROS does."""
        logger = get_logger(record.name)
        log = logger.info if record.levelno < logging.WARNING else logger.warning
        log(record.getMessage())


def forward_log() -> None:
    """Log from now on what the core says through ROS, and nowhere else."""
    core = logging.getLogger("sdepth")
    core.handlers = [_ToRos()]
    core.propagate = False
    core.setLevel(logging.INFO)
