"""A node's own dump, loaded into it again as ``ros2 param load`` does: one parameter at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter

from sdepth_ros.frame_node import FrameNode
from sdepth_ros.node_params import DepthParams
from tests.ros.test_frame_node import StoppedNode

pytestmark = pytest.mark.ros


class DumpedNode(StoppedNode):
    """Has the depth node's parameters, and loads no network."""

    def __init__(self) -> None:
        FrameNode.__init__(self, "dumped", DepthParams)


@pytest.fixture
def node(domain: int) -> Iterator[DumpedNode]:
    """Return an active node."""
    rclpy.init(domain_id=domain)
    node = DumpedNode()
    assert node.autostart()
    yield node
    node.close()
    rclpy.try_shutdown()


def load(node: DumpedNode, values: dict[str, Any]) -> dict[str, str]:
    """Return what is refused, and why, of values that the parameter service gets."""
    messages = [Parameter(n, value=v).to_parameter_msg() for n, v in values.items()]
    request, response = SetParameters.Request(parameters=messages), SetParameters.Response()
    results = node._parameter_service._set_parameters_callback(request, response).results
    return {n: r.reason for n, r in zip(values, results, strict=True) if not r.successful}


def test_what_stays_as_it_is_is_no_change_also_where_it_is_fixed(node: DumpedNode) -> None:
    dump = {name: parameter.value for name, parameter in node._parameters.items()}
    assert {"autostart", "model.engine", "use_sim_time"} <= set(dump)
    assert any(name.startswith("qos_overrides.") for name in dump)
    assert load(node, dump) == {}
    assert set(load(node, {"autostart": False, "model.engine": "torch"})) == {
        "autostart", "model.engine",
    }  # fmt: skip
    assert load(node, {"mode": "day"}) == {}
    assert node.params.mode == "day"


def test_a_number_that_is_meant_as_a_word_is_kept_as_the_word(node: DumpedNode) -> None:
    assert load(node, {"depth.sky": float("nan")}) == {}
    assert node.get_parameter("depth.sky").value == node.params.depth.sky == "nan"
    assert load(node, {"depth.sky": float("nan"), "depth.max_m": 70.0}) == {}
    assert set(load(node, {"depth.sky": 3.0})) == {"depth.sky"}
