"""Small depth networks of others, as ONNX, made node by node: their answers are known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
OPSET = [helper.make_opsetid("", 17)]


def write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int | str] = (1, 3, "h", "w"),
    outputs: Sequence[str] = ("out",),
    values: dict[str, np.ndarray] | None = None,
    inputs: Sequence[str] = ("pixels",),
    opset: list[onnx.OperatorSetIdProto] | None = None,
    kind: int = FLOAT,
) -> Path:
    """Return the path of a graph from images ``pixels`` to ``outputs``."""
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info(name, kind, shape) for name in inputs],
        [helper.make_tensor_value_info(name, FLOAT, [None] * 4) for name in outputs],
        [numpy_helper.from_array(v, k) for k, v in (values or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=opset or OPSET)
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    return path


def brightness(path: Path, gain: float = 1.0, offset: float = 0.0, **more: object) -> Path:
    """Return the path of a network that answers gain * mean of what it takes, per pixel, + offset.

    Args:
        path: where to.
        gain: of brightness as the network takes it.
        offset: added.
        more: ``shape`` of images (1, 3, H, W), ``kind`` of their values.
    """
    values = {"gain": np.float32([gain]), "offset": np.float32([offset])}
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["mean", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["out"]),
    ]
    return write(path, nodes, values=values, **more)  # type: ignore[arg-type]


def with_beside(
    path: Path,
    names: Sequence[str] = ("depth", "depth_conf", "sky"),
    gain: float = 1.0,
    offset: float = 0.0,
    **more: object,
) -> Path:
    """Return the path of a network of three outputs (1, H, W): depth, confidence and sky.

    Depth is red as it takes it, confidence gain * green + offset, sky blue.

    Args:
        path: where to.
        names: of the outputs.
        gain: of confidence.
        offset: added to confidence.
        more: as ``brightness`` takes.
    """
    values = {str(c): np.int64(c) for c in range(3)}
    values |= {"gain": np.float32([gain]), "offset": np.float32([offset])}
    nodes = [
        helper.make_node("Gather", ["pixels", "0"], [names[0]], axis=1),
        helper.make_node("Gather", ["pixels", "1"], ["green"], axis=1),
        helper.make_node("Mul", ["green", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], [names[1]]),
        helper.make_node("Gather", ["pixels", "2"], [names[2]], axis=1),
    ]
    return write(path, nodes, outputs=names, values=values, **more)  # type: ignore[arg-type]
