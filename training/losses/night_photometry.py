"""Night photometry: triplets brightened without losing brightness constancy, and a static mask.

Only the photometric loss sees the brightened images, the networks do not.
Source: Wang et al. 2021 (RNW, "Regularizing Nighttime Weirdness") and its public code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sdepth.errors import ConfigError
from sdepth.shapes import check_shape

LEVELS = 256
MAPPING, FRAME = "mapping", "frame"


@dataclass(frozen=True)
class NightConfig:
    """How the images of a night's photometric loss are made.

    Attributes:
        enhance: mapping, all frames by the middle one's histogram; frame, each by its own, the
            control that breaks brightness constancy; "" for images as they are.
        clip_limit: largest share of pixels a histogram bin may keep (RNW: 0.008 on RobotCar,
            0.004 on nuScenes).
        static_quantile: share of the changes between frames that is taken for noise (RNW: 0.1 on
            RobotCar, 0.2 on nuScenes); 0 for no static mask.
        static_momentum: of the mean over training steps of where that quantile lies.
    """

    enhance: str = ""
    clip_limit: float = 0.008
    static_quantile: float = 0.0
    static_momentum: float = 0.98


@torch.no_grad()
def enhance(images: Tensor, mode: str, clip_limit: float) -> Tensor:
    """Return triplets (B, 3, 3, H, W) with histograms equalised, no gain steeper than allowed.

    The map of a channel is its cumulative histogram over 256 levels, its bins clipped at
    ``clip_limit`` and the excess spread evenly, stretched to 0..1. It never falls, and no step is
    higher than ``(clip_limit + 1 / 256) / (1 - clip_limit - 1 / 256)``.

    Args:
        images: (B, frames, 3, H, W) in [0, 1], the middle frame the second.
        mode: as ``NightConfig.enhance``.
        clip_limit: share of the pixels.

    Raises:
        ConfigError: no such mode.

    Source: Wang et al. 2021, mapping-consistent image enhancement.
    """
    size = check_shape("images", images, "B 3 3 H W")
    if mode == "":
        return images
    if mode not in (MAPPING, FRAME):
        raise ConfigError(f"enhance: got {mode!r}, expected {MAPPING!r}, {FRAME!r} or ''")
    levels = (images * (LEVELS - 1)).round().long().clamp(0, LEVELS - 1).flatten(3)
    tables = _tables(levels[:, 1:2] if mode == MAPPING else levels, clip_limit)
    bright = tables.to(images.dtype).expand(size["B"], 3, 3, LEVELS).gather(3, levels)
    return bright.view_as(images)


def _tables(levels: Tensor, clip_limit: float) -> Tensor:
    """Return maps (..., 256) of levels (..., pixels), 0..255, onto 0..1."""
    pixels, tables = levels.shape[-1], levels.shape[:-1]
    first = torch.arange(tables.numel(), device=levels.device).view(*tables, 1) * LEVELS
    counts = (levels + first).flatten().bincount(minlength=tables.numel() * LEVELS)
    share = counts.view(*tables, LEVELS).double() / pixels
    kept = share.clamp(max=clip_limit)
    total = (kept + (1 - kept.sum(-1, keepdim=True)) / LEVELS).cumsum(-1)
    low, high = total[..., :1], total[..., -1:]
    return (total - low) / (high - low).clamp(min=1 / pixels)


class StaticMask(nn.Module):
    """Where frames differ by more than noise, whose level is learned from the drives.

    Multiplied on the errors of the unwarped sources, it makes them 0 where nothing changes, so
    that the minimum over errors picks them and the pixel gives no gradient: at night, noise would
    let a warp win there. Source: Wang et al. 2021, statistics-based mask.
    """

    level: Tensor
    """Mean absolute difference below which pixels count as static; NaN before the first batch."""

    def __init__(self, quantile: float, momentum: float) -> None:
        """Start without a level: until the first batch in training, every pixel is kept."""
        super().__init__()
        self.quantile, self.momentum = quantile, momentum
        self.register_buffer("level", torch.tensor(float("nan")))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return 1 where a source differs from the middle frame, else 0: float (B, 2, H, W).

        In training the level is updated first, once per batch, by the mean over all pairs of
        each one's quantile (the public code: once per source and scale, so ten times as often).

        Args:
            images: (B, 3, 3, H, W) in [0, 1], enhanced as the photometric loss sees them.
        """
        check_shape("images", images, "B 3 3 H W")
        change = (images[:, ::2] - images[:, 1:2]).abs().mean(2)
        if self.training:
            pairs = change.flatten(2)
            rank = 1 + round(self.quantile * (pairs.shape[2] - 1))
            now = pairs.kthvalue(rank, dim=2).values.mean()
            mean = self.momentum * self.level + (1 - self.momentum) * now
            self.level.copy_(torch.where(self.level.isnan(), now, mean))
        return (~(change <= self.level)).to(images.dtype)
