"""One frame made ready to be aligned with another: features, depth and intrinsics by level."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sdepth.alignment import pyramid
from sdepth.alignment.refiner import Refiner, make_level, shrink
from sdepth.alignment.residual import Level
from sdepth.geometry.camera import Camera
from sdepth.models.feature_net import FeatureMap

_FARTHEST_M = 1e4
"""Metres; what is farther tells nothing of a motion, and is more likely an error."""


@dataclass(frozen=True)
class View:
    """A frame from coarse to fine.

    Attributes:
        maps: features (1, C, h, w) and their confidence, per level.
        depth: (1, 1, h, w) per level, metres, 0 where unknown.
        K: (1, 3, 3) per level, pixels.
        rgb: (1, 3, H, W) in [0, 1] as the pose network takes it, or None.
        stamp_ns: time of exposure.
        depth_share: share of the pixels whose depth is known.
        median_depth: of those, metres; 1 where there are none.
    """

    maps: tuple[FeatureMap, ...]
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
    refiner: Refiner,
    rgb_size: tuple[int, int] | None,
) -> View:
    """Return a frame ready to be aligned, on the refiner's device.

    Args:
        image: RGB (H, W, 3).
        depth: (h, w) of the same view at any size, metres; not finite, <= 0 or beyond
            ``_FARTHEST_M`` where unknown.
        camera: intrinsics of the image.
        stamp_ns: time of exposure.
        refiner: knows the features and the size of image they want.
        rgb_size: (height, width) of the pose network's input, or None.
    """
    device = refiner.damping_logit.device
    seen_size = refiner.input_size(camera.height, camera.width)
    seen = _rgb(image, seen_size, device)
    rgb = _rgb(image, rgb_size, device) if rgb_size and rgb_size != seen_size else seen
    maps = refiner.maps(seen)
    size = min(seen_size[0], depth.shape[0]), min(seen_size[1], depth.shape[1])
    metres = torch.from_numpy(np.ascontiguousarray(depth)).to(device).float()[None, None]
    metres = metres.where(metres < _FARTHEST_M, 0.0)
    small = pyramid.shrink_depth(metres, size)  # once: the levels' depth comes from this
    K = torch.from_numpy(camera.resized(size[1], size[0]).K).to(device).float()[None]
    shrunk = shrink(maps, small, K)
    known = shrunk[-1][0][shrunk[-1][0] > 0]
    return View(
        tuple(maps),
        tuple(depth for depth, _ in shrunk),
        tuple(K for _, K in shrunk),
        rgb if rgb_size else None,
        stamp_ns,
        known.numel() / shrunk[-1][0].numel(),
        float(known.median()) if known.numel() else 1.0,
    )


def levels(target: View, source: View) -> list[Level]:
    """Return the levels of an alignment of two views."""
    parts = zip(target.maps, source.maps, target.depth, target.K, strict=True)
    return [make_level(*part) for part in parts]


def _rgb(image: NDArray[np.uint8], size: tuple[int, int], device: torch.device) -> Tensor:
    """Return the image (1, 3, *size) in [0, 1]; smaller by areas, larger by interpolation."""
    shrinks = size[0] <= image.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    pixels = torch.from_numpy(cv2.resize(image, size[::-1], interpolation=how))
    return pixels.to(device).permute(2, 0, 1)[None].contiguous().float() / 255
