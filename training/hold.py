"""Depth held to the network it started from, where the images themselves say nothing about it.

Self-supervision moves depth wherever a loss lets it: on bare road and sky, in the direction of
travel, on what drives along with the camera. There a network that has learned from true depth
knows more than the images of one drive do, so depth may leave it only where they object.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdepth.geometry.warp import warp
from sdepth.models.depth_net import DepthNet, disp_to_depth
from training.losses.photometric import mean_of

STEP = 1.2
"""Depth is tried farther and nearer by this factor: does the warped image change?"""


@dataclass(frozen=True)
class HoldConfig:
    """How depth is held to the starting network's; off unless a weight is more than 0.

    Attributes:
        weight: of the difference of log depths where images say nothing.
        anywhere: share of it that counts where they do.
        scale_weight: of the mean difference of a batch, which is its scale.
        signal: change of the warped image (0..1) from which on the images decide.
    """

    weight: float = 0.0
    anywhere: float = 0.1
    scale_weight: float = 0.0
    signal: float = 0.02

    @property
    def on(self) -> bool:
        """Whether anything is held."""
        return max(self.weight, self.scale_weight) > 0


class Hold(nn.Module):
    """The starting network, frozen, and how far depth may go from its depth."""

    def __init__(self, config: HoldConfig, depth_net: DepthNet) -> None:
        """Keep a copy of ``depth_net`` as it is now."""
        super().__init__()
        self.config = config
        self.start = copy.deepcopy(depth_net).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Hold:
        """Set the mode of nothing: the starting network stays as it was."""
        return super().train(False)

    def forward(
        self, inputs: Tensor, disp: Tensor, depth_range_m: tuple[float, float], void: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return how far depth is from where it started, and by how much it is larger on average.

        Args:
            inputs: images (B, 3, H, W) in [0, 1], as the network saw them.
            disp: its disparity (B, 1, H, W).
            depth_range_m: nearest and farthest depth of both networks.
            void: (B, 1, H, W), 1 where the images say nothing about depth, 0 where they do.
        """
        with torch.no_grad():
            before = disp_to_depth(self.start(inputs, scales=1)[0].float(), depth_range_m).log()
        change = disp_to_depth(disp, depth_range_m).log() - before
        scale = change.mean()
        share = self.config.anywhere
        if self.config.scale_weight == 0:  # another loss knows metres; shape alone is held
            change = change - scale.detach()
        return mean_of(change.abs(), share + (1 - share) * void), scale.abs()


@torch.no_grad()
def find_void(
    images: Tensor, depth: Tensor, T_src_now: Tensor, K: Tensor, kept: Tensor, signal: float
) -> Tensor:
    """Return where images say nothing about depth (B, 1, H, W), 1 to 0.

    That is where the sources warped by a larger and by a smaller depth look alike: no texture
    along the way the pixel would go, or no way to go; and where the auto-mask holds.

    Args:
        images: (B, 3, 3, H, W), frames t-1, t, t+1.
        depth: (B, 1, H, W) of the middle frame, metres.
        T_src_now: (B, 2, 4, 4).
        K: intrinsics (B, 3, 3), pixels.
        kept: (B, 1, H, W) bool, what the auto-mask leaves.
        signal: change from which on they say enough.
    """
    changes = (signal_of(images[:, 2 * i], depth, T_src_now[:, i], K) for i in (0, 1))
    change = torch.maximum(*changes)
    return torch.where(kept, 1 - (change / signal).clamp(max=1), torch.ones_like(change))


@torch.no_grad()
def signal_of(image_src: Tensor, depth: Tensor, T_src_now: Tensor, K: Tensor) -> Tensor:
    """Return how much the warped image changes around a pixel as its depth does (B, 1, H, W).

    Args:
        image_src: (B, 3, H, W) in [0, 1].
        depth: (B, 1, H, W) of the other frame, metres.
        T_src_now: (B, 4, 4).
        K: intrinsics (B, 3, 3), pixels.
    """
    far, near = (warp(image_src, depth * step, T_src_now, K)[0] for step in (STEP, 1 / STEP))
    return F.avg_pool2d((far - near).abs().mean(1, keepdim=True), 5, 1, 2)
