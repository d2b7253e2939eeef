"""One frame made ready to be aligned with another: features, depth and intrinsics by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sdepth.alignment import fused_frame, pyramid
from sdepth.alignment.fused_target import Pixels
from sdepth.alignment.pyramid import NOISE, WINDOW
from sdepth.alignment.refiner import Refiner, make_level
from sdepth.alignment.residual import Level
from sdepth.alignment.search import take_pixels
from sdepth.alignment.traffic import believed_still
from sdepth.engines import Engine
from sdepth.geometry.camera import Camera
from sdepth.models.feature_net import FeatureMap
from sdepth.pixels import RGB_WEIGHTS

Image = NDArray[np.uint8]

FARTHEST_M = 1e4
"""Metres; what is farther tells nothing of a motion, and is more likely an error."""


@dataclass(frozen=True)
class View:
    """A frame from coarse to fine.

    Attributes:
        maps: features (1, C, h, w) and their confidence, per level.
        depth: (1, 1, h, w) per level, metres, 0 where unknown.
        K: (1, 3, 3) per level, pixels.
        image: RGB (h, w, 3) as the pose network takes it, or None.
        stamp_ns: time of exposure.
        depth_share: share of the pixels whose depth is known.
        median_depth: of those, metres; 1 where there are none.
        cell: of the search (``RefineConfig``).
    """

    maps: tuple[FeatureMap, ...]
    depth: tuple[Tensor, ...]
    K: tuple[Tensor, ...]
    image: Image | None
    stamp_ns: int
    depth_share: float
    median_depth: float
    cell: int

    @cached_property
    def pixels(self) -> list[Pixels]:
        """What the compiled search takes of a target, per level: a keyframe's is taken once."""
        return [take_pixels(level, self.cell) for level in levels(self, self)]

    @cached_property
    def target_maps(self) -> list[FeatureMap]:
        """The maps as a target's: what may drive along is trusted less."""
        height, width = self.depth[-1].shape[2:]
        (fx, _, cx), (_, fy, cy), _ = self.K[-1][0].tolist()
        camera = Camera(fx, fy, cx, cy, width, height)
        still = believed_still(self.depth[-1][0, 0].cpu().numpy(), camera)
        sizes = ((m.features.shape[3], m.features.shape[2]) for m in self.maps)
        small = (cv2.resize(still, size, interpolation=cv2.INTER_AREA) for size in sizes)
        trust = (torch.from_numpy(np.asarray(w))[None, None].to(self.depth[-1]) for w in small)
        return [
            FeatureMap(m.features, w * _trust(m)) for m, w in zip(self.maps, trust, strict=True)
        ]


class Viewer:
    """Makes frames ready to be aligned."""

    def __init__(
        self,
        refiner: Refiner,
        cell: int,
        pose_size: tuple[int, int] | None = None,
        engine: Engine | None = None,
    ) -> None:
        """Choose what is made.

        Args:
            refiner: knows the features and the size of image they want; on the device to use.
            cell: of the search.
            pose_size: (height, width) of the pose network's input, or None.
            engine: runs the refiner's features, of evened out brightness; None: itself.
        """
        self._refiner, self._engine, self._pose_size = refiner, engine, pose_size
        self._cell, self._device = cell, refiner.damping_logit.device

    def look(
        self,
        image: Image,
        depth: NDArray[np.float32],
        camera: Camera,
        stamp_ns: int,
        small: Image | None = None,
        below_m: float = FARTHEST_M,
    ) -> View:
        """Return a frame ready to be aligned.

        Args:
            image: RGB (H, W, 3).
            depth: (h, w) of the same view at any size, metres; not finite or <= 0 where unknown.
            camera: intrinsics of the image.
            stamp_ns: time of exposure.
            small: the same image at another size, where there is one already.
            below_m: depth from here on is unknown, metres.
        """
        # An enlarged image is made otherwise here.
        known = [x for x in (image, small) if x is not None and len(x) <= len(image)]
        seen_size = self._refiner.input_size(camera.height, camera.width)
        pose_size = self._pose_size
        posed = resized(known, pose_size) if pose_size else None
        maps = self._features([*known, *([] if posed is None else [posed])], seen_size)
        size = min(seen_size[0], depth.shape[0]), min(seen_size[1], depth.shape[1])
        # Once: the levels' depth comes from this.
        metres = torch.from_numpy(np.require(depth, np.float32, ["C", "W"]))[None, None]
        near = _shrunk(metres.to(self._device), size, below_m)
        sizes = [(m.features.shape[2], m.features.shape[3]) for m in maps]
        depths = [_shrunk(near, size, np.inf) for size in sizes]
        K = [torch.from_numpy(camera.resized(w, h).K).float()[None] for h, w in sizes]
        seen = depths[-1][depths[-1] > 0]
        return View(
            tuple(maps),
            tuple(depths),
            tuple(k.to(self._device) for k in K),
            posed,
            stamp_ns,
            seen.numel() / depths[-1].numel(),
            float(seen.median()) if seen.numel() else 1.0,
            self._cell,
        )

    def _features(self, images: Sequence[Image], size: tuple[int, int]) -> list[FeatureMap]:
        """Return features at a size of one of the images, which show the same."""
        if self._engine is not None:
            grey = resized([cv2.cvtColor(images[0], cv2.COLOR_RGB2GRAY)], size)
            return _learned(grey, self._engine)
        rgb = resized(images, size)
        if self._refiner.kind == "intensity" and self._device.type == "cpu":
            return [_fixed(rgb, stride) for stride in self._refiner.strides]
        pixels = torch.from_numpy(rgb).to(self._device)
        return self._refiner.maps(pixels.permute(2, 0, 1)[None].contiguous().float() / 255)


