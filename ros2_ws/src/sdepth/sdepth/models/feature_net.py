"""Feature networks for alignment: view-invariant features and a confidence for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdepth.alignment import pyramid
from sdepth.errors import ConfigError
from sdepth.models.encoder import Encoder
from sdepth.shapes import check_shape

CHANNELS = 16
"""Of the learned features, at every level."""


@dataclass(frozen=True)
class FeatureMap:
    """Features (B, C, h, w) at one stride; confidence (B, 1, h, w) in 0..1, None for 1."""

    features: Tensor
    confidence: Tensor | None


class IntensityFeatures(nn.Module):
    """Locally normalised brightness and its derivatives: nothing to learn.

    Attributes:
        multiple: of which height and width are best a multiple; so for every kind of features.
    """

    def __init__(self, strides: Sequence[int]) -> None:
        """Answer at ``strides``, coarse to fine."""
        super().__init__()
        self.strides = tuple(strides)
        self.multiple = max(self.strides)

    def forward(self, image: Tensor) -> list[FeatureMap]:
        """Return one map per stride, coarse to fine, of images (B, 3, H, W) in [0, 1]."""
        check_shape("image", image, "B 3 H W")
        grey = pyramid.grey(image)
        small = (F.avg_pool2d(grey, s) if s > 1 else grey for s in self.strides)
        return [FeatureMap(pyramid.features(g), None) for g in small]


class FeatureUNet(nn.Module):
    """A small U-Net: down to stride 16 and back up to the finest stride.

    It sees brightness evened out over a window, so that exposure is no cue and no obstacle.
    """

    WIDTHS = (16, 32, 48, 48)  # channels at strides 2, 4, 8, 16
    multiple = 16

    def __init__(self, strides: Sequence[int]) -> None:
        """Answer at ``strides``, coarse to fine, out of 8, 4, 2."""
        super().__init__()
        self.strides = tuple(strides)
        w = self.WIDTHS
        self.stem = nn.Conv2d(4, w[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(w))
        self.same = nn.ModuleList(nn.Conv2d(b, b, 3, padding=1) for b in w[1:])
        index = {8: 2, 4: 1, 2: 0}
        steps = range(2, index[min(self.strides)] - 1, -1)
        self.up = nn.ModuleList(nn.Conv2d(w[i] + w[i + 1], w[i], 3, padding=1) for i in steps)
        self.heads = nn.ModuleList(_head(w[index[s]]) for s in self.strides)

    def forward(self, image: Tensor) -> list[FeatureMap]:
        """Return one map per stride, coarse to fine, of images (B, 3, H, W) in [0, 1].

        H and W are multiples of ``multiple``.
        """
        check_shape("image", image, "B 3 H W")
        skips = self.descend(pyramid.normalise(pyramid.grey(image)))
        x, maps, heads = skips[-1], [], iter(self.heads)
        for stride, skip, up in zip((8, 4, 2), skips[2::-1], self.up, strict=False):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = F.relu(up(torch.cat([x, skip], 1)))
            if stride in self.strides:
                maps.append(read_head(next(heads), x))
        return maps

    def descend(self, even: Tensor) -> list[Tensor]:
        """Return what it sees at strides 2, 4, 8, 16 of evened out brightness (B, 1, H, W)."""
        x = F.relu(self.stem(F.pixel_unshuffle(even, 2)))
        seen = [x]
        for down, same in zip(self.down, self.same, strict=True):
            x = F.relu(same(F.relu(down(x))))
            seen.append(x)
        return seen


class EncoderFeatures(nn.Module):
    """A linear head on the frozen features of a depth network's encoder."""

    multiple = 32

    def __init__(self, strides: Sequence[int], encoder: Encoder) -> None:
        """Answer at ``strides``, coarse to fine, out of the encoder's."""
        super().__init__()
        self.strides = tuple(strides)
        self._encoder = (encoder,)  # in a tuple: its parameters stay the depth network's
        self._index = [encoder.strides.index(s) for s in self.strides]
        self.heads = nn.ModuleList(_head(encoder.channels[i]) for i in self._index)

    def forward(self, image: Tensor) -> list[FeatureMap]:
        """Return one map per stride, coarse to fine, of images (B, 3, H, W) in [0, 1]."""
        check_shape("image", image, "B 3 H W")
        encoder = self._encoder[0]
        training = encoder.training
        encoder.eval()  # or its running statistics would learn
        with torch.no_grad():
            seen = encoder(image)
        encoder.train(training)
        return [read_head(h, seen[i]) for h, i in zip(self.heads, self._index, strict=True)]


Features = IntensityFeatures | FeatureUNet | EncoderFeatures


def make_features(kind: str, strides: Sequence[int], encoder: Encoder | None = None) -> Features:
    """Return the features ``kind``: unet, random (unet, not to be trained), encoder, intensity.

    Raises:
        ConfigError: no such kind, or not at these strides.
    """
    allowed = {
        "unet": {8, 4, 2},
        "random": {8, 4, 2},
        "encoder": {16, 8, 4, 2}.intersection(encoder.strides if encoder else ()),
        "intensity": {16, 8, 4, 2, 1},
    }
    if kind not in allowed or (kind == "encoder" and encoder is None):
        raise ConfigError(f"features {kind!r}: expected unet, random, encoder or intensity")
    if not strides or not set(strides) <= allowed[kind] or [*strides] != sorted(strides)[::-1]:
        raise ConfigError(
            f"strides {[*strides]}: expected some of {sorted(allowed[kind])[::-1]}, coarse to fine"
        )
    if kind == "intensity":
        return IntensityFeatures(strides)
    if kind == "encoder":
        assert encoder is not None
        return EncoderFeatures(strides, encoder)
    return FeatureUNet(strides).requires_grad_(kind != "random")


def _head(channels: int) -> nn.Module:
    """Return the layer that reads features and the logit of their confidence."""
    return nn.Conv2d(channels, CHANNELS + 1, 1)


def read_head(head: nn.Module, x: Tensor) -> FeatureMap:
    """Return features of unit length and their confidence (PixLoc, section 3.3)."""
    y = head(x)
    x = y[:, :CHANNELS]  # scaled by hand: F.normalize takes five times as long on a CPU
    features = x * x.square().sum(1, keepdim=True).clamp(min=1e-12).rsqrt()
    return FeatureMap(features, torch.sigmoid(y[:, CHANNELS:]))
