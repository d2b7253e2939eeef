"""EfficientNet-Lite0's encoder: inverted residuals, convolutions and ReLU6 alone (3 M).

Tan and Le 2019 (arXiv 1905.11946), table 1, without squeeze-and-excitation and with ReLU6, as
Google's "lite" models are; parameter names are those of the public ImageNet weights.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdepth.models.encoder import Encoder, Folds

LITE = ("lite0",)
_EPS = 1e-3


class _Stage(NamedTuple):
    """Blocks of one width; the first has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STEM = 32
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


class SameConv(nn.Conv2d):
    """Convolution padded as TensorFlow's "same": of an odd sum the smaller half comes first."""

    def __init__(
        self, channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        """Make the layer, without bias; images of even sizes."""
        around = (kernel - 1) // 2 if stride == 1 else 0
        super().__init__(channels_in, channels, kernel, stride, around, groups=groups, bias=False)
        total = kernel - stride
        self.pad = () if stride == 1 else (total // 2, total - total // 2) * 2
        # On a CPU the weights' gradient takes 3 to 6 times longer in bf16 than in fp32 (oneDNN).
        self._slow_in_bf16 = groups > 1 and kernel > 3

    def forward(self, input: Tensor) -> Tensor:
        """Return (B, channels, H / stride, W / stride)."""
        x = F.pad(input, self.pad) if self.pad else input
        on_cpu = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        if not (self._slow_in_bf16 and on_cpu):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


class InvertedResidual(nn.Module):
    """Expand (1x1), depthwise 3x3 or 5x5, project (1x1). Source: Sandler et al. 2018, fig. 3b."""

    FOLDS: Folds = (
        ("_expand_conv", "_bn0"),
        ("_depthwise_conv", "_bn1"),
        ("_project_conv", "_bn2"),
    )

    def __init__(self, channels_in: int, stage: _Stage, stride: int) -> None:
        """Make a block; without widening where the expansion is 1."""
        super().__init__()
        wide = channels_in * stage.expansion
        self.expands = stage.expansion != 1
        if self.expands:
            self._expand_conv = SameConv(channels_in, wide, 1)
            self._bn0 = nn.BatchNorm2d(wide, eps=_EPS)
        self._depthwise_conv = SameConv(wide, wide, stage.kernel, stride, groups=wide)
        self._bn1 = nn.BatchNorm2d(wide, eps=_EPS)
        self._project_conv = SameConv(wide, stage.channels, 1)
        self._bn2 = nn.BatchNorm2d(stage.channels, eps=_EPS)
        self.adds = stride == 1 and channels_in == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, channels, H / stride, W / stride)."""
        y: Tensor = x
        if self.expands:
            y = F.relu6(self._bn0(self._expand_conv(x)), inplace=True)
        y = F.relu6(self._bn1(self._depthwise_conv(y)), inplace=True)
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class EfficientNetLiteEncoder(Encoder):
    """EfficientNet-Lite0 without its classifier."""

    channels = (16, 24, 40, 112, 320)
    strides = (2, 4, 8, 16, 32)
    mean, std = 127 / 255, 128 / 255
    FOLDS = (("_conv_stem", "_bn0"),)

    def __init__(self) -> None:
        """Make the encoder with random weights."""
        super().__init__()
        self._conv_stem = SameConv(3, _STEM, 3, 2)
        self._bn0 = nn.BatchNorm2d(_STEM, eps=_EPS)
        blocks: list[nn.Module] = []
        self._ends: list[int] = []
        below = _STEM
        for stage in _STAGES:
            for i in range(stage.repeats):
                blocks.append(InvertedResidual(below, stage, stage.stride if i == 0 else 1))
                below = stage.channels
            if stage.channels in self.channels:
                self._ends.append(len(blocks) - 1)
        self._blocks = nn.ModuleList(blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return features at strides 2, 4, 8, 16, 32 of images (B, 3, H, W) in [0, 1]."""
        return self.begin(image, len(self._blocks))[0]

    def begin(self, image: Tensor, blocks: int) -> tuple[list[Tensor], Tensor]:
        """Return the features, as ``forward``, of the first ``blocks`` and what comes out last."""
        x = (image - self.mean) / self.std
        x = F.relu6(self._bn0(self._conv_stem(x)), inplace=True)
        return self._run(x, range(blocks))

    def end(self, x: Tensor, blocks: int) -> list[Tensor]:
        """Return the other features, given what came out of ``begin`` last."""
        return self._run(x, range(blocks, len(self._blocks)))[0]

    def _run(self, x: Tensor, blocks: range) -> tuple[list[Tensor], Tensor]:
        """Return the features of some blocks, and what comes out last."""
        features = []
        for i in blocks:
            x = self._blocks[i](x)
            if i in self._ends:
                features.append(x)
        return features, x

    def first(self, blocks: int) -> list[nn.Module]:
        """Return the stem and the first ``blocks`` of the 16 blocks, none where blocks is 0."""
        return [] if not blocks else [self._conv_stem, self._bn0, *self._blocks[:blocks]]
