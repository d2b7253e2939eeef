"""Base of the command-line tools: argument parsing, rclpy context, signals, exit code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from importlib import import_module

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from sdepth.cli import run
from sdepth.errors import DataError
from sdepth_ros.stopping import interrupt, on_stop


def run_tool(name: str, work: Callable[[list[str]], None], args: list[str] | None) -> int:
    """Run ``work`` on the arguments that are not ROS's; return the exit code of the process.

    The signals are ours: rclpy's handlers let a second Ctrl-C break off what the first one ends.

    Args:
        name: of the tool, starts its errors.
        work: takes the arguments; Ctrl-C ends it without complaint.
        args: the command line, beginning with the program's name; None for the process's own.
    """
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    on_stop(interrupt)
    own = remove_ros_args(sys.argv if args is None else args)[1:]

    def command() -> None:
        with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
            work(own)

    try:
        return run(name, command)
    finally:
        rclpy.try_shutdown()


def message_type(name: str) -> type:
    """Return the class of ``package/msg/Name``.

    Raises:
        DataError: its package is not installed.
    """
    package, _, rest = name.partition("/")
    folder, _, kind = rest.rpartition("/")
    try:
        return getattr(import_module(f"{package}.{folder or 'msg'}"), kind)
    except (ImportError, AttributeError, ValueError) as err:
        raise DataError(f"message {name} is not installed ({err}); install {package}") from err
