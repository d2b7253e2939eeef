"""What odometry asks of networks, as graphs that engines run: features, and first guesses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdepth.engines.graph import Graph, fuse
from sdepth.models.feature_net import FeatureUNet, read_head
from sdepth.models.pose_net import MotionNet


class FeatureGraph(Graph):
    """Learned features of images of any size; brightness is evened out before, in fp32.

    A convolution over what was enlarged is a transposed one over what was not: half the work, the
    same answers.
    """

    INPUTS = ("even",)
    AXES = ("batch", None, "height", "width")

    def __init__(self, net: FeatureUNet, size: tuple[int, int]) -> None:
        """Take the layers of a network.

        Args:
            net: ready for inference.
            size: (height, width) of the example.
        """
        super().__init__()
        self.net, self._size = net, size
        self.OUTPUTS = tuple(f"{what}_{s}" for s in net.strides for what in ("features", "trust"))
        halves = [_split(up) for up in net.up if isinstance(up, nn.Conv2d)]
        self.below, self.beside = (nn.ModuleList(half) for half in zip(*halves, strict=True))

    def example(self, count: int) -> tuple[Tensor, ...]:
        """Return inputs of a batch of ``count``."""
        return (torch.zeros(count, 1, *self._size),)

    def forward(self, even: Tensor) -> tuple[Tensor, ...]:
        """Return features (B, h, w, C) and their confidence (B, h, w, 1) per stride.

        Args:
            even: (B, 1, H, W), as ``pyramid.normalise`` returns it.
        """
        dtype = next(self.net.parameters()).dtype
        skips = self.net.descend(even.to(dtype))
        x, heads, found = skips[-1], iter(self.net.heads), []
        parts = zip((8, 4, 2), skips[2::-1], self.below, self.beside, strict=False)
        for stride, skip, below, beside in parts:
            x = F.relu(below(x) + beside(skip))
            if stride in self.net.strides:
                seen = read_head(next(heads), x)
                found += [seen.features, seen.confidence]
        return tuple(x.permute(0, 2, 3, 1).float() for x in found if x is not None)


class PoseGraph(Graph):
    """A pose network: two images of bytes to the motion between them."""

    INPUTS = ("earlier", "later")
    OUTPUTS = ("motion",)
    AXES = ("batch",)

    def __init__(self, net: MotionNet, size: tuple[int, int]) -> None:
        """Fold the network's normalisation in; its answers stay the same.

        Args:
            net: ready for inference.
            size: (height, width) of its images.
        """
        super().__init__()
        self.net, self._size = fuse(net), size

    def example(self, count: int) -> tuple[Tensor, ...]:
        """Return inputs of a batch of ``count``."""
        image = torch.zeros(count, *self._size, 3, dtype=torch.uint8)
        return image, image

    def forward(self, earlier: Tensor, later: Tensor) -> Tensor:
        """Return a rotation vector and a translation (B, 6) of T_later_earlier.

        Args:
            earlier: RGB (B, h, w, 3), uint8.
            later: the next frame.
        """
        dtype = next(self.net.parameters()).dtype
        pair = torch.cat([earlier, later], 3).permute(0, 3, 1, 2)  # a view: channels_last
        return self.net.motion((pair.float() / 255).to(dtype)).float()


def _split(up: nn.Conv2d) -> tuple[nn.ConvTranspose2d, nn.Conv2d]:
    """Return what a convolution of (enlarged twofold, skip) does to the small one, and to skip."""
    weight, width = up.weight.detach(), up.out_channels
    deep = up.in_channels - width
    below = nn.ConvTranspose2d(deep, width, 4, 2, 1, bias=False)
    beside = nn.Conv2d(width, width, 3, padding=1)
    # Each tap of the convolution reads one small pixel or its neighbour, as the side of its own.
    spread = torch.tensor([[0.0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])
    taps = torch.einsum("oiyx,ay,bx->ioab", weight[:, :deep], spread, spread)
    below.weight.data, beside.weight.data = taps, weight[:, deep:].clone()
    if up.bias is not None and beside.bias is not None:
        beside.bias.data = up.bias.detach().clone()
    return below, beside
