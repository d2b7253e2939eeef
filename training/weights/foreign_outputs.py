"""What an ONNX network of others answers: which output is depth, confidence, sky, and as what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from sdepth.card import CONFIDENCE, SHARE, SKY, WEIGHT
from sdepth.engines.golden import golden_frame
from sdepth.engines.graph import INPUTS, OUTPUT
from sdepth.errors import CheckpointError, ConfigError
from training.weights.presets import Fields

Answers = Mapping[str, NDArray[np.generic]]
Steps = Sequence[tuple[str, ...]]
"""Kinds of nodes, and inputs of each beside what comes from the one before."""
PREFIX = "network/"
"""Of all names within the network, so that none meets ours."""
_WORDS = {CONFIDENCE: "conf", SKY: "sky"}
"""In the name of an output that is one."""


def answers(model: ModelProto, size: tuple[int, int], path: Path) -> Answers:
    """Return all outputs for the golden frame: their shapes may be said nowhere.

    Args:
        model: from image bytes.
        size: (height, width) of its image.
        path: of the network, for errors.

    Raises:
        CheckpointError: ONNX Runtime cannot run it.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    given = (golden_frame(size)[None], np.ones(1, np.float32))
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        found = session.run(None, dict(zip(INPUTS, given, strict=True)))
    except Exception as err:  # it has its own errors, which derive from nothing in common
        first = next(iter(str(err).splitlines()), type(err).__name__)
        raise CheckpointError(f"{path}: ONNX Runtime cannot run it ({first:.200})") from err
    names = (output.name.removeprefix(PREFIX) for output in model.graph.output)
    return dict(zip(names, map(np.asarray, found), strict=True))


def find(found: Answers, fields: Fields, size: tuple[int, int], path: Path) -> Fields:
    """Return ``fields`` with what the outputs are.

    Args:
        found: ``answers``.
        fields: ``depth_output``, ``confidence``, ``sky``: their names; "" or missing: the first
            output that is neither of the latter; "" for none; missing: by name and shape.
        size: (height, width) of the image.
        path: of the network, for errors.

    Raises:
        CheckpointError: there is no such output, or it is no dense map.
        ConfigError: it is not clear which one is meant, or how confidence is to be read.
    """
    meant = {what: _named(found, what, path) for what in _WORDS if what not in fields}
    others = [name for name in found if name not in (fields | meant).values()]
    fields = {**fields, "depth_output": fields.get("depth_output") or next(iter(others), "")}
    depth = _dense(found, fields["depth_output"], path)
    for what, name in meant.items():  # by its name; is it one by its shape?
        like = name and _sides(found[name]) == _sides(depth)
        fields[what] = name if like else ""
    for what in _WORDS:
        if fields[what]:
            _dense(found, fields[what], path, what)
    (height, width), (h, w) = size, _sides(depth)
    if abs(h * width - w * height) > height + width:  # a pixel more or less
        raise CheckpointError(
            f"{path}: answers {w}x{h} to an image of {width}x{height}; its export fixed the size "
            "of the answer: take an image size of that aspect, or export it again for this one"
        )
    if fields[CONFIDENCE] and "confidence_is" not in fields:
        fields["confidence_is"] = _kind(found[fields[CONFIDENCE]], fields[CONFIDENCE], path)
    return fields


def append(graph: GraphProto, fields: Fields, found: Answers) -> None:
    """Put depth, and confidence and sky of 0 to 1, in the place of a graph's outputs.

    Args:
        graph: of the network; its depth is multiplied by focal_scale.
        fields: ``find``.
        found: ``answers``.
    """
    values = {"answer/0": 0.0, "answer/1": 1.0, "answer/above": fields["sky_above"] - 0.5}
    bounds = ("Clip", "answer/0", "answer/1")
    error = [("Max", "answer/1"), ("Reciprocal",)]
    sure: dict[str, Steps] = {SHARE: [bounds], WEIGHT: [*error, ("Neg",), ("Add", "answer/1")]}
    ways: dict[str, tuple[str, Steps]] = {
        OUTPUT: (fields["depth_output"], [("Mul", INPUTS[1])]),
        CONFIDENCE: (fields[CONFIDENCE], sure[fields.get("confidence_is", SHARE)]),
        SKY: (fields[SKY], [("Sub", "answer/above"), bounds]),
    }
    del graph.output[:]
    for what, (name, steps) in ways.items():
        if name:
            shape = (1, 1, *_sides(found[name]))
            graph.initializer.append(numpy_helper.from_array(np.array(shape), f"{what}/shape"))
            at = PREFIX + name
            _chain(graph, at, [("Reshape", f"{what}/shape"), *steps], what)
            graph.output.append(helper.make_tensor_value_info(what, TensorProto.FLOAT, shape))
    graph.initializer.extend(
        numpy_helper.from_array(np.array(v, np.float32), k) for k, v in values.items()
    )


def _chain(graph: GraphProto, at: str, steps: Steps, out: str) -> None:
    """Append nodes that follow each other."""
    graph.node.append(helper.make_node("Cast", [at], [f"{out}/float"], to=TensorProto.FLOAT))
    names = [f"{out}/float", *(f"{out}/{i}" for i in range(len(steps) - 1)), out]
    for (before, after), (kind, *more) in zip(pairwise(names), steps, strict=True):
        graph.node.append(helper.make_node(kind, [before, *more], [after]))


def _named(found: Answers, what: str, path: Path) -> str:
    """Return the output whose name says that it is ``what``, "" for none.

    Normals have a confidence of their own, which says nothing of depth.
    """
    word = _WORDS[what]
    names = [n for n in found if word in n.lower() and "normal" not in n.lower()]
    if len(names) > 1:
        raise ConfigError(f"{path}: outputs {', '.join(names)}; --{what} says which ('': none)")
    return next(iter(names), "")


def _dense(found: Answers, name: str, path: Path, what: str = "depth") -> NDArray[np.generic]:
    """Return an output that is to be a dense map."""
    flag = "--depth-output" if what == "depth" else f"--{what}"
    if name not in found:
        raise CheckpointError(f"{path}: no output {name!r}, it has {', '.join(found)}")
    answer = found[name]
    numbers = np.issubdtype(answer.dtype, np.floating)
    if len(_sides(answer)) != 2 or not prod(answer.shape) or not (numbers or what == SKY):
        raise CheckpointError(
            f"{path}: output {name} of {answer.dtype} {answer.shape}, expected one dense map of "
            f"{what}; {flag} takes another of {', '.join(found)}"
        )
    if not np.isfinite(answer).all():
        raise CheckpointError(f"{path}: output {name} answers NaN or infinity; is it damaged?")
    return answer


def _sides(answer: NDArray[np.generic]) -> tuple[int, ...]:
    """Return the dimensions of an output that are not 1: height and width, if it is dense."""
    return tuple(side for side in answer.shape if side != 1)


def _kind(answer: NDArray[np.generic], name: str, path: Path) -> str:
    """Return how confidence is to be read, by its values."""
    least, most = float(answer.min()), float(answer.max())
    if 0 <= least <= most <= 1:
        return SHARE
    if least >= 1:
        return WEIGHT
    raise ConfigError(
        f"{path}: output {name} is {least:.3g} to {most:.3g} on a trial image; --confidence-is "
        f"says how to read it: {SHARE} (0 to 1) or {WEIGHT} (1 and up); --confidence '' leaves "
        "it out"
    )
