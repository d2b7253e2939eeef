"""One frame made ready to be aligned with another: features, depth and intrinsics by level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sdepth import pyramid
from sdepth.camera import Camera
from sdepth.feature_residual import Level


@dataclass(frozen=True)
class View:
    """A frame from coarse to fine.

    Attributes:
        features: (1, C, h, w) per level.
        depth: (1, 1, h, w) per level, metres, 0 where unknown.
        K: (1, 3, 3) per level, pixels.
        rgb: (1, 3, H, W) in [0, 1] as the pose network takes it, or None.
        stamp_ns: time of exposure.
        depth_share: share of the pixels whose depth is known.
        median_depth: of those, metres; 1 where there are none.
    """

    features: tuple[Tensor, ...]
    depth: tuple[Tensor, ...]
    K: tuple[Tensor, ...]
    rgb: Tensor | None
    stamp_ns: int
    depth_share: float
    median_depth: float


def make_view(
    image: NDArray[np.uint8],
    depth: NDArray[np.float32],
    camera: Camera,
    stamp_ns: int,
    widths: tuple[int, ...],
    rgb_size: tuple[int, int] | None,
    device: torch.device,
) -> View:
    """Return a frame ready to be aligned.

    Args:
        image: RGB (H, W, 3).
        depth: (h, w) of the same view at any size, metres; not finite or <= 0 where unknown.
        camera: intrinsics of the image.
        stamp_ns: time of exposure.
        widths: of the levels, pixels, coarse to fine; none is enlarged.
        rgb_size: (height, width) of the pose network's input, or None.
        device: where the tensors go.
    """

    def tensor(array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device).float()

    def resized(pixels: NDArray[Any], size: tuple[int, int]) -> Tensor:
        return tensor(cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA))

    sizes = pyramid.sizes(camera.width, camera.height, widths)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    depths = [tensor(depth)[None, None]]
    for size in reversed(sizes):
        depths.append(pyramid.shrink_depth(depths[-1], size))
    known = depths[1][depths[1] > 0]
    return View(
        tuple(pyramid.features(resized(grey, size)[None, None] / 255) for size in sizes),
        tuple(reversed(depths[1:])),
        tuple(tensor(camera.resized(w, h).K)[None] for h, w in sizes),
        resized(image, rgb_size).permute(2, 0, 1)[None] / 255 if rgb_size else None,
        stamp_ns,
        known.numel() / depths[1].numel(),
        float(known.median()) if known.numel() else 1.0,
    )


def levels(target: View, source: View, count: int) -> list[Level]:
    """Return the levels of an alignment of two views, repeated for ``count`` initial motions."""
    parts = zip(target.features, source.features, target.depth, target.K, strict=True)
    return [Level(*(t.expand(count, *t.shape[1:]) for t in part)) for part in parts]
