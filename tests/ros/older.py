"""One of our executables on an rclpy that is made to be an older one: ``run(distribution, ...)``.

What came later is refused to our code, and messages are handed over as they were then. rclpy's
own code goes on as it is installed.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from rclpy import executors
from rclpy.executors import await_or_execute

SINCE_KILTED = {  # beyond rclpy 7.1
    "rclpy.node.Node": (),
    "rclpy.subscription.Subscription": (
        "is_cft_enabled", "set_content_filter", "get_content_filter",
    ),
    "rclpy.executors.Executor": ("create_future",),
    "rclpy.InitContextManager": ("__enter__",),  # with rclpy.init()
}  # fmt: skip
SINCE_IRON = {  # beyond rclpy 3.3
    "rclpy.node.Node": (
        "list_parameters", "add_pre_set_parameters_callback", "add_post_set_parameters_callback",
        "remove_pre_set_parameters_callback", "remove_post_set_parameters_callback",
        "get_fully_qualified_node_names", "count_clients", "count_services", "wait_for_node",
    ),
    "rclpy.subscription.Subscription": ("get_publisher_count", "logger_name"),
    "rclpy.publisher.Publisher": ("logger_name",),
    "rclpy.task.Future": ("remove_done_callback",),
    "rclpy.task.Task": ("cancel",),
    "rclpy.topic_endpoint_info.TopicEndpointInfo": ("topic_type_hash",),
    "rclpy.client.Client": ("service_name", "logger_name", "configure_introspection"),
    "rclpy.service.Service": ("service_name", "logger_name", "configure_introspection"),
}  # fmt: skip
MODULES_SINCE_IRON = ("rclpy.event_handler", "rclpy.parameter_event_handler")


def run(distribution: str, executable: str, *args: str) -> int:
    """Return the exit code of an executable as on ``humble`` or ``jazzy``."""
    later = [SINCE_KILTED, SINCE_IRON] if distribution == "humble" else [SINCE_KILTED]
    for members in later:
        for owner, names in members.items():
            _refuse(owner, names)
    if distribution == "humble":
        executors.Executor._take_subscription = _take_as_on_humble
        builtins.__import__ = _without(MODULES_SINCE_IRON, builtins.__import__)
    return import_module(f"sdepth_ros.{executable}").main([executable, *args])


def _take_as_on_humble(self: Any, sub: Any) -> Any:
    """Return what hands over a message, which is all that the callback gets."""
    with sub.handle:
        taken = sub.handle.take_message(sub.msg_type, sub.raw)
    if taken is None:
        return None

    async def execute() -> None:
        await await_or_execute(sub.callback, taken[0])

    return execute


def _refuse(owner: str, names: tuple[str, ...]) -> None:
    """Make members of a class errors where our code asks for them."""
    module, _, name = owner.rpartition(".")
    kind = getattr(import_module(module), name, None)
    for member in names:
        if found := getattr(kind, "__dict__", {}).get(member):
            if isinstance(found, property):
                found = property(_refused(member, found.fget), found.fset)
            else:
                found = _refused(member, found)
            setattr(kind, member, found)


def _refused(name: str, works: Any) -> Callable[..., Any]:
    """Return a function that works for rclpy itself only."""

    @wraps(works)
    def call(*args: Any, **kwargs: Any) -> Any:
        if sys._getframe(1).f_globals["__name__"].startswith("sdepth"):
            raise AttributeError(f"this rclpy has no {name}")
        return works(*args, **kwargs)

    return call


def _without(modules: tuple[str, ...], imports: Callable[..., Any]) -> Callable[..., Any]:
    """Return an import that does not find modules for our code."""

    def find(name: str, globals: Any = None, *rest: Any, **more: Any) -> Any:
        if name in modules and (globals or {}).get("__name__", "").startswith("sdepth"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return imports(name, globals, *rest, **more)

    return find


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