def _fixed(rgb: Image, stride: int) -> FeatureMap:
    """Return what ``IntensityFeatures`` does of an image (H, W, 3) at a stride."""
    return FeatureMap(_channels_first(brightness_features(rgb, stride)[None]), None)


def brightness_features(rgb: Image, stride: int = 1) -> NDArray[np.float32]:
    """Return evened out brightness of an image (H, W, 3), and its changes (h, w, 3)."""
    even = fused_frame.even(fused_frame.shrink_image(rgb, stride, RGB_WEIGHTS), WINDOW, NOISE)
    return np.asarray(fused_frame.features(even), np.float32)


def _learned(grey: Image, engine: Engine) -> list[FeatureMap]:
    """Return what ``FeatureUNet`` does of brightness (H, W) in bytes."""
    even = fused_frame.even(grey.astype(np.float32) / 255, WINDOW, NOISE)
    found = [_channels_first(x) for x in engine.run(even[None, None])]
    return [FeatureMap(*pair) for pair in zip(found[::2], found[1::2], strict=True)]


def _channels_first(x: NDArray[np.float32]) -> Tensor:
    """Return (1, C, h, w), in the same memory, of (1, h, w, C)."""
    return torch.from_numpy(x).permute(0, 3, 1, 2)


def levels(target: View, source: View) -> list[Level]:
    """Return the levels of an alignment of two views."""
    sources = [FeatureMap(m.features, _trust(m)) for m in source.maps]
    parts = zip(target.target_maps, sources, target.depth, target.K, strict=True)
    return [make_level(*part) for part in parts]


def _trust(seen: FeatureMap) -> Tensor:
    """Return the confidence (1, 1, h, w) in a map, 1 where it has none."""
    if seen.confidence is None:
        return torch.ones_like(seen.features[:, :1])
    return seen.confidence


def _shrunk(depth: Tensor, size: tuple[int, int], below: float) -> Tensor:
    """Return depth (1, 1, *size), metres, 0 where it is not known or not less than ``below``."""
    if depth.device.type == "cpu":
        found = fused_frame.shrink_depth(depth[0, 0].numpy(), *size, below)
        return torch.from_numpy(found)[None, None]
    return pyramid.shrink_depth(depth.where(depth < below, 0.0), size)


def resized(images: Sequence[Image], size: tuple[int, int]) -> Image:
    """Return that of the images which has a size, or the first, resized: smaller by areas."""
    image = next((x for x in images if x.shape[:2] == size), images[0])
    how = cv2.INTER_AREA if size[0] <= image.shape[0] else cv2.INTER_LINEAR
    if image.shape[:2] != size:
        image = np.asarray(cv2.resize(image, size[::-1], interpolation=how), np.uint8)
    # For other kinds of memory, compiled loops would be compiled anew.
    return np.require(image, requirements=["C", "W"])
