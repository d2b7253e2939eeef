"""An ONNX network of others, put between image bytes and dense maps: what engines run of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper

from sdepth.engines.graph import INPUTS
from sdepth.engines.onnx_file import MAX_SIDE, check_shapes, dims
from sdepth.errors import CheckpointError
from training.weights import foreign_outputs
from training.weights.foreign_outputs import PREFIX
from training.weights.presets import Fields

_KINDS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8)


class ImageInput(NamedTuple):
    """What a network takes: name, type, and which dimensions are height and width; 0: any size."""

    name: str
    kind: int
    axes: tuple[int, int]
    size: tuple[int, int]


def find_input(model: ModelProto, path: Path) -> ImageInput:
    """Return the one image that a network takes.

    Raises:
        CheckpointError: several inputs, or one that is no image.
    """
    known = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in known]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise CheckpointError(f"{path}: inputs {names:.200}, expected one image; export it so")
    (value,), kind, shape = inputs, inputs[0].type.tensor_type.elem_type, dims(inputs[0])
    axes = (2, 3) if len(shape) == 4 and shape[1] == 3 else (1, 2)
    if len(shape) != 4 or 3 not in (shape[1], shape[3]) or shape[0] > 1 or kind not in _KINDS:
        raise CheckpointError(
            f"{path}: input {value.name} of shape {shape} (0: any), expected one image of floats "
            "or bytes, (1, 3, H, W) or (1, H, W, 3)"
        )
    return ImageInput(value.name, kind, axes, (shape[axes[0]], shape[axes[1]]))


def fix_size(model: ModelProto, seen: ImageInput, size: tuple[int, int], path: Path) -> None:
    """Make a network take one image of (height, width).

    Raises:
        CheckpointError: it takes another, or the size is absurd, or gives absurd ones.
    """
    for own, wanted in zip(seen.size, size, strict=True):
        if own not in (0, wanted) or not 0 < wanted <= MAX_SIDE:
            raise CheckpointError(
                f"{path}: takes images of {seen.size[1]}x{seen.size[0]} (0: any), not "
                f"{size[1]}x{size[0]}; sides of {MAX_SIDE} at most"
            )
    (value,) = (v for v in model.graph.input if v.name == seen.name)
    shape = value.type.tensor_type.shape.dim
    shape[0].dim_value = 1
    for axis, side in zip(seen.axes, size, strict=True):
        shape[axis].dim_value = side
    del model.graph.value_info[:]  # of any size
    check_shapes(model, path)


def wrap(
    model: ModelProto, seen: ImageInput, size: tuple[int, int], fields: Fields, path: Path
) -> tuple[ModelProto, Fields]:
    """Return a network from image bytes (1, h, w, 3) and focal_scale (1,) to maps (1, 1, h', w').

    Also return ``fields`` with what its outputs turned out to be.

    Args:
        model: of one size; it is used up.
        seen: its input.
        size: (height, width) of it.
        fields: ``channels``, and mean and standard deviation of each, in their order, of 0..1;
            and of outputs what ``foreign_outputs.find`` takes.
        path: of the network, for errors.

    Raises:
        CheckpointError: it cannot be run, or no output of it is a dense map.
        ConfigError: there is no such output, or it is not known how to read it.
    """
    opset = model.opset_import
    model = compose.add_prefix(model, PREFIX)
    before, values = _before(seen, fields)
    graph = helper.make_graph(
        [*before, *model.graph.node],
        "sdepth",
        [
            helper.make_tensor_value_info(INPUTS[0], TensorProto.UINT8, (1, *size, 3)),
            helper.make_tensor_value_info(INPUTS[1], TensorProto.FLOAT, (1,)),
        ],
        model.graph.output,
        [*model.graph.initializer, *values],
    )
    graph.sparse_initializer.extend(model.graph.sparse_initializer)
    whole = helper.make_model(graph, opset_imports=opset, functions=model.functions)
    whole.ir_version = model.ir_version
    found = foreign_outputs.answers(whole, size, path)
    fields = foreign_outputs.find(found, fields, size, path)
    foreign_outputs.append(whole.graph, fields, found)
    return whole, fields


def _before(seen: ImageInput, fields: Fields) -> tuple[list[NodeProto], list[TensorProto]]:
    """Return nodes from the image's bytes to the network's input, and their constants."""
    mean, std = (np.asarray(fields[f"channel_{name}"]) for name in ("mean", "std"))
    values = {
        "gain": (1 / (255 * std)).astype(np.float32),
        "shift": (mean / std).astype(np.float32),
    }
    nodes: list[NodeProto] = []
    at = INPUTS[0]

    def add(kind: str, *more: str, **attributes: Any) -> None:
        nonlocal at
        nodes.append(helper.make_node(kind, [at, *more], [f"seen/{len(nodes)}"], **attributes))
        at = nodes[-1].output[0]

    if fields["channels"] == "bgr":
        values["bgr"] = np.array([2, 1, 0])
        add("Gather", "bgr", axis=3)
    if seen.kind != TensorProto.UINT8:
        add("Cast", to=TensorProto.FLOAT)
        add("Mul", "gain")
        add("Sub", "shift")
        add("Cast", to=seen.kind)
    add("Transpose", perm=(0, 3, 1, 2) if seen.axes == (2, 3) else (0, 1, 2, 3))
    nodes[-1].output[0] = PREFIX + seen.name
    used = {name for node in nodes for name in node.input}
    return nodes, [numpy_helper.from_array(v, k) for k, v in values.items() if k in used]


def save(model: ModelProto, path: Path) -> None:
    """Write a network, its weights within.

    Raises:
        CheckpointError: larger than one ONNX file can be.
    """
    try:
        onnx.save(model, path)
    except Exception as err:
        raise CheckpointError(f"{path}: cannot be one ONNX file of 2 GiB at most ({err})") from err
