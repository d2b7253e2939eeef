"""Lite-Mono's encoder: dilated convolutions and attention between channels, at three strides.

Zhang et al. 2023 (arXiv 2211.13202); parameter names and dilations are those of the public
weights. Stochastic depth, which acts in training alone, is left out.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdepth.models.encoder import MEAN, STD, Encoder

_NEAR, _FAR = (1, 2, 3), (1, 2, 5)
LITE_MONO: dict[str, tuple[tuple[int, int, int], tuple[int, ...], tuple[int, ...]]] = {
    "lite-mono": ((48, 80, 128), _NEAR, (*_NEAR, *_NEAR, 2, 4, 6)),
    "lite-mono-small": ((48, 80, 128), _NEAR, (*_NEAR, 2, 4, 6)),
    "lite-mono-tiny": ((32, 64, 128), _NEAR, (*_NEAR, 2, 4, 6)),
    "lite-mono-8m": ((64, 128, 224), _NEAR, (*_NEAR, *_NEAR, 2, 4, 6)),
    "lite-mono-1024": ((48, 80, 128), _FAR, (*_FAR, *_FAR, 2, 4, 10)),
    "lite-mono-small-1024": ((48, 80, 128), _FAR, (*_FAR, 2, 4, 10)),
    "lite-mono-tiny-1024": ((32, 64, 128), _FAR, (*_FAR, 2, 4, 10)),
}
"""Channels per stride; dilations in each of the first two stages, and in the third.

Images of 1024x320 have wider dilations, but for ``lite-mono-8m``.
"""

_HEADS = 8
_WIDEN = 6
_POSITIONS = 32
"""Sines and cosines of a row, and as many of a column."""


class _Bottleneck(nn.Module):
    """Pointwise MLP with expansion 6 and layer scale, which starts near zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pwconv1 = nn.Linear(channels, _WIDEN * channels)
        self.pwconv2 = nn.Linear(_WIDEN * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), 1e-6))

    def widen(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W) of (B, H, W, C)."""
        y: Tensor = self.gamma * self.pwconv2(F.gelu(self.pwconv1(x)))
        return y.permute(0, 3, 1, 2)


class DilatedConv(_Bottleneck):
    """A dilated 3x3 convolution of each channel by itself. Source: section 3.2, CDC."""

    def __init__(self, channels: int, dilation: int) -> None:
        """Make the block."""
        super().__init__(channels)
        conv = nn.Conv2d(channels, channels, 3, 1, dilation, dilation, channels, bias=False)
        self.ddwconv = nn.Sequential(OrderedDict(conv=conv))
        self.bn1 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, C, H, W)."""
        return x + self.widen(self.bn1(self.ddwconv(x)).permute(0, 2, 3, 1))


class ChannelAttention(nn.Module):
    """Attention between channels instead of places: linear in the image's area.

    Source: El-Nouby et al. 2021 (XCiT), section 3.2.
    """

    def __init__(self, channels: int) -> None:
        """Make the layer."""
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(_HEADS, 1, 1))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, N, C) of N places."""
        q, k, v = self.qkv(x).mT.unflatten(1, (3, _HEADS, -1)).unbind(1)  # (B, heads, C/heads, N)
        weights = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT * self.temperature
        y: Tensor = self.proj((weights.softmax(-1) @ v).flatten(1, 2).mT)
        return y


class Positions(nn.Module):
    """Where a pixel is, as sines and cosines of its row and column, through a pointwise layer.

    Source: Vaswani et al. 2017, section 3.5, for two dimensions and relative to the image's size.
    """

    def __init__(self, channels: int) -> None:
        """Make the layer."""
        super().__init__()
        self.token_projection = nn.Conv2d(2 * _POSITIONS, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (1, C, H, W) for features (B, C, H, W)."""
        height, width = x.shape[2:]
        rows, columns = self._waves(height, x), self._waves(width, x)
        waves = [rows[:, :, None].expand(-1, -1, width), columns[:, None].expand(-1, height, -1)]
        y: Tensor = self.token_projection(torch.cat(waves)[None])
        return y

    @staticmethod
    def _waves(count: int, like: Tensor) -> Tensor:
        """Return (32, count): sine and cosine in turn, from one wave an image to slow ones."""
        steps = torch.arange(0, _POSITIONS, 2, device=like.device) / _POSITIONS
        turns = torch.arange(1, count + 1, device=like.device) / (count + 1e-6)
        angles = 2 * math.pi * turns / (10_000**steps)[:, None]
        return torch.stack([angles.sin(), angles.cos()], 1).flatten(0, 1).to(like.dtype)


class LocalGlobal(_Bottleneck):
    """Attention between channels, then the bottleneck. Source: section 3.2, LGFI."""

    def __init__(self, channels: int, positions: bool) -> None:
        """Make the block; with ``positions`` it knows where a pixel is."""
        super().__init__(channels)
        self.pos_embd = Positions(channels) if positions else None
        self.norm_xca = nn.LayerNorm(channels, eps=1e-6)
        self.gamma_xca = nn.Parameter(torch.full((channels,), 1e-6))
        self.xca = ChannelAttention(channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, C, H, W)."""
        placed = x if self.pos_embd is None else x + self.pos_embd(x)
        y = placed.flatten(2).mT
        y = y + self.gamma_xca * self.xca(self.norm_xca(y))
        return x + self.widen(self.norm(y).unflatten(1, x.shape[2:]))


class LiteMonoEncoder(Encoder):
    """Three stages of dilated convolutions, each ended by attention."""

    strides = (4, 8, 16)

    def __init__(self, architecture: str = "lite-mono") -> None:
        """Make one of ``LITE_MONO``."""
        super().__init__()
        self.channels, first_two, third = LITE_MONO[architecture]
        c = self.channels
        stem = nn.Sequential(*(_conv(a, c[0], s, True) for a, s in ((3, 2), (c[0], 1), (c[0], 1))))
        self.stem2 = nn.Sequential(_conv(c[0] + 3, c[0], 2))
        shrink = (nn.Sequential(_conv(2 * c[i] + 3, c[i + 1], 2)) for i in range(2))
        self.downsample_layers = nn.ModuleList([stem, *shrink])
        self.stages = nn.ModuleList(
            nn.Sequential(*(DilatedConv(c[i], d) for d in dilations), LocalGlobal(c[i], i == 0))
            for i, dilations in enumerate((first_two, first_two, third))
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return features at strides 4, 8, 16 of images (B, 3, H, W) in [0, 1]."""
        image = (image - MEAN) / STD
        small = [F.avg_pool2d(image, 3, 2, 1)]
        while len(small) < len(self.stages):
            small.append(F.avg_pool2d(small[-1], 3, 2, 1))
        x = self.stem2(torch.cat([self.downsample_layers[0](image), small[0]], 1))
        features = [self.stages[0](x)]
        for i in (1, 2):
            x = self.downsample_layers[i](torch.cat([x, features[-1], small[i]], 1))
            features.append(self.stages[i](x))
        return features


def _conv(channels_in: int, channels: int, stride: int, norm: bool = False) -> nn.Sequential:
    """Return a 3x3 convolution, perhaps with normalisation and GELU."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv"] = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
    if norm:
        end = OrderedDict(bn=nn.BatchNorm2d(channels), act=nn.GELU())
        layers["bn_gelu"] = nn.Sequential(end)
    return nn.Sequential(layers)
