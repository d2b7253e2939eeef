"""One network, several libraries that run it: PyTorch, ONNX Runtime, OpenVINO, TensorRT."""

from sdepth.engines.golden import Engine
from sdepth.engines.selection import (
    AUTO,
    ENGINES,
    PRECISIONS,
    candidates,
    choose,
    installed,
)
from sdepth.engines.source import Source

__all__ = [
    "AUTO",
    "ENGINES",
    "PRECISIONS",
    "Engine",
    "Source",
    "candidates",
    "choose",
    "installed",
]
