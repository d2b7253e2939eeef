"""Two images to the motion between them (Godard et al. 2019, supplementary table 5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sdepth import se3
from sdepth.models.encoder import ResNetEncoder
from sdepth.shapes import check_shape


class PoseNet(nn.Module):
    """Motion network; parameter names are those of monodepth2's public weights."""

    def __init__(self, architecture: str = "tiny", output_scale: float = 0.01) -> None:
        """Make the network; outputs are multiplied by ``output_scale`` to start near no motion."""
        super().__init__()
        self.output_scale = output_scale
        self.encoder = ResNetEncoder(architecture, images=2)
        width = 256 if architecture == "resnet18" else 128
        self.net = nn.ModuleList(
            [
                nn.Conv2d(self.encoder.channels[-1], width, 1),
                nn.Conv2d(width, width, 3, padding=1),
                nn.Conv2d(width, width, 3, padding=1),
                nn.Conv2d(width, 12, 1),
            ]
        )

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
        x = self.encoder(torch.cat([earlier, later], 1))[-1]
        for layer in self.net[:-1]:
            x = torch.relu(layer(x))
        motion = self.output_scale * self.net[-1](x).mean((2, 3))
        # Twelve outputs for two motions, as in the public checkpoints; the first is this pair's.
        return se3.from_rotvec(motion[:, :3].float(), motion[:, 3:6].float())
