"""Dataclasses as ROS parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy")

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from sdepth.errors import ConfigError
from sdepth_ros.node_params import DepthParams, InputParams, OdometryParams
from sdepth_ros.parameters import declare, leaves, read, updated
from tests.helpers import dotted

CONFIG = Path(__file__).parents[2] / "ros2_ws/src/sdepth_ros/config"
KINDS = {"depth": DepthParams, "odometry": OdometryParams}


@pytest.fixture
def make_node(domain: int) -> Iterator[Callable[..., Node]]:
    """Return a maker of nodes with parameter overrides."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)

    def make(**overrides: Any) -> Node:
        values = [Parameter(name.replace("__", "."), value=v) for name, v in overrides.items()]
        return Node("node", context=context, parameter_overrides=values)

    yield make
    rclpy.shutdown(context=context)


def declared(node: Node, kind: type) -> Any:
    """Return the parameters of a node that declares them."""
    return read(node, kind, declare(node, kind))


@pytest.mark.parametrize("kind", KINDS.values())
def test_without_overrides_the_defaults_hold(make_node: Callable[..., Node], kind: type) -> None:
    assert declared(make_node(), kind) == kind()


@pytest.mark.parametrize("name", KINDS)
def test_ros_reads_the_parameter_file_as_the_defaults(domain: int, name: str) -> None:
    rclpy.init(context=(context := rclpy.Context()), domain_id=domain)
    arguments = ["--ros-args", "--params-file", str(CONFIG / f"{name}.param.yaml")]
    node = Node(name, context=context, cli_args=arguments)
    assert declared(node, KINDS[name]) == KINDS[name]()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize("sky", ["inf", "nan", "clip"])
def test_a_word_that_ros_reads_as_a_number_is_a_choice(domain: int, sky: str) -> None:
    rclpy.init(context=(context := rclpy.Context()), domain_id=domain)
    arguments = ["--ros-args", "-p", f"depth.sky:={sky}"]
    node = Node("node", context=context, cli_args=arguments)
    params = declared(node, DepthParams)
    assert params.depth.sky == node.get_parameter("depth.sky").value == sky
    changed = updated(params, [Parameter("depth.sky", value=float("nan"))])
    assert changed.depth.sky == "nan"
    rclpy.shutdown(context=context)


def test_overrides_reach_nested_fields(make_node: Callable[..., Node]) -> None:
    params = declared(make_node(mode="night", cloud__stride=3, depth__max_m=40.0), DepthParams)
    assert (params.mode, params.cloud.stride, params.depth.max_m) == ("night", 3, 40.0)


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ({"mode": "dusk"}, "mode: got 'dusk', expected one of auto, day, night"),
        ({"depth__sky": 80.0}, "depth.sky: got '80.0', expected one of inf, nan, clip"),
        ({"cloud__stride": 0}, "cloud.stride.*expected int in 1..64"),
        ({"depth__max_m": 80}, "depth.max_m.*expected float.*such as 80.0"),
        ({"day_night__dark_threshold": 0.9}, "dark < bright"),
    ],
)
def test_bad_values_are_refused(
    make_node: Callable[..., Node], override: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        declared(make_node(**override), DepthParams)


def test_every_parameter_is_described_also_by_when_it_can_change(
    make_node: Callable[..., Node],
) -> None:
    declare(node := make_node(), DepthParams)
    names = [name for name, _ in leaves(DepthParams)]
    descriptors = node.describe_parameters(names)
    assert all(d.description for d in descriptors)
    assert [d.name for d in descriptors if d.read_only] == ["autostart"]
    fixed = {d.name for d in descriptors if "while unconfigured" in d.additional_constraints}
    inputs = {"image_transport", "input_reliability", "rectify", "camera_info_url"}
    inputs |= {"camera_frame", "image.significant_bits"}
    sources = {"scale.source", "day_night.source"}
    models = {f"model.{n}" for n in ("day_path", "night_path", "device", "engine", "precision")}
    assert fixed == inputs | models | {"depth.resolution", "depth.encoding", *sources}


def test_both_nodes_read_only_what_is_the_same_for_both() -> None:
    # In one process a parameter file of either node is read by both, and the last one wins.
    depth, odometry = ({name for name, _ in leaves(kind)} for kind in KINDS.values())
    inputs = {name for name, _ in leaves(InputParams)}
    assert depth & odometry == inputs | {"model.device", "model.engine", "model.precision"}


def test_a_change_is_checked_like_a_start() -> None:
    params = updated(DepthParams(), [Parameter("mode", value="day")])
    assert params == replace(DepthParams(), mode="day")
    with pytest.raises(ConfigError, match="min < max"):
        updated(params, [Parameter("depth.min_m", value=100.0)])


def test_what_is_not_dynamic_changes_while_unconfigured_only() -> None:
    with pytest.raises(
        ConfigError, match=r"model\.device: can change while the node is unconfigured"
    ):
        updated(DepthParams(), [Parameter("model.device", value="cpu")])


@pytest.mark.parametrize("name", KINDS)
def test_the_parameter_file_holds_every_default(name: str) -> None:
    values = yaml.safe_load((CONFIG / f"{name}.param.yaml").read_text())["/**"]["ros__parameters"]
    assert dict(dotted(values)) == {key: item.default for key, item in leaves(KINDS[name])}
