"""Pose networks: two images to the relative motion between them."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from sdepth.errors import ConfigError
from sdepth.geometry import se3
from sdepth.models.encoder import ARCHITECTURES, MEAN, STD, ResNetEncoder
from sdepth.shapes import check_shape

POSE_ARCHITECTURES = (*ARCHITECTURES, "posecnn")
"""What ``make_pose_net`` takes."""


class MotionNet(nn.Module):
    """Base of the pose networks: the output, scaled to start near zero, as a transform."""

    net: nn.ModuleList
    """Layers after ``see``; the last one's outputs are a rotation vector and a translation."""

    def __init__(self, output_scale: float) -> None:
        """Multiply outputs by ``output_scale``, to start near no motion."""
        super().__init__()
        self.output_scale = output_scale

    def see(self, pair: Tensor) -> Tensor:
        """Return the input of ``net`` for two stacked images (B, 6, H, W) in [0, 1]."""
        raise NotImplementedError

    def start_at(self, forward_m: float) -> None:
        """Set the output bias so that an untrained network answers "straight ahead".

        Without it the sign of the motion is found by chance, and flat, far depth, which excuses
        any motion, may be found first.
        """
        with torch.no_grad():
            self.net[-1].bias[5] = -forward_m / self.output_scale  # type: ignore[operator]

    def forward(self, earlier: Tensor, later: Tensor) -> Tensor:
        """Return T_later_earlier (B, 4, 4): maps points seen in the earlier frame into the later.

        Args:
            earlier: RGB (B, 3, H, W) in [0, 1].
            later: the next frame; the network is always fed in order of time.
        """
        check_shape("earlier", earlier, "B 3 H W")
        motion = self.motion(torch.cat([earlier, later], 1)).float()
        return se3.from_rotvec(motion[:, :3], motion[:, 3:])

    def motion(self, pair: Tensor) -> Tensor:
        """Return rotation vector and translation (B, 6) of two images (B, 6, H, W) in [0, 1]."""
        x = self.see(pair)
        for layer in self.net[:-1]:
            x = torch.relu(layer(x))
        motion: Tensor = self.output_scale * self.net[-1](x).mean((2, 3))
        return motion[:, :6]


class PoseNet(MotionNet):
    """Residual motion network; parameter names are those of monodepth2's public weights.

    Source: Godard et al. 2019, supplementary table 5.
    """

    def __init__(self, architecture: str = "tiny", output_scale: float = 0.01) -> None:
        """Make the network on a residual encoder."""
        super().__init__(output_scale)
        self.encoder = ResNetEncoder(architecture, images=2)
        width = 256 if architecture == "resnet18" else 128
        self.net = nn.ModuleList(
            [
                nn.Conv2d(self.encoder.channels[-1], width, 1),
                nn.Conv2d(width, width, 3, padding=1),
                nn.Conv2d(width, width, 3, padding=1),
                # Twelve outputs for two motions, as in the public weights; this pair's is first.
                nn.Conv2d(width, 12, 1),
            ]
        )

    def see(self, pair: Tensor) -> Tensor:
        """Return the encoder's last features (B, C, H / 32, W / 32)."""
        features: list[Tensor] = self.encoder(pair)
        return features[-1]


class PoseCNN(MotionNet):
    """Seven plain convolutions, each of stride 2, and a last layer for the motion (1.6 M).

    Source: Zhou et al. 2017, section 3.5, without the branch that explains away moving things.
    """

    CHANNELS = (16, 32, 64, 128, 256, 256, 256)
    KERNELS = (7, 5, 3, 3, 3, 3, 3)

    def __init__(self, output_scale: float = 0.01) -> None:
        """Make the network."""
        super().__init__(output_scale)
        ends = zip(pairwise((6, *self.CHANNELS)), self.KERNELS, strict=True)
        layers: list[nn.Module] = [nn.Conv2d(a, b, k, 2, k // 2) for (a, b), k in ends]
        for layer in layers:  # without normalisation, PyTorch's own start fades layer by layer
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore[arg-type]
        self.net = nn.ModuleList([*layers, nn.Conv2d(self.CHANNELS[-1], 6, 1)])

    def see(self, pair: Tensor) -> Tensor:
        """Return the images normalised by ``MEAN`` and ``STD``."""
        return (pair - MEAN) / STD


def make_pose_net(architecture: str, output_scale: float = 0.01) -> MotionNet:
    """Return the motion network named, one of ``POSE_ARCHITECTURES``.

    Raises:
        ConfigError: no such network.
    """
    if architecture not in POSE_ARCHITECTURES:
        raise ConfigError(f"pose {architecture!r}: expected one of {[*POSE_ARCHITECTURES]}")
    if architecture == "posecnn":
        return PoseCNN(output_scale)
    return PoseNet(architecture, output_scale)
