"""The network in ONNX Runtime, on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sdepth.engines.engine import Engine
from sdepth.engines.source import Source


class OnnxRuntimeEngine(Engine):
    """ONNX Runtime: runs wherever there is a CPU."""

    def __init__(self, source: Source) -> None:
        """Read the graph, with as many threads as PyTorch has."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors: what it warns of is not ours to change
        # Threads that spin between two images take the cores from everything else of the node.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = str(source.onnx())
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._names = [x.name for x in self._session.get_inputs()]

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Return the graph's outputs."""
        found: list[NDArray[np.float32]] = self._session.run(
            None, dict(zip(self._names, inputs, strict=True))
        )
        return found
