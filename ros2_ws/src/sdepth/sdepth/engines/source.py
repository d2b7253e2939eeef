"""What an engine is made of, and where what was made of it is kept."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from sdepth.card import Card, ForeignCard
from sdepth.checkpoint import load_depth, load_pose, load_refiner
from sdepth.engines.graph import OUTPUT, DepthGraph, Graph, write_onnx
from sdepth.engines.motion_graph import FeatureGraph, PoseGraph
from sdepth.engines.onnx_file import check_imported
from sdepth.errors import CheckpointError
from sdepth.files import atomic
from sdepth.models.feature_net import FeatureUNet

DEPTH, FEATURES, POSE = "depth", "features", "pose"
"""Parts of a checkpoint that engines run."""


@dataclass(frozen=True)
class Source:
    """A checkpoint, where it is to run, and how exactly.

    Attributes:
        checkpoint: the .safetensors file, or the .onnx file of a network of others.
        card: of it.
        device: to run on.
        precision: ``fp32``, ``fp16``, ``bf16``, ``int8``, or ``auto`` (``selection.choose``).
        part: ``depth``; ``features`` of the pose refinement, by a U-Net; or ``pose``.
    """

    checkpoint: Path
    card: Card
    device: torch.device
    precision: str = "fp32"
    part: str = DEPTH

    @property
    def foreign(self) -> bool:
        """Whether it is a network of others: ONNX, of which PyTorch knows nothing."""
        return isinstance(self.card, ForeignCard)

    @property
    def example_size(self) -> tuple[int, int]:
        """The (height, width) of the golden frame: features are of images twice as large."""
        height, width = self.card.input_size
        return (2 * height, 2 * width) if self.part == FEATURES else (height, width)

    @property
    def key(self) -> tuple[str, ...]:
        """What the graph depends on: sources of one key are one network, whatever their names."""
        card = self.card
        numbers = *card.input_size, *card.depth_range_m, card.pose_output_scale
        how = self.part, self.precision, device_name(self.device)
        return card.sha256, *how, *map(str, numbers)

    @property
    def costs(self) -> dict[str, float]:
        """What precisions cost, by name: of depth as measured; a motion is refined in fp32."""
        return {"fp32": 0.0} | (self.card.costs if self.part == DEPTH else {"bf16": 0.0})

    def graph(self) -> Graph:
        """Return the graph in PyTorch, fp32, on the CPU."""
        if self.part == FEATURES:
            features = load_refiner(self.checkpoint)[0].features
            assert isinstance(features, FeatureUNet)
            return FeatureGraph(features, self.example_size)
        if self.part == POSE:
            return PoseGraph(load_pose(self.checkpoint)[0], self.example_size)
        return DepthGraph(*load_depth(self.checkpoint))

    def onnx(self) -> Path:
        """Return the graph as ONNX, written at most once; of int8, what weights.quantize wrote.

        Raises:
            CheckpointError: int8, and the checkpoint was not quantised; or a network of others
                that cannot be trusted.
        """
        if isinstance(self.card, ForeignCard):
            outputs = (OUTPUT, *self.card.beside)
            check_imported(self.checkpoint, self.card.sha256, self.card.input_size, outputs)
            return self.checkpoint
        if self.precision == "int8":
            return self._quantised()
        path = self.cached("onnx", torch.__version__)
        if not path.is_file():
            with atomic(path) as partial:
                write_onnx(self.graph(), partial)
        return path

    def cached(self, suffix: str, *versions: str) -> Path:
        """Return the path in the cache of something that only this source and ``versions`` make.

        Args:
            suffix: of the file.
            versions: of all else that it depends on.
        """
        key = hashlib.sha256("\n".join((*self.key, *versions)).encode())
        return cache_folder() / f"{self.checkpoint.stem}-{key.hexdigest()[:16]}.{suffix}"

    def has_int8(self) -> bool:
        """Return whether training.weights.quantize has written the int8 graph of these weights."""
        return self.part == DEPTH and quantised_path(self.checkpoint, self.card).is_file()

    def _quantised(self) -> Path:
        """Return the int8 graph beside the checkpoint."""
        path = quantised_path(self.checkpoint, self.card)
        if not path.is_file():
            others = [p.name for p in path.parent.glob(f"{self.checkpoint.stem}.int8-*.onnx")]
            why = (
                f"{', '.join(others)} is of other weights" if others else "it was never quantised"
            )
            raise CheckpointError(
                f"{path}: no such file, {why}; python -m training.weights.quantize "
                f"{self.checkpoint} DRIVES, or model.precision fp32"
            )
        return path


def quantised_path(checkpoint: Path, card: Card) -> Path:
    """Return where the int8 graph of a checkpoint is: beside it, named after its weights."""
    return checkpoint.with_name(f"{checkpoint.stem}.int8-{card.sha256[:12]}.onnx")


def cache_folder() -> Path:
    """Return the folder of what can be made again: $SDEPTH_CACHE, or the user's cache."""
    if own := os.environ.get("SDEPTH_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sdepth"


def device_name(device: torch.device) -> str:
    """Return the model of a CPU or GPU: what is fast on one may not be on another."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
