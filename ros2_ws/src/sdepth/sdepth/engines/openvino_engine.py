"""The network in OpenVINO, on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sdepth.engines.engine import Engine
from sdepth.engines.source import Source, cache_folder


class OpenVinoEngine(Engine):
    """OpenVINO: the fastest on x86."""

    def __init__(self, source: Source) -> None:
        """Read the graph, to run with as many threads as PyTorch has."""
        import openvino

        self._core = openvino.Core()
        self._model = self._core.read_model(source.onnx())
        self._settings = {
            # Left alone it answers in bf16 where the CPU can, whatever was asked for.
            "INFERENCE_PRECISION_HINT": "bf16" if source.precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
            # Left alone it binds its first thread to the first core, as in every other process.
            "ENABLE_CPU_PINNING": False,
            "CACHE_DIR": str(cache_folder() / "openvino"),  # keyed by version, device and graph
        }
        self._shapes: list[tuple[int, ...]] = []

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Return the graph's outputs; the first of inputs of other shapes take a moment longer."""
        if (shapes := [x.shape for x in inputs]) != self._shapes:
            self._compile(shapes)
        self._request.infer(dict(enumerate(inputs)), share_inputs=True)
        return [np.array(x.data, np.float32) for x in self._request.output_tensors]

    def _compile(self, shapes: list[tuple[int, ...]]) -> None:
        """Compile the graph for these shapes: for any, it would take a third longer."""
        self._model.reshape({i: [*shape] for i, shape in enumerate(shapes)})
        compiled = self._core.compile_model(self._model, "CPU", self._settings)
        self._request = compiled.create_infer_request()
        self._shapes = shapes
