"""ROS parameters from frozen dataclasses: nested fields get dotted names.

A field's metadata holds ``description``, ``range`` (lowest, highest), ``choices``, ``dynamic``
(may change at any time) and ``read_only`` (never); the others change while unconfigured only.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from sdepth.daynight import DAY, NIGHT, DayNightConfig
from sdepth.errors import ConfigError

T = TypeVar("T")
AUTO = "auto"
_OF_ROS = ("qos_overrides.", "use_sim_time", "start_type_description_service")


def param(default: Any, description: str, **metadata: Any) -> Any:
    """Return a dataclass field that can be a ROS parameter."""
    return field(default=default, metadata={"description": description, **metadata})


@dataclass(frozen=True)
class InputParams:
    """How a node starts and takes its images."""

    autostart: bool = param(
        True,
        "Whether the node configures and activates itself; false: a lifecycle manager does",
        read_only=True,
    )
    image_transport: str = param(
        "raw", "raw: topic image; compressed: image/compressed", choices=("raw", "compressed")
    )
    input_reliability: str = param(
        AUTO,
        "auto: reliable where every publisher is; reliable; best_effort",
        choices=(AUTO, "reliable", "best_effort"),
    )
    rectify: bool = param(
        False, "Whether images have the lens distortion camera_info describes; it is taken out"
    )
    camera_info_url: str = param(
        "", "Calibration .yaml for want of camera_info: a path, file:// or package://NAME/ URL"
    )


@dataclass(frozen=True)
class DepthModelParams:
    """Which networks, and where they run."""

    day_path: str = param("", "Checkpoint (.safetensors) for the day; empty: the one that ships")
    night_path: str = param("", "Checkpoint for the night; empty: the one that ships")
    device: str = param(AUTO, "auto, cpu, cuda or cuda:N")


@dataclass(frozen=True)
class DepthOutputParams:
    """What depth looks like."""

    resolution: str = param(
        "input", "Size of the depth: the image's or the network's", choices=("input", "model")
    )
    min_m: float = param(
        0.1, "Nearer is published as -Inf (REP 117), metres", range=(0.0, 1000.0), dynamic=True
    )
    max_m: float = param(
        80.0, "Farther is published as depth.sky says, metres", range=(0.0, 10000.0), dynamic=True
    )
    encoding: str = param(
        "32FC1",
        "32FC1: metres; 16UC1: whole millimetres up to 65.5 m, 0 where there is none",
        choices=("32FC1", "16UC1"),
    )
    sky: str = param(
        "inf",
        "What stands beyond max_m: inf (+Inf, REP 117), nan, or clip (max_m itself)",
        choices=("inf", "nan", "clip"),
        dynamic=True,
    )
    edge_filter: float = param(
        0.0,
        "NaN where depth jumps to a neighbour by more than this share, against flying pixels; "
        "0: off, 0.3 is a good start",
        range=(0.0, 10.0),
        dynamic=True,
    )

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if self.min_m >= self.max_m:
            raise ConfigError(
                f"depth.min_m {self.min_m} and depth.max_m {self.max_m}: expected min < max"
            )


@dataclass(frozen=True)
class CloudParams:
    """What the point cloud looks like."""

    enable: bool = param(True, "Whether to publish points where somebody listens", dynamic=True)
    stride: int = param(
        2, "Every so many-th row and column becomes points", range=(1, 64), dynamic=True
    )
    height_min: float = param(
        -1000.0, "Lowest point, metres above the camera", range=(-1e4, 1e4), dynamic=True
    )
    height_max: float = param(
        1000.0, "Highest point, metres above the camera", range=(-1e4, 1e4), dynamic=True
    )

    def __post_init__(self) -> None:
        """Refuse an empty band."""
        if self.height_min >= self.height_max:
            raise ConfigError(
                f"cloud.height_min {self.height_min} and cloud.height_max {self.height_max}: "
                "expected min < max"
            )


@dataclass(frozen=True)
class DepthParams(InputParams):
    """Parameters of the depth node."""

    mode: str = param(
        AUTO,
        "Which checkpoint: day, night, or auto by the image's brightness",
        choices=(AUTO, DAY, NIGHT),
        dynamic=True,
    )
    model: DepthModelParams = field(default_factory=DepthModelParams)
    depth: DepthOutputParams = field(default_factory=DepthOutputParams)
    cloud: CloudParams = field(default_factory=CloudParams)
    day_night: DayNightConfig = field(default_factory=DayNightConfig)


@dataclass(frozen=True)
class OdometryModelParams:
    """Which network, and where it runs."""

    path: str = param("", "Checkpoint (.safetensors); empty: the one that ships")
    device: str = param(AUTO, "auto, cpu, cuda or cuda:N")


@dataclass(frozen=True)
class PathParams:
    """The trail in ``path``."""

    period_s: float = param(0.5, "Least time between two paths, seconds", range=(0.0, 60.0))
    max_poses: int = param(2000, "Poses kept; the oldest go first", range=(1, 100_000))


@dataclass(frozen=True)
class OdometryParams(InputParams):
    """Parameters of the odometry node."""

    odom_frame: str = param("odom", "Frame the pose is given in")
    base_frame: str = param(
        "base_link", "Frame the pose is of, found through /tf_static; empty: the camera's"
    )
    camera_frame: str = param("", "Optical frame of the camera; empty: the image's frame_id")
    publish_tf: bool = param(True, "Whether to publish odom -> base on /tf", dynamic=True)
    features: str = param(
        "fixed",
        "What frames are aligned by: brightness, or what the checkpoint learned (better by night)",
        choices=("fixed", "learned"),
    )
    model: OdometryModelParams = field(default_factory=OdometryModelParams)
    path: PathParams = field(default_factory=PathParams)


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
        ConfigError: a value is not among its field's choices, or the dataclass refuses it.
    """
    hints, parts = get_type_hints(kind), {}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        name = prefix + item.name
        if dataclasses.is_dataclass(hints[item.name]):
            parts[item.name] = build(hints[item.name], values, name + ".")
            continue
        parts[item.name] = values[name]
        choices = item.metadata.get("choices")
        if choices and values[name] not in choices:
            raise ConfigError(
                f"parameter {name}: got {values[name]!r}, expected one of {', '.join(choices)}"
            )
    return kind(**parts)


