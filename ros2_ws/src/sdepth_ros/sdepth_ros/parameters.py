"""ROS parameters from frozen dataclasses: nested fields get dotted names.

Fields are made by ``sdepth.config.param``; those neither dynamic nor read-only change while the
node is unconfigured only.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, get_type_hints

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from sdepth.config import check_value
from sdepth.errors import ConfigError

T = TypeVar("T")
_OF_ROS = ("qos_overrides.", "use_sim_time", "start_type_description_service")


def leaves(kind: type, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    """Yield dotted name and field of every parameter of a dataclass, nested ones too."""
    hints = get_type_hints(kind)
    for item in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[item.name]):
            yield from leaves(hints[item.name], f"{prefix}{item.name}.")
        else:
            yield prefix + item.name, item


def build(kind: type[T], values: dict[str, Any], prefix: str = "") -> T:
    """Return a dataclass of dotted names and values.

    Raises:
        ConfigError: a value that its field or the dataclass does not take.
    """
    hints, parts = get_type_hints(kind), {}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        name = prefix + item.name
        if dataclasses.is_dataclass(hints[item.name]):
            parts[item.name] = build(hints[item.name], values, name + ".")
            continue
        value, choices = values[name], item.metadata.get("choices")
        if choices and isinstance(value, float):  # inf and nan, which ROS reads as numbers
            value = str(value)
        check_value(item, value, f"parameter {name}")
        parts[item.name] = value
    return kind(**parts)


def declare(node: Node, kind: type, others: Iterable[type] = ()) -> dict[str, str]:
    """Declare every field of a dataclass as a parameter of the node.

    Warns of parameters given to the node that it does not have, unless one of ``others`` does:
    what is given to a process of several nodes is given to each of them.

    Returns:
        By name, what is wrong with a given value that ROS cannot even keep (another type, out of
        range): the default stands in for it.
    """
    unusable = {}
    for name, item in leaves(kind):
        descriptor = _descriptor(item)
        try:
            given = node.declare_parameter(name, item.default, descriptor)
            if (word := spelled(kind, given)) is not given:
                node.set_parameters([word])
        except (InvalidParameterTypeException, InvalidParameterValueException) as err:
            node.declare_parameter(name, item.default, descriptor, ignore_override=True)
            unusable[name] = (
                f"parameter {name}: {err}; expected {type(item.default).__name__}"
                f"{_range_text(item)} such as {item.default!r}"
            )
    theirs = {name for other in others for name, _ in leaves(other)}
    _warn_of_unknown(node, [name for name, _ in leaves(kind)], theirs)
    return unusable


def spelled(kind: type, change: Parameter) -> Parameter:
    """Return a parameter as its field has it: a word such as inf, which ROS reads as a number."""
    choices = dict(leaves(kind))[change.name].metadata.get("choices", ())
    if isinstance(change.value, float) and str(change.value) in choices:
        return Parameter(change.name, value=str(change.value))
    return change


def read(node: Node, kind: type[T], unusable: dict[str, str]) -> T:
    """Return the values of declared parameters.

    Raises:
        ConfigError: a value is ``unusable``, as ``declare`` said, or refused by the dataclass.
    """
    for reason in unusable.values():
        raise ConfigError(reason)
    return build(kind, {name: node.get_parameter(name).value for name, _ in leaves(kind)})


def updated(params: T, changes: Iterable[Parameter]) -> T:
    """Return the parameters with changes made while the node is configured.

    Raises:
        ConfigError: a value that the dataclass refuses, or of a parameter that is not dynamic.
    """
    fields = dict(leaves(type(params)))
    values = {name: _get(params, name) for name in fields}
    for change in changes:
        if change.name in fields and not fields[change.name].metadata.get("dynamic"):
            raise ConfigError(
                f"parameter {change.name}: can change while the node is unconfigured only; "
                "deactivate and clean it up first"
            )
    values |= {p.name: p.value for p in changes if p.name in values}
    return build(type(params), values)


def _descriptor(item: dataclasses.Field[Any]) -> ParameterDescriptor:
    """Return what ``ros2 param describe`` shows, and rclpy enforces."""
    read_only, dynamic = (item.metadata.get(key, False) for key in ("read_only", "dynamic"))
    choices = item.metadata.get("choices", ())
    constraints = [", ".join(choices)]
    if not read_only and not dynamic:
        constraints.append("changes while unconfigured")
    descriptor = ParameterDescriptor(
        description=item.metadata["description"],
        read_only=read_only,
        additional_constraints="; ".join(filter(None, constraints)),
        dynamic_typing=not {"inf", "nan"}.isdisjoint(choices),
    )
    if limits := item.metadata.get("range"):
        low, high = limits
        if isinstance(item.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    return descriptor


def _range_text(item: dataclasses.Field[Any]) -> str:
    """Return the field's range in words, or nothing."""
    limits = item.metadata.get("range")
    return f" in {limits[0]}..{limits[1]}" if limits else ""


def _get(params: Any, name: str) -> Any:
    """Return the value of a dotted name."""
    for part in name.split("."):
        params = getattr(params, part)
    return params


def _warn_of_unknown(node: Node, known: list[str], theirs: set[str]) -> None:
    """Warn of overrides that no parameter takes: ROS ignores a misspelt name in silence."""
    for name in getattr(node, "_parameter_overrides", {}):
        if name in known or name in theirs or name.startswith(_OF_ROS):
            continue
        close = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
        node.get_logger().warning(f"no parameter {name}, ignored{hint}")
