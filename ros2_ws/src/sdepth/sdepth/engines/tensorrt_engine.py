"""The network in TensorRT, on an NVIDIA GPU: a desktop's or a Jetson's."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sdepth.engines.engine import Engine
from sdepth.engines.graph import INPUTS
from sdepth.engines.source import Source
from sdepth.errors import EngineError
from sdepth.files import atomic


class TensorRtEngine(Engine):
    """TensorRT: its plan takes minutes to build, once per GPU and version, and is kept."""

    def __init__(self, source: Source) -> None:
        """Read the plan, building it first where there is none; buffers live in PyTorch.

        Raises:
            EngineError: TensorRT cannot build or read it.
        """
        import tensorrt

        path = source.cached("plan", tensorrt.__version__, torch.__version__)
        if not path.is_file():
            logging.getLogger(__name__).warning("building %s: some minutes, once", path)
            _build(tensorrt, source, path)
        logger = tensorrt.Logger(tensorrt.Logger.ERROR)
        self._runtime = tensorrt.Runtime(logger)  # must outlive the plan
        self._plan = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self._plan is None:
            raise EngineError(f"{path}: TensorRT cannot read it; remove it, and it is built again")
        self._context = self._plan.create_execution_context()
        self._stream = torch.cuda.Stream(source.device)  # type: ignore[no-untyped-call]
        shapes = dict(zip(INPUTS, _input_shapes(source), strict=True))
        for name, shape in shapes.items():
            self._context.set_input_shape(name, shape)
        names = [self._plan.get_tensor_name(i) for i in range(self._plan.num_io_tensors)]
        buffers = {}
        for name in names:  # outputs in the graph's order
            shape = tuple(self._context.get_tensor_shape(name))
            kind = torch.uint8 if name == INPUTS[0] else torch.float32
            buffers[name] = torch.empty(shape, dtype=kind, device=source.device)
            self._context.set_tensor_address(name, buffers[name].data_ptr())
        self._inputs = [buffers.pop(name) for name in INPUTS]
        self._outputs = list(buffers.values())

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Return the depth network's outputs."""
        with torch.cuda.stream(self._stream):
            for buffer, x in zip(self._inputs, inputs, strict=True):
                buffer.copy_(torch.from_numpy(x))
            self._context.execute_async_v3(self._stream.cuda_stream)
            return [x.cpu().numpy() for x in self._outputs]


def _input_shapes(source: Source) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of ``INPUTS`` for one image."""
    return (1, *source.card.input_size, 3), (1,)


def _build(tensorrt: Any, source: Source, path: Path) -> None:
    """Build the plan of one image and write it to ``path``."""
    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    explicit = 1 << int(tensorrt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
    network = builder.create_network(explicit)
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(source.onnx().read_bytes()):
        raise EngineError(f"TensorRT {tensorrt.__version__}: {parser.get_error(0)}")
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    for name, shape in zip(INPUTS, _input_shapes(source), strict=True):
        profile.set_shape(name, shape, shape, shape)
    config.add_optimization_profile(profile)
    if source.precision == "fp16":
        config.set_flag(tensorrt.BuilderFlag.FP16)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"TensorRT {tensorrt.__version__}: no plan for {source.checkpoint}")
    with atomic(path) as partial:
        partial.write_bytes(plan)
