"""Networks that tell the day model's disparity from the night model's: what night depth obeys.

``patch`` is the prior of RNW (Wang et al. 2021), one frame; ``clip`` is ours after the abstract of
DASP (Huang et al. 2025), three frames. At one width they have about as many parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sdepth.errors import ConfigError
from sdepth.shapes import check_shape
from training.prior.discriminator_blocks import FRAMES, HEADS, SLOPE, TEMPORAL, PriorsBlock

DISCRIMINATORS = ("patch", "clip")

ATTENTION_STRIDE = 8
"""At which the clip's blocks attend, or coarser: any finer and that is most of their time."""


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Which discriminator, and its parts.

    Attributes:
        kind: patch, RNW's PatchGAN on the middle frame, or clip, four blocks on three frames.
        width: channels of the first stage, doubled at each next one up to 8 times.
        temporal: what the clip's blocks call change: planes, central, shifts, plain; "" for none.
        spatial: whether the clip's blocks see along rows and columns.
    """

    kind: str = "clip"
    width: int = 64
    temporal: str = "planes"
    spatial: bool = True

    def __post_init__(self) -> None:
        """Refuse what no discriminator can be made of.

        Raises:
            ConfigError: names the key, what it got and what it takes.
        """
        temporal = [*TEMPORAL, ""]
        checks = {
            "kind": (self.kind, self.kind in DISCRIMINATORS, f"one of {[*DISCRIMINATORS]}"),
            "temporal": (self.temporal, self.temporal in temporal, f"one of {temporal}"),
            "width": (
                self.width,
                self.width > 0 and self.width % (2 * HEADS) == 0,
                f"a multiple of {2 * HEADS}",
            ),
        }
        for key, (got, fine, expected) in checks.items():
            if not fine:
                raise ConfigError(f"discriminator.{key}: got {got!r}, expected {expected}")


class PatchDiscriminator(nn.Module):
    """RNW's: the PatchGAN of pix2pix (Isola et al. 2017) on the middle frame's prior maps."""

    def __init__(self, width: int) -> None:
        """Start with ``width`` channels."""
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(SLOPE)]
        for channels, stride in ((width, 2), (2 * width, 2), (4 * width, 1)):
            layers += _stage(channels, 2 * channels, 4, stride)
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))
        self.apply(_initialise)

    def forward(self, clip: Tensor) -> Tensor:
        """Return logits (B, 1, h, w), day high, of disparities (B, 3, H, W)."""
        check_shape("clip", clip, f"B {FRAMES} H W")
        middle = FRAMES // 2
        return self.layers(prior_maps(clip[:, middle : middle + 1]).squeeze(2))


class ClipDiscriminator(nn.Module):
    """Four stages, each half the size and followed by a block that sees space and time.

    3x3 convolutions where PatchGAN has 4x4 pay for the blocks: the sizes stay comparable.
    """

    def __init__(self, width: int, temporal: str, spatial: bool) -> None:
        """Start with ``width`` channels; the rest as in ``DiscriminatorConfig``."""
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for stride in (2, 4, 8, 16):
            channels = width * stride // 2
            cell = max(ATTENTION_STRIDE // stride, 1)
            stage = nn.Sequential(*_stage(before, channels, 3, 2)).apply(_initialise)
            layers += [stage, PriorsBlock(channels, temporal, spatial, cell)]
            before = channels
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 1, 3, 1, 1).apply(_initialise))

    def forward(self, clip: Tensor) -> Tensor:
        """Return logits (B, 1, h, w), day high, the mean over frames of (B, 3, H, W)."""
        check_shape("clip", clip, f"B {FRAMES} H W")
        logits = self.layers(prior_maps(clip).transpose(1, 2).flatten(0, 1))
        return logits.unflatten(0, (-1, FRAMES)).mean(1)


def make_discriminator(config: DiscriminatorConfig) -> nn.Module:
    """Return the discriminator of ``config``: disparities (B, 3, H, W) to logits (B, 1, h, w).

    The disparities are the depth network's, raw, of the frames t-1, t, t+1.
    """
    if config.kind == "patch":
        return PatchDiscriminator(config.width)
    return ClipDiscriminator(config.width, config.temporal, config.spatial)


def prior_maps(clip: Tensor) -> Tensor:
    """Return what a discriminator sees, (B, 3, T, H, W): relative disparity, row and column.

    Each frame's disparity is divided by its own mean, so that its scale is no cue; rows and
    columns run from 0 to 1, because what is plausible depends on where.

    Args:
        clip: disparities (B, T, H, W), positive, of T frames.

    Raises:
        ShapeError: clip has another number of dimensions.

    Source: Wang et al. 2021 (RNW), the priors-based regularisation.
    """
    size = check_shape("clip", clip, "B T H W")
    clip = clip.float()
    relative = clip / clip.mean((2, 3), keepdim=True).clamp(min=1e-6)
    row, column = (torch.linspace(0, 1, size[n], device=clip.device) for n in "HW")
    return torch.stack(
        [relative, row[:, None].expand_as(relative), column.expand_as(relative)], dim=1
    )


def _stage(before: int, channels: int, kernel: int, stride: int) -> list[nn.Module]:
    """Return a convolution, its norm and its rectifier."""
    conv = nn.Conv2d(before, channels, kernel, stride, 1)
    return [conv, nn.InstanceNorm2d(channels), nn.LeakyReLU(SLOPE)]


def _initialise(module: nn.Module) -> None:
    """Start as pix2pix does (Isola et al. 2017); the blocks keep what suits their fan-in."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
