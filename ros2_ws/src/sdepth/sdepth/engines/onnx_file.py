"""ONNX files from anywhere: looked through before a library runs them; nothing is trusted."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any

from sdepth.engines.graph import INPUTS
from sdepth.errors import CheckpointError, EngineError
from sdepth.files import is_pickle

MAX_SIDE = 8192
"""Of an image, pixels."""
_MAX_VALUES = 2**28  # in one tensor: 1 GiB of fp32
_STANDARD = ("", "ai.onnx")
_ENDLESS = ("Loop", "Scan")
_OLDEST = 11  # opset: before it, what we put around a network would have another form
_WAY_OUT = "export it again from where you trust it"


def read_network(path: Path) -> Any:
    """Return the onnx.ModelProto in a file, its weights read in, after every check.

    Raises:
        CheckpointError: missing, another kind of file, damaged, weights outside its folder, custom
            operators, loops, or tensors of absurd size.
        EngineError: the package onnx is missing.
    """
    try:
        import onnx
    except ImportError as err:
        raise EngineError(f"cannot look into {path}: {err}; pip install onnx") from err
    model = _parse(onnx, path)
    _check_nodes(model, path)
    for tensor in _tensors(model):
        if prod(tensor.dims) > _MAX_VALUES:
            raise CheckpointError(
                f"{path}: tensor {tensor.name!r:.40} of shape {tuple(tensor.dims)}, expected "
                f"{_MAX_VALUES:.0e} values at most; {_WAY_OUT}"
            )
        _check_place(tensor, path)
    try:
        onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
    except Exception as err:  # whatever a file's content can make of them
        raise CheckpointError(f"{path}: damaged ({_first_line(err)}); {_WAY_OUT}") from err
    return model


def check_shapes(model: Any, path: Path) -> None:
    """Refuse a network, its image's size fixed, in which a value is of absurd size.

    Raises:
        CheckpointError: there is one, or shapes contradict each other.
    """
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception as err:
        raise CheckpointError(f"{path}: damaged ({_first_line(err)}); {_WAY_OUT}") from err
    for value in chain(inferred.value_info, inferred.input, inferred.output):
        shape = dims(value)
        if prod(d for d in shape if d) > _MAX_VALUES:
            raise CheckpointError(
                f"{path}: {value.name!r:.40} would be of shape {shape}, expected "
                f"{_MAX_VALUES:.0e} values at most; {_WAY_OUT}"
            )


def dims(value: Any) -> tuple[int, ...]:
    """Return the shape of an onnx.ValueInfoProto, 0 where a dimension is dynamic."""
    return tuple(d.dim_value for d in value.type.tensor_type.shape.dim)


@functools.cache
def check_imported(
    path: Path, sha256: str, size: tuple[int, int], outputs: tuple[str, ...]
) -> None:
    """Look through a network that training.weights.import_network wrote, once in a process.

    Args:
        path: of it.
        sha256: of the file, so that another one is looked through anew.
        size: (height, width) of the image, as its card says.
        outputs: their names, likewise.

    Raises:
        CheckpointError: as ``read_network`` and ``check_shapes``, or it was not written so.
    """
    model = read_network(path)
    known = {tensor.name for tensor in model.graph.initializer}
    inputs = {v.name: dims(v) for v in model.graph.input if v.name not in known}
    expected = dict(zip(INPUTS, ((1, *size, 3), (1,)), strict=True))
    found = [v.name for v in model.graph.output]
    if inputs != expected or found != [*outputs]:
        raise CheckpointError(
            f"{path}: inputs {inputs}, outputs {found}, expected {expected}, {[*outputs]}; import "
            "it: python -m training.weights.import_network"
        )
    if max(size) > MAX_SIDE:
        raise CheckpointError(f"{path}: image {size}, expected {MAX_SIDE} pixels a side at most")
    check_shapes(model, path)


def _parse(onnx: Any, path: Path) -> Any:
    """Return what the bytes are as ONNX, nothing of it looked at yet."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; give an .onnx file")
    if is_pickle(path):
        raise CheckpointError(f"{path}: a pickle or a zip, expected ONNX; {_WAY_OUT}")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as err:  # protobuf's kinds of errors are no part of its interface
        raise CheckpointError(f"{path}: not ONNX ({_first_line(err)}); {_WAY_OUT}") from err
    if not model.graph.node or not model.graph.output:
        raise CheckpointError(f"{path}: not ONNX, or empty; {_WAY_OUT}")
    opset = max((o.version for o in model.opset_import if o.domain in _STANDARD), default=0)
    if opset < _OLDEST:
        raise CheckpointError(f"{path}: opset {opset}, expected {_OLDEST} or later; {_WAY_OUT}")
    return model


def _check_nodes(model: Any, path: Path) -> None:
    """Refuse operators that a library would have to load, and those that may never end."""
    own = {(f.domain, f.name) for f in model.functions}
    for node in _nodes(model):
        if node.domain not in _STANDARD and (node.domain, node.op_type) not in own:
            raise CheckpointError(
                f"{path}: custom operator {node.domain}.{node.op_type}, expected ONNX's own; "
                f"{_WAY_OUT}, without it"
            )
        if node.op_type in _ENDLESS:
            raise CheckpointError(
                f"{path}: operator {node.op_type}, which may never end; {_WAY_OUT}, without it"
            )


def _check_place(tensor: Any, path: Path) -> None:
    """Refuse a tensor whose values are in a file outside the folder of the network's."""
    location = next((e.value for e in tensor.external_data if e.key == "location"), None)
    if location is None:
        return
    folder = path.parent.resolve()
    place = (folder / location).resolve()
    if not place.is_relative_to(folder) or not place.is_file():
        raise CheckpointError(
            f"{path}: tensor {tensor.name!r:.40} in {location!r:.80}, expected a file in the "
            f"folder of the network; copy it there, or {_WAY_OUT}"
        )


def _nodes(model: Any) -> Iterator[Any]:
    """Yield every node, also those of subgraphs and functions."""
    ahead = [*model.graph.node, *chain.from_iterable(f.node for f in model.functions)]
    while ahead:
        node = ahead.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                ahead += graph.node


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor, also those in nodes and subgraphs."""
    yield from model.graph.initializer
    for sparse in model.graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for attribute in chain.from_iterable(node.attribute for node in _nodes(model)):
        yield from (attribute.t, *attribute.tensors)
        yield from chain.from_iterable(g.initializer for g in (attribute.g, *attribute.graphs))


def _first_line(err: Exception) -> str:
    """Return what an error says first."""
    return next(iter(str(err).splitlines()), type(err).__name__)
