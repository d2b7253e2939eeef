"""The network in PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sdepth.engines.engine import Engine
from sdepth.engines.source import Source

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class TorchEngine(Engine):
    """PyTorch: always there, on any device, and what the others are checked against."""

    def __init__(self, source: Source) -> None:
        """Load the network; on a GPU record its kernels once, to be replayed in one call."""
        self._device = source.device
        graph = source.graph().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        graph.to(DTYPES[source.precision])
        self._graph = graph.eval()
        if self._device.type == "cuda":
            self._capture([x.to(self._device) for x in graph.example(1)])

    @torch.inference_mode()
    def run(self, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Return the graph's outputs."""
        tensors = [torch.from_numpy(x) for x in inputs]
        if self._device.type == "cuda":
            for buffer, x in zip(self._inputs, tensors, strict=True):
                buffer.copy_(x)
            self._recorded.replay()
            return [x.cpu().numpy() for x in self._outputs]
        return [x.contiguous().numpy() for x in self._answer(tensors)]

    def _answer(self, tensors: list[Tensor]) -> tuple[Tensor, ...]:
        """Return the outputs on the device."""
        found: Tensor | tuple[Tensor, ...] = self._graph(*tensors)
        return (found,) if isinstance(found, Tensor) else found

    @torch.inference_mode()
    def _capture(self, inputs: list[Tensor]) -> None:
        """Record the graph on buffers that stay; a CUDA graph launches all kernels at once."""
        self._inputs = inputs
        aside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(3):  # libraries choose their kernels before they are recorded
                self._answer(inputs)
        torch.cuda.current_stream(self._device).wait_stream(aside)
        self._recorded = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._recorded):
            self._outputs = self._answer(inputs)
