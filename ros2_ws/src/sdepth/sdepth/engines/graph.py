"""Image to metric depth as one graph: what every engine runs, and what is exported as ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sdepth.card import Card
from sdepth.errors import ConfigError, EngineError
from sdepth.models.depth_net import DepthNet, disp_to_depth
from sdepth.models.encoder import BasicBlock

OPSET = 18
INPUTS, OUTPUT = ("image", "focal_scale"), "depth"
"""Of depth networks."""
Net = TypeVar("Net", bound=nn.Module)


class Graph(nn.Module):
    """A module that engines run.

    Attributes:
        INPUTS: names of what ``forward`` takes.
        OUTPUTS: names of what it returns.
        AXES: names of the inputs' axes that may be of any length, the batch's first; None: fixed.
    """

    INPUTS: tuple[str, ...]
    OUTPUTS: tuple[str, ...]
    AXES: tuple[str | None, ...]

    def example(self, count: int) -> tuple[Tensor, ...]:
        """Return inputs of a batch of ``count``."""
        raise NotImplementedError


class DepthGraph(Graph):
    """A depth network with its pre- and post-processing: bytes in, metres out."""

    INPUTS = INPUTS
    OUTPUTS = (OUTPUT,)
    AXES = ("batch",)

    def __init__(
        self, net: DepthNet, card: Card, image_size: tuple[int, int] | None = None
    ) -> None:
        """Fold the network's normalisation in; its answers stay the same.

        Args:
            net: ready for inference.
            card: of the same checkpoint.
            image_size: (height, width) of the images; None for the network's own.

        Raises:
            ConfigError: images smaller than the network's.
        """
        super().__init__()
        self.net = fuse(net)
        self.depth_range_m = card.depth_range_m
        self.image_size = image_size or card.input_size
        sizes = zip(self.image_size, card.input_size, strict=True)
        self.shrink = nn.Sequential(
            *(_AreaResize(dim, *size) for dim, size in enumerate(sizes, 2) if size[0] != size[1])
        )

    def example(self, count: int) -> tuple[Tensor, ...]:
        """Return inputs of a batch of ``count``."""
        return torch.zeros(count, *self.image_size, 3, dtype=torch.uint8), torch.ones(count)

    def forward(self, image: Tensor, focal_scale: Tensor) -> Tensor:
        """Return depth (B, 1, h, w), metres (or the checkpoint's unit), at the network's size.

        Args:
            image: RGB (B, H, W, 3), uint8.
            focal_scale: (B,), the camera's focal ratio over the canonical one.
        """
        dtype = next(self.net.parameters()).dtype
        x = image.permute(0, 3, 1, 2).float()  # a view: the bytes are channels_last already
        if len(self.shrink):
            x = self.shrink(x).round()  # OpenCV answers in bytes, too
        disp = self.net((x / 255).to(dtype), 1)[0].float()
        return disp_to_depth(disp, self.depth_range_m, focal_scale[:, None, None, None])


class _AreaResize(nn.Module):
    """OpenCV's INTER_AREA along one dimension, as sums that any engine knows."""

    def __init__(self, dim: int, before: int, after: int) -> None:
        """Take OpenCV's own weights of ``before`` pixels that become ``after``."""
        super().__init__()
        if after > before:
            raise ConfigError(
                f"image size {before}: expected {after}, the network's, or more; "
                "leave the image size out and enlarge images before"
            )
        each = cv2.resize(
            np.eye(before, dtype=np.float32), (before, after), interpolation=cv2.INTER_AREA
        )
        taps = int((each > 0).sum(1).max())
        first = np.minimum((each > 0).argmax(1), before - taps)
        index = first + np.arange(taps)[:, None]
        shape = [-1 if d == dim else 1 for d in range(4)]
        self.dim = dim
        self.index = [torch.from_numpy(i) for i in index]
        self.weight = [
            torch.from_numpy(w.copy()).view(shape) for w in each[np.arange(after), index]
        ]

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W) with one dimension resized."""
        taps = zip(self.index, self.weight, strict=True)
        parts = [x.index_select(self.dim, i.to(x.device)) * w.to(x.device) for i, w in taps]
        return torch.stack(parts).sum(0)


def write_onnx(graph: Graph, path: Path) -> None:
    """Write the graph to ``path``; what ``AXES`` names is any, all else fixed.

    By PyTorch's older exporter, which takes a tenth of the newer one's time.

    Raises:
        EngineError: the package onnx is missing.
    """
    free = {axis: name for axis, name in enumerate(graph.AXES) if name}
    axes = {name: free for name in graph.INPUTS} | {name: {0: "batch"} for name in graph.OUTPUTS}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # it calls itself deprecated
        try:
            torch.onnx.export(
                graph.eval(),
                graph.example(2),
                str(path),
                input_names=[*graph.INPUTS],
                output_names=[*graph.OUTPUTS],
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
        except torch.onnx.errors.OnnxExporterError as err:
            raise EngineError(f"cannot write ONNX: {err} pip install onnx") from err


def fuse(net: Net) -> Net:
    """Return the network with normalisation folded into convolutions: same answers, faster."""
    for module in net.modules():
        for conv, norm in getattr(module, "FOLDS", ()):
            if hasattr(module, conv):
                folded = fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm))
                setattr(module, conv, folded)
                setattr(module, norm, nn.Identity())
        if isinstance(module, BasicBlock) and isinstance(module.downsample, nn.Sequential):
            module.downsample = fuse_conv_bn_eval(*module.downsample)
    return net
