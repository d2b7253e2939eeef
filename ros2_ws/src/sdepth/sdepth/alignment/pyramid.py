"""What alignment makes of an image and its depth without training: features, smaller depth."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sdepth.pixels import RGB_WEIGHTS
from sdepth.shapes import check_shape

WINDOW = 15
"""Pixels, at each level, over which brightness and contrast are evened out."""
NOISE = 0.02
"""Contrast, of brightness in 0..1, below which texture counts as noise."""


def rounded(length: float, multiple: int) -> int:
    """Return the multiple nearest to a height or width, at least one of it."""
    return max(1, round(length / multiple)) * multiple


def grey(image: Tensor) -> Tensor:
    """Return the brightness (B, 1, H, W) of RGB images (B, 3, H, W) (ITU-R BT.601)."""
    return (image * image.new_tensor(RGB_WEIGHTS).view(1, 3, 1, 1)).sum(1, keepdim=True)


def normalise(grey: Tensor) -> Tensor:
    """Return brightness (B, 1, h, w) evened out in mean and contrast over ``WINDOW`` pixels.

    Exposure, lamps and shadows, which change from frame to frame at night, hardly matter then.

    Args:
        grey: (B, 1, h, w) in 0..1.
    """
    check_shape("grey", grey, "B 1 h w")
    both = _box(torch.cat([grey, grey * grey], 1))
    mean, mean_sq = both[:, :1], both[:, 1:]
    variance = (mean_sq - mean * mean).clamp(min=0)
    return (grey - mean) * (variance + NOISE**2).rsqrt()


def features(grey: Tensor) -> Tensor:
    """Return (B, 3, h, w): locally normalised brightness and its two derivatives.

    Args:
        grey: (B, 1, h, w) in 0..1.
    """
    value = normalise(grey)
    return torch.cat([value, *(2 * d for d in gradients(value))], 1)


def gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return d/du and d/dv (B, C, h, w), per pixel, of maps (B, C, h, w): central differences."""
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    du = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    dv = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return du, dv


def shrink_depth(depth: Tensor, size: tuple[int, int]) -> Tensor:
    """Return depth (B, 1, *size): the mean of inverse depth over what is known, else 0.

    Args:
        depth: (B, 1, H, W), metres, 0 or not finite where unknown.
        size: (height, width), not larger.
    """
    check_shape("depth", depth, "B 1 H W")
    known = torch.isfinite(depth) & (depth > 0)
    if depth.shape[2:] == size:
        return torch.where(known, depth, torch.zeros_like(depth))
    inv_depth = torch.where(known, depth, torch.ones_like(depth)).reciprocal() * known
    both = F.interpolate(torch.cat([inv_depth, known.to(depth)], 1), size, mode="area")
    share = both[:, 1:]
    return torch.where(share >= 0.5, share / both[:, :1].clamp(min=1e-9), torch.zeros_like(share))


def _box(x: Tensor) -> Tensor:
    """Return the mean over about a window, of what of it lies inside the image.

    Blocks of three are averaged first, which is eight times faster than every pixel's own window.
    """
    blocks = F.avg_pool2d(x, 3, ceil_mode=True, count_include_pad=False)
    side = WINDOW // 3
    mean = F.avg_pool2d(blocks, side, 1, side // 2, count_include_pad=False)
    return F.interpolate(mean, x.shape[2:], mode="bilinear", align_corners=False)
