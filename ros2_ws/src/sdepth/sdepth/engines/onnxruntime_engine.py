"""The network in ONNX Runtime, on the CPU."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from sdepth.engines.graph import INPUTS
from sdepth.engines.source import Source


class OnnxRuntimeEngine:
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

    def infer(self, image: NDArray[np.uint8], focal_scale: float) -> NDArray[np.float32]:
        """Return depth (h, w), metres, of an RGB image (h, w, 3)."""
        values = (image[None], np.array([focal_scale], np.float32))
        (depth,) = self._session.run(None, dict(zip(INPUTS, values, strict=True)))
        return np.asarray(depth[0, 0], np.float32)
