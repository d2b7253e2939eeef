"""What changes between frames and what a frame looks like: the clip discriminator's block.

Ours, after the abstract of DASP (Huang et al. 2025), which names the parts and what they are for
but not how they are built. A clip's frames are folded into the batch, (B * FRAMES, C, H, W):
only the temporal module takes them apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdepth.errors import ConfigError

FRAMES = 3
"""Of a clip: t-1, t, t+1."""

SLOPE = 0.2
"""Of the leaky rectifiers, as in pix2pix's discriminator (Isola et al. 2017)."""

HEADS = 4
TEMPORAL = ("planes", "central", "shifts", "plain")


class TemporalModule(nn.Module):
    """STLM: amplify features where they change with time; exactly none where they do not.

    What counts as change, each filtered per channel and then mixed to a gate (tanh, no bias):

    * ``planes``: differences to the frame before and after, by 1x3 (the x-t plane) and 3x1 (y-t).
      Every linear filter on those planes that ignores a static clip is one of these.
    * ``central``: the same filters on the central difference alone: odd in time.
    * ``shifts``: how much better another frame, moved by a pixel along x or y, matches this one
      than this frame moved likewise does.
    * ``plain``: differences to the frame before and after, no filter in space: the control.

    At the ends of the clip the missing frame is the nearest there is.
    """

    def __init__(self, channels: int, kind: str) -> None:
        """Work on ``channels`` with one of ``TEMPORAL``."""
        super().__init__()
        if kind not in TEMPORAL:
            raise ConfigError(f"temporal {kind!r}: expected one of {[*TEMPORAL]}")
        self.kind = kind
        per_channel = {"planes": 2, "central": 1, "shifts": 4, "plain": 2}[kind]
        kernels = {"shifts": [(1, 1), (1, 1)], "plain": [(1, 1)]}.get(kind, [(1, 3), (3, 1)])
        self.filters = nn.ModuleList(_per_channel(channels, k, per_channel) for k in kernels)
        self.mix = nn.Conv2d(channels, channels, 1, bias=False)

    def gate(self, x: Tensor) -> Tensor:
        """Return how much to amplify each of the features (B * FRAMES, C, H, W), -1..1."""
        changes = self._changes(x)
        change = torch.stack([f(c) for f, c in zip(self.filters, changes, strict=True)]).sum(0)
        return torch.tanh(self.mix(F.leaky_relu(change, SLOPE)))

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B * FRAMES, C, H, W), amplified or damped where they change."""
        return x + x * self.gate(x)

    def _changes(self, x: Tensor) -> Sequence[Tensor]:
        """Return changes (B * FRAMES, C * k, H, W) for each filter, a channel's k side by side."""
        clip = x.unflatten(0, (-1, FRAMES))
        before = torch.cat([clip[:, :1], clip[:, :-1]], 1).flatten(0, 1)
        after = torch.cat([clip[:, 1:], clip[:, -1:]], 1).flatten(0, 1)
        if self.kind == "central":
            return [(after - before) / 2] * 2
        if self.kind == "shifts":
            return [_match_gain(x, (before, after), axis) for axis in (-1, -2)]
        return [torch.stack([before - x, after - x], 2).flatten(1, 2)] * len(self.filters)


class SpatialModule(nn.Module):
    """ASLM: asymmetric filters near by, attention along the whole column and row far away."""

    KERNELS = ((1, 3), (3, 1), (1, 5), (5, 1), (3, 3))

    def __init__(self, channels: int) -> None:
        """Work on ``channels``, a multiple of 2 * HEADS."""
        super().__init__()
        self.local = nn.ModuleList(_per_channel(channels, k) for k in self.KERNELS)
        self.reduce = nn.Conv2d(channels, channels // 2, 1)
        self.along_height, self.along_width = (nn.Conv2d(channels // 2, channels, 1) for _ in "hw")
        self.expand = nn.Conv2d(channels // 2, channels, 1)
        self.scale = nn.Parameter(torch.zeros(()))
        self.finish = nn.Sequential(nn.InstanceNorm2d(channels), nn.LeakyReLU(SLOPE))

    def forward(self, x: Tensor) -> Tensor:
        """Return features (N, C, H, W) of images of that shape, any H and W."""
        x = torch.stack([f(x) for f in self.local]).sum(0)
        z = self.reduce(x)
        z = z + _attend(self.along_height(z).mT, z.mT).mT
        z = z + _attend(self.along_width(z), z)
        return self.finish(x + self.scale * self.expand(z))


class PriorsBlock(nn.Module):
    """SPLB: x + Conv1x1([STLM(x), ASLM(x)]).

    A module left out is replaced by pointwise layers of its size, so that what it does is
    compared and not how many parameters it has.
    """

    def __init__(self, channels: int, temporal: str, spatial: bool) -> None:
        """Work on ``channels``; ``temporal`` is one of ``TEMPORAL`` or "" for none."""
        super().__init__()
        self.temporal = TemporalModule(channels, temporal) if temporal else _pointwise(channels, 1)
        self.spatial = SpatialModule(channels) if spatial else _pointwise(channels, 2)
        self.join = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape, (B * FRAMES, C, H, W)."""
        return x + self.join(torch.cat([self.temporal(x), self.spatial(x)], 1))


def _per_channel(channels: int, kernel: tuple[int, int], inputs: int = 1) -> nn.Conv2d:
    """Return a filter of each channel's ``inputs`` maps to one; no bias: nothing stays nothing."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    size = channels * inputs
    return nn.Conv2d(size, channels, kernel, padding=padding, groups=channels, bias=False)


def _pointwise(channels: int, layers: int) -> nn.Module:
    """Return layers that see neither another pixel nor another frame."""
    conv = (nn.Conv2d(channels, channels, 1) for _ in range(layers))
    return nn.Sequential(*(m for c in conv for m in (c, nn.LeakyReLU(SLOPE))))


def _match_gain(x: Tensor, others: Sequence[Tensor], axis: int) -> Tensor:
    """Return per channel, other frame and direction how a move by a pixel changes the match."""

    def moved(y: Tensor, step: int) -> Tensor:
        size = y.shape[axis]
        index = torch.arange(size, device=y.device).add(step).clamp(0, size - 1)
        return y.index_select(axis, index)

    gains = [
        (moved(other, step) - x).abs() - (moved(x, step) - x).abs()
        for other in others
        for step in (-1, 1)
    ]
    return torch.stack(gains, 2).flatten(1, 2)


def _attend(query_key: Tensor, value: Tensor) -> Tensor:
    """Return attention along the last axis of values (N, C, H, W), queries and keys (N, 2C, H, W).

    Values are the features themselves: the layers before and after mix them already.
    """

    def split(y: Tensor) -> Tensor:  # (N, H, heads, W, C / heads)
        return y.unflatten(1, (HEADS, -1)).permute(0, 3, 1, 4, 2)

    query, key = query_key.chunk(2, 1)
    q, k, v = (split(y).flatten(0, 1) for y in (query, key, value))
    y = F.scaled_dot_product_attention(q, k, v)
    return y.unflatten(0, (value.shape[0], -1)).permute(0, 2, 4, 1, 3).flatten(1, 2)
