"""One frame that every engine must answer as the exact one does before it may run."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sdepth.engines.onnxruntime_engine import OnnxRuntimeEngine
from sdepth.engines.source import Source, cache_folder
from sdepth.engines.torch_engine import TorchEngine
from sdepth.errors import EngineError
from sdepth.files import atomic

TOLERANCE = {"fp32": 1e-4, "fp16": 0.01, "bf16": 0.05, "int8": 0.1}
"""Largest mean difference of log depth, that is, of depth as a share of itself. Of others'
networks, whose output may be of any sign, of the output as a share of its mean size."""
FOCAL_SCALE = 1.25
"""Of the golden frame; not 1, or an engine that ignores it would pass."""


class Engine(Protocol):
    """A network that is ready to run."""

    def infer(self, image: NDArray[np.uint8], focal_scale: float) -> NDArray[np.float32]:
        """Return depth (h, w), metres, the caller's own.

        Args:
            image: RGB (h, w, 3) of the network's size.
            focal_scale: the camera's focal ratio over the canonical one.
        """


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


def reference(source: Source) -> NDArray[np.float32]:
    """Return the exact depth of the golden frame, computed once per weights and device."""
    exact = replace(source, precision="fp32")
    path = exact.cached("npy", torch.__version__)
    if path.is_file():
        return np.asarray(np.load(path), np.float32)
    engine = (OnnxRuntimeEngine if source.foreign else TorchEngine)(exact)
    depth = engine.infer(golden_frame(source.card.input_size), FOCAL_SCALE)
    with atomic(path) as partial, partial.open("wb") as file:
        np.save(file, depth)
    return depth


def check(engine: Engine, source: Source, name: str) -> float:
    """Return how far an engine's answer is from ``reference``, as ``TOLERANCE`` counts it.

    Raises:
        EngineError: farther than ``TOLERANCE`` allows.
    """
    expected = reference(source)
    found = engine.infer(golden_frame(source.card.input_size), FOCAL_SCALE)
    error = float("inf")
    if found.shape == expected.shape and source.foreign:
        error = float(np.abs(found - expected).mean() / np.abs(expected).mean())
    elif found.shape == expected.shape and (found > 0).all():
        error = float(np.abs(np.log(found / expected)).mean())
    limit = TOLERANCE[source.precision]
    if not error <= limit:  # NaN, too
        raise EngineError(
            f"engine {name} ({source.precision}): depth of the golden frame is {error:.2%} off "
            f"that of {exact_engine(source)}, expected {limit:.2%} at most; remove "
            f"{cache_folder()} and try again, or take another engine"
        )
    return error
