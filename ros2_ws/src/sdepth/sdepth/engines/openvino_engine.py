"""The network in OpenVINO, on the CPU."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from sdepth.engines.graph import INPUTS
from sdepth.engines.source import Source, cache_folder


class OpenVinoEngine:
    """OpenVINO: the fastest on x86."""

    def __init__(self, source: Source) -> None:
        """Compile the graph for one image, with as many threads as PyTorch has."""
        import openvino

        core = openvino.Core()
        model = core.read_model(source.onnx())
        height, width = source.card.input_size
        model.reshape({INPUTS[0]: [1, height, width, 3], INPUTS[1]: [1]})
        settings = {
            # Left alone it answers in bf16 where the CPU can, whatever was asked for.
            "INFERENCE_PRECISION_HINT": "bf16" if source.precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
            "CACHE_DIR": str(cache_folder() / "openvino"),  # keyed by version, device and graph
        }
        self._request = core.compile_model(model, "CPU", settings).create_infer_request()

    def infer(self, image: NDArray[np.uint8], focal_scale: float) -> NDArray[np.float32]:
        """Return depth (h, w), metres, of an RGB image (h, w, 3)."""
        values = (image[None], np.array([focal_scale], np.float32))
        self._request.infer(dict(enumerate(values)), share_inputs=True)
        return np.array(self._request.get_output_tensor(0).data[0, 0], np.float32)
