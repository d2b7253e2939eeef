"""What our code takes from ROS: names imported, methods called, keywords given; by an ast walk."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = [ROOT / "ros2_ws/src/sdepth_ros/sdepth_ros", ROOT / "launch", ROOT / "demo"]
TABLE = ROOT / "docs/ros_api.md"
OLDEST = "humble"
_OURS = ("rclpy", "launch", "launch_ros", "ament_index_python", "builtin_interfaces")
_MESSAGES = re.compile(r"\w+_(msgs|srvs|interfaces)$")
_ROW = re.compile(r"^\| `([^`]+)` \| (\w+) \|", re.MULTILINE)


def is_ros(module: str) -> bool:
    """Tell whether a module is of ROS."""
    top = module.partition(".")[0]
    return top in _OURS or bool(_MESSAGES.match(top))


def table() -> dict[str, str]:
    """Return the distribution in which each API of the documented table appeared."""
    return dict(_ROW.findall(TABLE.read_text()))


def used(methods: set[str]) -> set[str]:
    """Return all that our code takes from ROS.

    Args:
        methods: names that are taken for those of ROS' objects, wherever they stand after a dot.
    """
    files = sorted(file for folder in CODE for file in folder.rglob("*.py"))
    return {name for file in files for name in _of_file(file, methods)}


def _of_file(file: Path, methods: set[str]) -> Iterator[str]:
    """Yield what one file takes."""
    tree = ast.parse(file.read_text())
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        found = {}
        if isinstance(node, ast.ImportFrom) and node.module and is_ros(node.module):
            found = {(a.asname or a.name): f"{node.module}.{a.name}" for a in node.names}
        if isinstance(node, ast.Import):
            found = {a.name: a.name for a in node.names if is_ros(a.name)}
        imported |= found
        yield from found.values()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield from filter(None, [_attribute(node, imported, methods)])
        if isinstance(node, ast.Call):
            name = _name(node.func, imported, methods)
            yield from (f"{name}({k.arg}=)" for k in node.keywords if name and k.arg)


def _attribute(node: ast.Attribute, imported: dict[str, str], methods: set[str]) -> str:
    """Return the API that an attribute is, or nothing."""
    if isinstance(node.value, ast.Name) and node.value.id in imported:
        return f"{imported[node.value.id]}.{node.attr}"
    return f".{node.attr}" if node.attr in methods else ""


def _name(node: ast.expr, imported: dict[str, str], methods: set[str]) -> str:
    """Return the API that is called, or nothing; messages' fields are looked at elsewhere."""
    if isinstance(node, ast.Name):
        name = imported.get(node.id, "")
        return "" if _MESSAGES.match(name.partition(".")[0]) else name
    return _attribute(node, imported, methods) if isinstance(node, ast.Attribute) else ""


def methods() -> set[str]:
    """Return the names of attributes of the objects of ROS that our code holds."""
    from rclpy.clock import Clock
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.impl.rcutils_logger import RcutilsLogger
    from rclpy.lifecycle import LifecycleNode
    from rclpy.lifecycle.publisher import LifecyclePublisher
    from rclpy.parameter import Parameter
    from rclpy.subscription import Subscription
    from rclpy.task import Future
    from rclpy.time import Time
    from rclpy.topic_endpoint_info import TopicEndpointInfo

    kinds = (Clock, SingleThreadedExecutor, RcutilsLogger, LifecycleNode, LifecyclePublisher)
    kinds += (Parameter, Subscription, Future, Time, TopicEndpointInfo)
    private = {"_state_machine", "_parameter_overrides"}
    return private | {n for k in kinds for n in dir(k) if not n.startswith("_")}
