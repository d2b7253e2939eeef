"""Two images, the depth of one and a first guess of the motion to a better motion."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sdepth.alignment import pyramid
from sdepth.alignment.residual import Level
from sdepth.alignment.solver import RefineConfig, Refinement, refine
from sdepth.geometry import projection
from sdepth.models.encoder import Encoder
from sdepth.models.feature_net import FeatureMap, make_features

DAMPING_RANGE = (-6.0, 5.0)
"""Exponents of ten between which damping is learned (PixLoc, section 3.3)."""

LEVEL_WIDTH = 320
"""Pixels, at most, of the finest level."""
INPUT_WIDTH = 640
"""Pixels, at most, of the image that features are made of."""
FIXED_STRIDES = (4, 2, 1)
"""Of the levels of features that need no training."""


class Refiner(nn.Module):
    """Features, damping per level and degree of freedom, and the search itself."""

    def __init__(
        self,
        kind: str = "unet",
        strides: Sequence[int] = (4, 2),
        config: RefineConfig | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        """Make a refiner.

        Args:
            kind: of the features, as ``make_features`` takes it.
            strides: of the levels, coarse to fine.
            config: of the search; None for the defaults.
            encoder: of the depth network, for ``kind`` encoder.

        Raises:
            ConfigError: no such features.
        """
        super().__init__()
        self.kind, self.strides = kind, tuple(strides)
        self.config = config or RefineConfig()
        self.features = make_features(kind, strides, encoder)
        low, high = DAMPING_RANGE
        share = (math.log10(self.config.damping) - low) / (high - low)
        start = torch.full((len(self.strides), 6), math.log(share / (1 - share)))
        self.damping_logit = nn.Parameter(start)

    def damping(self) -> Tensor:
        """Return the damping of the first step (levels, 6)."""
        low, high = DAMPING_RANGE
        return torch.pow(10.0, low + (high - low) * torch.sigmoid(self.damping_logit))

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) to resize an image to, aspect nearly kept.

        The finest level becomes as wide as the image, at most ``LEVEL_WIDTH``: an image that is
        small is enlarged by the finest stride. On rendered drives, 320 wide and with exact depth,
        that halved the errors of learned features, at strides 8, 4, 2, at least. The coarsest
        level has two rows and columns at least, whatever the image.
        """
        step = self.features.multiple
        scale = min(min(LEVEL_WIDTH, width) * min(self.strides), INPUT_WIDTH) / width
        least = 2 * max(self.strides)
        sizes = (pyramid.rounded(length * scale, step) for length in (height, width))
        rows, columns = (max(least, size) for size in sizes)
        return rows, columns

    def maps(self, image: Tensor) -> list[FeatureMap]:
        """Return the features of images (B, 3, H, W) in [0, 1], coarse to fine."""
        maps: list[FeatureMap] = self.features(image)
        return maps

    def forward(
        self, target: Tensor, source: Tensor, depth: Tensor, K: Tensor, T_src_tgt: Tensor
    ) -> Refinement:
        """Return the refined motion.

        Args:
            target: RGB (B, 3, H, W) in [0, 1].
            source: the other frame.
            depth: (B, 1, H, W) of the target, metres, 0 where unknown.
            K: intrinsics (B, 3, 3), pixels.
            T_src_tgt: first guess (B, 4, 4).
        """
        # One pass for both frames: the time of one call.
        both = self.maps(torch.cat([target, source]))
        pairs = [split(m) for m in both]
        return refine(make_levels(pairs, depth, K), T_src_tgt, self.config, self.damping())


def fixed_refiner() -> Refiner:
    """Return the refinement by features that need no training, ready for inference."""
    return Refiner("intensity", FIXED_STRIDES).eval()


def split(both: FeatureMap) -> tuple[FeatureMap, FeatureMap]:
    """Return the first and the second half of a batch of features."""
    a, b = both.features.chunk(2)
    if both.confidence is None:
        return FeatureMap(a, None), FeatureMap(b, None)
    c, d = both.confidence.chunk(2)
    return FeatureMap(a, c), FeatureMap(b, d)


def make_levels(
    pairs: Sequence[tuple[FeatureMap, FeatureMap]], depth: Tensor, K: Tensor
) -> list[Level]:
    """Return the levels of (target, source) features, with depth and intrinsics to match.

    Args:
        pairs: coarse to fine.
        depth: (B, 1, H, W) of the target, metres, 0 where unknown.
        K: intrinsics (B, 3, 3) at H x W, pixels.
    """
    shrunk = shrink([target for target, _ in pairs], depth, K)
    return [make_level(*pair, *at) for pair, at in zip(pairs, shrunk, strict=True)]


def shrink(maps: Sequence[FeatureMap], depth: Tensor, K: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return depth (B, 1, h, w) and intrinsics (B, 3, 3) at the size of each map.

    Args:
        maps: of the image that depth belongs to.
        depth: (B, 1, H, W), metres, 0 where unknown.
        K: intrinsics (B, 3, 3) at H x W, pixels.
    """
    height, width = depth.shape[2:]
    sizes = [m.features.shape[2:] for m in maps]
    return [
        (pyramid.shrink_depth(depth, (h, w)), projection.resized_K(K, w / width, h / height))
        for h, w in sizes
    ]


def make_level(target: FeatureMap, source: FeatureMap, depth: Tensor, K: Tensor) -> Level:
    """Return the level of two maps; depth (B, 1, h, w) and K (B, 3, 3) are the target's."""
    return Level(target.features, source.features, depth, K, target.confidence, source.confidence)
