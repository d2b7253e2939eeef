"""Image to disparity: encoder and skip decoder (Godard et al. 2019, supplementary table 5)."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdepth.models.efficientnet_lite import LITE, EfficientNetLiteEncoder
from sdepth.models.encoder import ARCHITECTURES, Encoder, ResNetEncoder
from sdepth.models.lite_mono import LITE_MONO, LiteMonoEncoder
from sdepth.shapes import check_shape

DECODER_CHANNELS = {
    "resnet18": (16, 32, 64, 128, 256),
    "light": (16, 24, 40, 72, 128),
    "tiny": (8, 16, 32, 56, 80),
    "lite0": (16, 32, 48, 80, 128),
}
DEPTH_ARCHITECTURES = (*ARCHITECTURES, *LITE, *LITE_MONO)
"""What ``DepthNet`` takes."""
SCALES = 4
"""Disparities come out at strides 1, 2, 4, 8; of Lite-Mono at the first three."""


def count_scales(architecture: str) -> int:
    """Return how many disparities a network gives."""
    return 3 if architecture in LITE_MONO else SCALES


def disp_to_depth(
    disp: Tensor, depth_range_m: tuple[float, float], focal_scale: Tensor | float = 1.0
) -> Tensor:
    """Return depth, metres (or the checkpoint's unit), of the network's sigmoid.

    Args:
        disp: (B, 1, H, W) in 0..1, unitless.
        depth_range_m: nearest and farthest depth for the canonical camera.
        focal_scale: the camera's focal ratio over the canonical one, (B, 1, 1, 1) or a number: the
            network sees size in the image only, and a longer lens makes things look nearer.

    Source: Godard et al. 2019, section 3; canonical camera as Yin et al. 2023 (Metric3D), eq. 2.
    """
    nearest, farthest = depth_range_m
    return focal_scale / (1 / farthest + (1 / nearest - 1 / farthest) * disp)


def depth_to_disp(
    depth: Tensor, depth_range_m: tuple[float, float], focal_scale: Tensor | float = 1.0
) -> Tensor:
    """Return the sigmoid (0..1) that ``disp_to_depth`` makes this depth of, at most its ends."""
    nearest, farthest = depth_range_m
    disp = (focal_scale / depth - 1 / farthest) / (1 / nearest - 1 / farthest)
    return disp.clamp(0, 1)


class Conv3x3(nn.Module):
    """3x3 convolution, padded by reflection, or with zeros if ``plain``."""

    def __init__(self, channels_in: int, channels: int, plain: bool = False) -> None:
        """Make the layer."""
        super().__init__()
        mode: Literal["zeros", "reflect"] = "zeros" if plain else "reflect"
        self.conv = nn.Conv2d(channels_in, channels, 3, padding=1, padding_mode=mode)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H, W)."""
        y: Tensor = self.conv(x)
        return y


class ConvBlock(nn.Module):
    """Convolution and ELU; ReLU6 if ``plain``, what int8 engines and small GPUs like best."""

    def __init__(self, channels_in: int, channels: int, plain: bool = False) -> None:
        """Make the layer."""
        super().__init__()
        self.conv = Conv3x3(channels_in, channels, plain)
        self._act = F.relu6 if plain else F.elu

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H, W)."""
        return self._act(self.conv(x), inplace=True)


class DepthNet(nn.Module):
    """Encoder and skip decoder; parameter names are those of the public weights."""

    def __init__(self, architecture: str = "light") -> None:
        """Make one of ``DEPTH_ARCHITECTURES``.

        ``resnet18`` has 14.3 M parameters, ``light`` 1.9 M, ``lite0`` 3.9 M, ``lite-mono`` 3.1 M.
        """
        super().__init__()
        self.encoder: Encoder
        lite = architecture in LITE
        if architecture in LITE_MONO:
            self.encoder = LiteMonoEncoder(architecture)
            out = tuple(channels // 2 for channels in self.encoder.channels)
        else:
            self.encoder = EfficientNetLiteEncoder() if lite else ResNetEncoder(architecture)
            out = DECODER_CHANNELS[architecture]
        self.scales = count_scales(architecture)
        self._upsampling = "bilinear" if architecture in LITE_MONO else "nearest"
        skip = (0, *self.encoder.channels)
        blocks: list[nn.Module] = []
        below = skip[-1]
        for i in reversed(range(len(out))):
            blocks += [
                ConvBlock(below, out[i], lite),
                ConvBlock(out[i] + skip[i], out[i], lite),
            ]
            below = out[i]
        self.decoder = nn.ModuleList(
            blocks + [Conv3x3(out[s], 1, lite) for s in range(self.scales)]
        )

    def heads(self) -> list[nn.Module]:
        """Return the layers that give the disparities, finest first."""
        return list(self.decoder)[-self.scales :]

    def start_at(self, depth: float, depth_range_m: tuple[float, float]) -> None:
        """Set the output biases so that an untrained network answers about ``depth``, metres."""
        disp = float(depth_to_disp(torch.tensor(depth, dtype=torch.float64), depth_range_m))
        for head in self.heads():
            conv: Any = head.conv
            nn.init.constant_(conv.bias, math.log(disp / (1 - disp)))

    def forward(self, image: Tensor, scales: int = SCALES) -> list[Tensor]:
        """Return disparities (B, 1, H / 2^s, W / 2^s) in 0..1 for s = 0 .. scales - 1.

        Args:
            image: RGB (B, 3, H, W) in [0, 1]; H and W multiples of 32.
            scales: how many to compute, finest first; inference needs 1.
        """
        check_shape("image", image, "B 3 H W")
        return self.decode(self.encoder(image), scales)

    def decode(self, features: list[Tensor], scales: int = SCALES) -> list[Tensor]:
        """Return the disparities, as ``forward``, of the encoder's features, finest first."""
        heads = self.heads()
        disps: list[Tensor] = []
        x = features[-1]
        for step, i in enumerate(reversed(range(len(features)))):
            x = F.interpolate(self.decoder[2 * step](x), scale_factor=2.0, mode=self._upsampling)
            if i > 0:
                x = torch.cat([x, features[i - 1]], 1)
            x = self.decoder[2 * step + 1](x)
            if i < scales:
                disps.insert(0, torch.sigmoid(self._to_scale(heads[i](x))))
        return disps

    def _to_scale(self, x: Tensor) -> Tensor:
        """Return (B, 1, 2 H, 2 W) where the finest features are still half the finest scale."""
        if self.encoder.strides[0] == 2:
            return x
        return F.interpolate(x, scale_factor=2.0, mode="bilinear")
