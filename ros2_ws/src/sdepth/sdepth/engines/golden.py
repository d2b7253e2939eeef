"""One frame that every engine must answer as the exact one does before it may run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sdepth.alignment import pyramid
from sdepth.engines.engine import Engine
from sdepth.engines.onnxruntime_engine import OnnxRuntimeEngine
from sdepth.engines.source import DEPTH, POSE, Source, cache_folder
from sdepth.engines.torch_engine import TorchEngine
from sdepth.errors import EngineError
from sdepth.files import atomic

TOLERANCE = {"fp32": 1e-4, "fp16": 0.01, "bf16": 0.05, "int8": 0.1}
"""Largest mean difference of log depth, that is, of depth as a share of itself. Of all else, and
of others' networks, whose output may be of any sign, of the output as a share of its mean size; of
their confidence and sky, which are shares, as it is."""
FOCAL_SCALE = 1.25
"""Of the golden frame; not 1, or an engine that ignores it would pass."""


def golden_frame(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the RGB image (height, width, 3): soft shapes, lighter above, always the same."""
    height, width = size
    shapes = np.random.default_rng(5155).integers(0, 128, (6, 20, 3), np.uint8)
    soft = cv2.resize(shapes, (width, height), interpolation=cv2.INTER_LINEAR)
    light = np.linspace(127, 0, height).astype(np.uint8)
    return np.asarray(soft + light[:, None, None], np.uint8)


def exact_engine(source: Source) -> str:
    """Return what the others are checked by in fp32: PyTorch, of others' networks ONNX Runtime."""
    return "onnxruntime" if source.foreign else "torch"


def golden_inputs(source: Source) -> tuple[NDArray[Any], ...]:
    """Return what a source's graph takes, of the golden frame."""
    frame = golden_frame(source.example_size)
    if source.part == DEPTH:
        return frame[None], np.array([FOCAL_SCALE], np.float32)
    if source.part == POSE:
        return frame[None], np.roll(frame, frame.shape[1] // 80, 1)[None]
    rgb = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
    return (pyramid.normalise(pyramid.grey(rgb)).numpy(),)


def reference(source: Source) -> list[NDArray[np.float32]]:
    """Return the exact outputs of the golden frame, computed once per weights and device."""
    exact = replace(source, precision="fp32")
    path = exact.cached("npz", torch.__version__)
    if path.is_file():
        with np.load(path) as file:
            return [np.asarray(file[name], np.float32) for name in file.files]
    engine = (OnnxRuntimeEngine if source.foreign else TorchEngine)(exact)
    outputs = engine.run(*golden_inputs(source))
    with atomic(path) as partial, partial.open("wb") as file:
        np.savez(file, *outputs)
    return outputs


def check(engine: Engine, source: Source, name: str) -> float:
    """Return how far an engine's answer is from ``reference``; of several outputs, the worst.

    Raises:
        EngineError: farther than ``TOLERANCE`` allows.
    """
    expected = reference(source)
    found = engine.run(*golden_inputs(source))
    error = inf
    if [x.shape for x in found] == [x.shape for x in expected]:
        pairs = enumerate(zip(found, expected, strict=True))
        error = max(_off(i, *pair, source) for i, pair in pairs)
    limit = TOLERANCE[source.precision]
    if not error <= limit:  # NaN, too
        raise EngineError(
            f"engine {name} ({source.precision}): {source.part} of the golden frame is "
            f"{error:.2%} off that of {exact_engine(source)}, expected {limit:.2%} at most; "
            f"remove {cache_folder()} and try again, or take another engine"
        )
    return error


def furthest(engine: Engine, source: Source) -> float:
    """Return the largest difference: of depth as a share of itself, of all else of the largest."""
    pairs = zip(engine.run(*golden_inputs(source)), reference(source), strict=True)
    return max(_off(i, *pair, source, np.max) for i, pair in enumerate(pairs))


def _off(
    number: int,
    found: NDArray[np.float32],
    expected: NDArray[np.float32],
    source: Source,
    over: Callable[[NDArray[np.float32]], np.floating] = np.mean,
) -> float:
    """Return how far an output is from what is expected: over all pixels, the mean or the most.

    The mean is what ``TOLERANCE`` limits.
    """
    if source.part == DEPTH and not source.foreign:
        return float(over(np.abs(np.log(found / expected)))) if (found > 0).all() else inf
    size = 1.0 if source.part == DEPTH and number else over(np.abs(expected))
    return float(over(np.abs(found - expected)) / size)
