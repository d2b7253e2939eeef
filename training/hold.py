"""Depth taught where a drive itself says it, and held to the starting network's elsewhere.

A network that has learned from true depth knows more about bare road, sky and what drives along
than the images of one drive do; where they are sure of a depth, it is learned.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sdepth.alignment.refiner import Refiner
from sdepth.geometry import se3
from sdepth.models.depth_net import DepthNet, disp_to_depth
from sdepth.models.pose_net import MotionNet
from training.losses.photometric import mean_of, motion_loss
from training.step_output import StepOutput


@dataclass(frozen=True)
class HoldConfig:
    """How a network goes on from where it started, on drives with triangulated depth.

    Attributes:
        weight: of the difference of log depth to the starting network's where the drive says
            nothing, against 1 of that to what it says elsewhere; 0 for other ways to train.
        motion_weight: of the pose network's error against the drive's motion.
    """

    weight: float = 0.0
    motion_weight: float = 0.1


class Held(nn.Module):
    """A depth and a pose network that learn what a drive says, and keep what they knew."""

    def __init__(
        self,
        depth_net: DepthNet,
        pose_net: MotionNet,
        refiner: Refiner | None,
        config: HoldConfig,
        depth_range_m: tuple[float, float],
        clips: bool = False,
    ) -> None:
        """Hold the networks, and a copy of ``depth_net`` as it is now.

        Args:
            depth_net: of the middle frame.
            pose_net: motion of two frames.
            refiner: only carried along.
            config: weights.
            depth_range_m: nearest and farthest depth.
            clips: predict all three frames, for a discriminator that judges clips.
        """
        super().__init__()
        self.depth_net, self.pose_net, self.refiner = depth_net, pose_net, refiner
        self.config, self.depth_range_m, self.clips = config, depth_range_m, clips
        self.start = copy.deepcopy(depth_net).requires_grad_(False).eval()
        self.average: DepthNet | None = None  # of the depth network's weights over steps

    def train(self, mode: bool = True) -> Held:
        """Set the networks' mode; the starting network stays as it was."""
        super().train(mode)
        self.start.eval()
        return self

    def forward(self, batch: dict[str, Tensor], step: int = 0) -> StepOutput:
        """Return the losses of a batch, the disparities they came of, and pictures.

        Args:
            batch: as ``SelfSupervised.forward`` takes it; and ``depth`` (B, 1, H, W) of the middle
                frame, metres, 0 where unknown.
            step: of the run.
        """
        inputs, images = batch["inputs"], batch["images"]
        disp = self.depth_net(inputs[:, 1], scales=1)[0].float()
        log = self._log(disp, batch)
        known = batch["depth"] > 0
        true = batch["depth"].clamp(min=1e-3).log()
        error = (log - true).abs() * known
        with torch.no_grad():
            before = self._log(self.start(inputs[:, 1], scales=1)[0].float(), batch)
        away = mean_of((log - before).abs(), ~known)
        # The pose network takes frames in the order of time, so the first motion is turned round.
        T_before_now = se3.inverse(self.pose_net(inputs[:, 0], inputs[:, 1]))
        T_src_now = torch.stack([T_before_now, self.pose_net(inputs[:, 1], inputs[:, 2])], 1)
        motion = motion_loss(T_src_now.flatten(0, 1), batch["motions"].flatten(0, 1))

        h = self.config
        losses = {"depth": mean_of(error, known), "hold": away, "motion": motion}
        losses["total"] = losses["depth"] + h.weight * away + h.motion_weight * motion
        clip = torch.cat([disp] * 3, 1)
        if self.clips:
            both = inputs[:, ::2].transpose(0, 1).flatten(0, 1)
            earlier, later = self.depth_net(both, scales=1)[0].float().chunk(2)
            clip = torch.cat([earlier, disp, later], 1)
        pictures = {"image": images[:, 1], "warped": inputs[:, 1], "error": error.detach()}
        return StepOutput(losses, disp, clip, pictures)

    def _log(self, disp: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Return the logarithm of the depth, metres, of disparities."""
        focal = batch["focal_scale"].view(-1, 1, 1, 1)
        return disp_to_depth(disp, self.depth_range_m, focal).log()
