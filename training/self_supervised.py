"""The training step: images in, losses out. Video only, no labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdepth import se3
from sdepth.models.depth_net import DepthNet, disp_to_depth
from sdepth.models.pose_net import PoseNet
from sdepth.warp import warp
from training.losses import (
    LossConfig,
    is_known,
    min_reprojection,
    motion_loss,
    photometric_error,
    smoothness,
    speed_loss,
)

Batch = dict[str, Tensor]


class SelfSupervised(nn.Module):
    """Depth and pose networks under monodepth2's loss. Source: Godard et al. 2019, section 3."""

    def __init__(
        self,
        depth_net: DepthNet,
        pose_net: PoseNet,
        loss: LossConfig,
        depth_range_m: tuple[float, float],
    ) -> None:
        """Hold the networks and the loss weights."""
        super().__init__()
        self.depth_net, self.pose_net = depth_net, pose_net
        self.loss, self.depth_range_m = loss, depth_range_m

    def forward(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the losses (``total`` and its parts), and images worth looking at.

        Args:
            batch: from ``training.data.triplets``: ``images`` and ``inputs`` (B, 3, 3, H, W),
                frames t-1, t, t+1, as they are and colour-jittered; ``K`` (B, 3, 3);
                ``focal_scale`` (B,); ``motions`` (B, 2, 4, 4) T_before_now and T_after_now,
                metres, NaN where unknown; ``noise`` (B, 2, H, W).
        """
        inputs, images = batch["inputs"], batch["images"]
        disps = self.depth_net(inputs[:, 1], scales=self.loss.scales)
        T_before_now = se3.inverse(self.pose_net(inputs[:, 0], inputs[:, 1]))
        T_after_now = self.pose_net(inputs[:, 1], inputs[:, 2])
        motions = ((images[:, 0], T_before_now), (images[:, 2], T_after_now))
        with torch.autocast(images.device.type, enabled=False):
            disps = [disp.float() for disp in disps]
            losses, seen = self._losses(batch, disps, motions)
        return losses, {"image": images[:, 1], "disp": disps[0], **seen}

    def _losses(
        self, batch: Batch, disps: list[Tensor], motions: tuple[tuple[Tensor, Tensor], ...]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return losses and panels of disparities and source images with their motion."""
        target, T_true = batch["images"][:, 1], batch["motions"]
        T_all, T_all_true = (
            torch.cat([T for _, T in motions]),
            T_true.transpose(0, 1).flatten(0, 1),
        )
        if self.loss.known_motion:
            motions = tuple(
                (source, torch.where(is_known(true)[:, None, None], true.nan_to_num(), T))
                for (source, T), true in zip(motions, T_true.unbind(1), strict=True)
            )
        height, width = target.shape[2:]
        focal_scale = batch["focal_scale"].view(-1, 1, 1, 1)
        identity = noise = None
        if self.loss.auto_mask:
            weight = self.loss.ssim_weight
            pairs = [photometric_error(source, target, weight) for source, _ in motions]
            identity, noise = torch.cat(pairs, 1), batch["noise"]
        photo = smooth = torch.zeros((), device=target.device)
        panels: dict[str, Tensor] = {}
        for s, disp in enumerate(disps):
            full = disp if s == 0 else F.interpolate(disp, (height, width), mode="bilinear")
            depth = disp_to_depth(full, self.depth_range_m, focal_scale)
            warped = [warp(source, depth, T, batch["K"])[0] for source, T in motions]
            errors = [photometric_error(w, target, self.loss.ssim_weight) for w in warped]
            photo = photo + min_reprojection(torch.cat(errors, 1), identity, noise)
            small = target if s == 0 else F.interpolate(target, disp.shape[2:], mode="area")
            smooth = smooth + smoothness(disp, small) / 2**s
            if s == 0:
                panels = {"warped": warped[0], "error": errors[0]}
        n = len(disps)
        losses = {"photometric": photo / n, "smoothness": smooth / n}
        losses["total"] = losses["photometric"] + self.loss.smooth_weight * losses["smoothness"]
        if self.loss.speed_weight > 0:
            losses["speed"] = speed_loss(T_all, T_all_true)
            losses["total"] = losses["total"] + self.loss.speed_weight * losses["speed"]
        if self.loss.motion_weight > 0:
            losses["motion"] = motion_loss(T_all, T_all_true)
            losses["total"] = losses["total"] + self.loss.motion_weight * losses["motion"]
        return losses, panels
