"""One network, several libraries that run it: PyTorch, ONNX Runtime, OpenVINO, TensorRT."""

from sdepth.engines.engine import Engine
from sdepth.engines.selection import (
    AUTO,
    ENGINES,
    PRECISIONS,
    Chosen,
    candidates,
    choose,
    installed,
)
from sdepth.engines.source import DEPTH, FEATURES, POSE, Source

__all__ = [
    "AUTO",
    "DEPTH",
    "ENGINES",
    "FEATURES",
    "POSE",
    "PRECISIONS",
    "Chosen",
    "Engine",
    "Source",
    "candidates",
    "choose",
    "installed",
]
