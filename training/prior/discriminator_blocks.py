"""What changes between frames and what a frame looks like: the clip discriminator's block.

Ours, after the abstract of DASP (Huang et al. 2025), which names the parts and what they are for
but not how they are built. A clip's frames are folded into the batch, (B * FRAMES, C, H, W):
only the temporal module takes them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce

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

    What counts as change, filtered per channel and then mixed to a gate (tanh, no bias):

    * ``planes``: differences to the frame before and after, by 1x3 (the x-t plane) and 3x1 (y-t).
      Every linear filter on those planes that ignores a static clip is one of these.
    * ``central``: the same with one filter for both, so on the central difference: odd in time.
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
        kernels = [(1, 3), (3, 1)] if kind in ("planes", "central") else [(1, 1)]
        count = {"central": 1, "shifts": 8}.get(kind, 2)  # shifts: 2 frames, 2 axes, 2 directions
        self.filters = nn.ModuleList(_PerChannel(channels, kernels) for _ in range(count))
        self.mix = nn.Conv2d(channels, channels, 1, bias=False)

    def gate(self, x: Tensor) -> Tensor:
        """Return how much to amplify each of the features (B * FRAMES, C, H, W), -1..1."""
        return torch.tanh(self.mix(F.leaky_relu(self._change(x), SLOPE)))

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B * FRAMES, C, H, W), amplified or damped where they change."""
        return x + x * self.gate(x)

    def _change(self, x: Tensor) -> Tensor:
        """Return the filtered change of every frame (B * FRAMES, C, H, W)."""
        clip = x.unflatten(0, (-1, FRAMES))
        if self.kind == "shifts":
            return _total(f(g) for f, g in zip(self.filters, _match_gains(clip), strict=True))
        # filters are linear: filter each step from frame to frame once, use it at both its ends
        step = (clip[:, 1:] - clip[:, :-1]).flatten(0, 1)
        steps = [f(step).unflatten(0, (-1, FRAMES - 1)) for f in self.filters]
        none = torch.zeros_like(steps[0][:, :1])
        after, before = torch.cat([steps[0], none], 1), torch.cat([none, steps[-1]], 1)
        return (after + before).flatten(0, 1)


class SpatialModule(nn.Module):
    """ASLM: asymmetric filters near by, attention along the whole column and row far away."""

    KERNELS = ((1, 3), (3, 1), (1, 5), (5, 1), (3, 3))

    def __init__(self, channels: int, cell: int = 1) -> None:
        """Work on ``channels``, a multiple of 2 * HEADS; attend to cells of ``cell`` pixels."""
        super().__init__()
        self.cell = cell
        self.local = _PerChannel(channels, self.KERNELS)
        self.reduce = nn.Conv2d(channels, channels // 2, 1)
        self.along_height, self.along_width = (nn.Conv2d(channels // 2, channels, 1) for _ in "hw")
        self.expand = nn.Conv2d(channels // 2, channels, 1)
        self.scale = nn.Parameter(torch.zeros(()))
        self.finish = nn.Sequential(nn.InstanceNorm2d(channels), nn.LeakyReLU(SLOPE))

    def forward(self, x: Tensor) -> Tensor:
        """Return features (N, C, H, W) of images of that shape, any H and W."""
        x = self.local(x)
        z = self.reduce(F.avg_pool2d(x, self.cell, ceil_mode=True) if self.cell > 1 else x)
        z = z + _attend(self.along_height(z).mT, z.mT).mT
        z = z + _attend(self.along_width(z), z)
        z = self.scale * self.expand(z)
        if self.cell > 1:
            z = F.interpolate(z, scale_factor=float(self.cell))[..., : x.shape[-2], : x.shape[-1]]
        return self.finish(x + z)


class PriorsBlock(nn.Module):
    """SPLB: x + Conv1x1([STLM(x), ASLM(x)]).

    A module left out is replaced by pointwise layers of its size, so that what it does is
    compared and not how many parameters it has.
    """

    def __init__(self, channels: int, temporal: str, spatial: bool, cell: int = 1) -> None:
        """Work on ``channels``; ``temporal`` is one of ``TEMPORAL`` or ""; attend to ``cell``s."""
        super().__init__()
        self.temporal = TemporalModule(channels, temporal) if temporal else _pointwise(channels, 1)
        self.spatial = SpatialModule(channels, cell) if spatial else _pointwise(channels, 2)
        self.join = nn.Conv2d(2 * channels, channels, 1)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape, (B * FRAMES, C, H, W)."""
        return x + self.join(torch.cat([self.temporal(x), self.spatial(x)], 1))


class _PerChannel(nn.ModuleList):
    """The sum of filters of each channel on its own; no bias: nothing stays nothing."""

    def __init__(self, channels: int, kernels: Iterable[tuple[int, int]]) -> None:
        super().__init__(
            nn.Conv2d(
                channels, channels, k, padding=(k[0] // 2, k[1] // 2), groups=channels, bias=False
            )
            for k in kernels
        )

    def forward(self, x: Tensor) -> Tensor:
        return _total(f(x) for f in self)


def _total(terms: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, terms)


def _pointwise(channels: int, layers: int) -> nn.Module:
    """Return layers that see neither another pixel nor another frame."""
    conv = (nn.Conv2d(channels, channels, 1) for _ in range(layers))
    return nn.Sequential(*(m for c in conv for m in (c, nn.LeakyReLU(SLOPE))))


def _initialise(module: nn.Module) -> None:
    """Keep the size of what passes: change is small, and PatchGAN's 0.02 would lose it."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, module.weight[0].numel() ** -0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _match_gains(clip: Tensor) -> Iterator[Tensor]:
    """Return how a move by a pixel changes the match, per other frame, axis and direction.

    Each is (B * T, C, H, W) of a clip (B, T, C, H, W); negative where the other frame matches
    better when moved.
    """
    x = clip.flatten(0, 1)
    before = torch.cat([clip[:, :1], clip[:, :-1]], 1).flatten(0, 1)
    after = torch.cat([clip[:, 1:], clip[:, -1:]], 1).flatten(0, 1)
    for axis in (-1, -2):
        for step in (-1, 1):
            itself = (_moved(x, axis, step) - x).abs()
            yield from (
                (_moved(other, axis, step) - x).abs() - itself for other in (before, after)
            )


def _moved(x: Tensor, axis: int, step: int) -> Tensor:
    """Return x one pixel along, or back, the axis; the border stays."""
    size = x.shape[axis]
    if step > 0:
        return torch.cat([x.narrow(axis, 1, size - 1), x.narrow(axis, size - 1, 1)], axis)
    return torch.cat([x.narrow(axis, 0, 1), x.narrow(axis, 0, size - 1)], axis)


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
