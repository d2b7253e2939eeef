"""Image to metric depth as one graph: what every engine runs, and what is exported as ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path

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


class DepthGraph(nn.Module):
    """A depth network with its pre- and post-processing: bytes in, metres out."""

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


def write_onnx(graph: DepthGraph, path: Path) -> None:
    """Write the graph to ``path``; the batch is any, the size fixed.

    By PyTorch's older exporter, which takes a tenth of the newer one's time.

    Raises:
        EngineError: the package onnx is missing.
    """
    height, width = graph.image_size
    example = (torch.zeros(2, height, width, 3, dtype=torch.uint8), torch.ones(2))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # it calls itself deprecated
        try:
            torch.onnx.export(
                graph.eval(),
                example,
                str(path),
                input_names=[*INPUTS],
                output_names=[OUTPUT],
                dynamic_axes={name: {0: "batch"} for name in (*INPUTS, OUTPUT)},
                opset_version=OPSET,
                dynamo=False,
            )
        except torch.onnx.errors.OnnxExporterError as err:
            raise EngineError(f"cannot write ONNX: {err} pip install onnx") from err


def fuse(net: DepthNet) -> DepthNet:
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
