"""The network in PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sdepth.engines.source import Source

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class TorchEngine:
    """PyTorch: always there, on any device, and what the others are checked against."""

    def __init__(self, source: Source) -> None:
        """Load the network; on a GPU record its kernels once, to be replayed in one call."""
        self._device = source.device
        graph = source.graph().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        graph.net.to(DTYPES[source.precision])
        self._graph = graph.eval()
        if self._device.type == "cuda":
            self._capture(*source.card.input_size)

    @torch.inference_mode()
    def infer(self, image: NDArray[np.uint8], focal_scale: float) -> NDArray[np.float32]:
        """Return depth (h, w), metres, of an RGB image (h, w, 3)."""
        batch = torch.from_numpy(image)[None]
        if self._device.type == "cuda":
            self._image.copy_(batch)
            self._focal_scale.fill_(focal_scale)
            self._recorded.replay()
            return self._depth[0, 0].cpu().numpy()
        depth: Tensor = self._graph(batch.to(self._device), torch.tensor([focal_scale]))
        return depth[0, 0].numpy()

    @torch.inference_mode()
    def _capture(self, height: int, width: int) -> None:
        """Record the graph on buffers that stay; a CUDA graph launches all kernels at once."""
        self._image = torch.zeros(1, height, width, 3, dtype=torch.uint8, device=self._device)
        self._focal_scale = torch.ones(1, device=self._device)
        aside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(3):  # libraries choose their kernels before they are recorded
                self._graph(self._image, self._focal_scale)
        torch.cuda.current_stream(self._device).wait_stream(aside)
        self._recorded = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._recorded):
            self._depth: Tensor = self._graph(self._image, self._focal_scale)