def declare(node: Node, kind: type) -> dict[str, str]:
    """Declare every field of a dataclass as a parameter of the node.

    Warns of parameters given to the node that it does not have.

    Returns:
        By name, what is wrong with a given value that ROS cannot even keep (another type, out of
        range): the default stands in for it.
    """
    unusable = {}
    for name, item in leaves(kind):
        descriptor = _descriptor(item)
        try:
            node.declare_parameter(name, item.default, descriptor)
        except (InvalidParameterTypeException, InvalidParameterValueException) as err:
            node.declare_parameter(name, item.default, descriptor, ignore_override=True)
            unusable[name] = (
                f"parameter {name}: {err}; expected {type(item.default).__name__}"
                f"{_range_text(item)} such as {item.default!r}"
            )
    _warn_of_unknown(node, [name for name, _ in leaves(kind)])
    return unusable


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
    constraints = [", ".join(item.metadata.get("choices", ()))]
    if not read_only and not dynamic:
        constraints.append("changes while unconfigured")
    descriptor = ParameterDescriptor(
        description=item.metadata["description"],
        read_only=read_only,
        additional_constraints="; ".join(filter(None, constraints)),
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


def _warn_of_unknown(node: Node, known: list[str]) -> None:
    """Warn of overrides that no parameter takes: ROS ignores a misspelt name in silence."""
    for name in getattr(node, "_parameter_overrides", {}):
        if name in known or name.startswith(_OF_ROS):
            continue
        close = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
        node.get_logger().warning(f"no parameter {name}, ignored{hint}")
