"""The training step: images in, losses out. Video only, no labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdepth.alignment.refiner import Refiner
from sdepth.geometry import se3
from sdepth.geometry.warp import warp
from sdepth.models.depth_net import DepthNet, disp_to_depth
from sdepth.models.pose_net import MotionNet
from training.feature_alignment import alignment_losses
from training.losses.consistency import geometry_loss, projection_loss
from training.losses.night_photometry import NightConfig, StaticMask, enhance
from training.losses.photometric import (
    LossConfig,
    is_known,
    min_reprojection,
    motion_loss,
    photometric_error,
    smoothness,
    speed_loss,
)
from training.refinement import Refined, RefineTraining, refine_motions

Batch = dict[str, Tensor]


class SelfSupervised(nn.Module):
    """Depth and pose networks under monodepth2's loss. Source: Godard et al. 2019, section 3."""

    def __init__(
        self,
        depth_net: DepthNet,
        pose_net: MotionNet,
        loss: LossConfig,
        depth_range_m: tuple[float, float],
        refiner: Refiner | None = None,
        refining: RefineTraining | None = None,
        night: NightConfig | None = None,
        clips: bool = False,
    ) -> None:
        """Hold the networks, the loss weights, and how motions are refined and nights are lit.

        Args:
            depth_net: of the middle frame; of its neighbours too where a loss asks for it.
            pose_net: motion of two frames.
            loss: weights.
            depth_range_m: nearest and farthest depth.
            refiner: features and search, where motions are refined.
            refining: what refined motions are for.
            night: how images are prepared for the losses; the networks see them as they are.
            clips: always predict all three frames, for a discriminator that judges clips.
        """
        super().__init__()
        self.depth_net, self.pose_net, self.refiner = depth_net, pose_net, refiner
        self.loss, self.depth_range_m = loss, depth_range_m
        self.refining, self.night = refining or RefineTraining(), night or NightConfig()
        share, momentum = self.night.static_quantile, self.night.static_momentum
        self.static_mask = StaticMask(share, momentum) if share > 0 else None
        self.clips = clips
        self.average: DepthNet | None = None  # of the depth network's weights over steps

    def forward(self, batch: Batch, step: int = 0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the losses (``total`` and its parts), and images worth looking at.

        Args:
            batch: from ``training.data.triplets``: ``images`` and ``inputs`` (B, 3, 3, H, W),
                frames t-1, t, t+1, as they are and colour-jittered; ``K`` (B, 3, 3);
                ``focal_scale`` (B,); ``motions`` (B, 2, 4, 4) T_before_now and T_after_now,
                metres, NaN where unknown; ``noise`` (B, 2, H, W).
            step: of the run; the refinement waits for its warm-up.
        """
        if self.refiner is not None and self.refining.only:
            losses, panels = alignment_losses(self.refiner, batch, step)
            return losses, {"disp": torch.zeros_like(panels["error"]), **panels}
        inputs, images = batch["inputs"], batch["images"]
        if self.night.enhance:
            lit = enhance(images, self.night.enhance, self.night.clip_limit)
            batch = {**batch, "images": lit}
        disps = [d.float() for d in self.depth_net(inputs[:, 1], scales=self.loss.scales)]
        loss = self.loss
        pairs = self.clips or loss.geometry_weight > 0 or loss.projection_weight > 0
        others = self._disps_of_sources(batch) if pairs else []
        T_before_now = se3.inverse(self.pose_net(inputs[:, 0], inputs[:, 1]))
        T_after_now = self.pose_net(inputs[:, 1], inputs[:, 2])
        with torch.autocast(images.device.type, enabled=False):
            depths = [self._depth(disp, batch) for disp in disps]
            T_src_now = torch.stack([T_before_now, T_after_now], 1)
            refined = None
            if self.refiner is not None and step >= self.refining.warmup_steps:
                refined = refine_motions(self.refiner, batch, depths[0], T_src_now, self.refining)
            losses, seen = self._losses(batch, disps, depths, T_src_now, refined)
            self._agree(losses, depths[0], others, seen, batch)
        now = disps[0]
        clip = torch.cat([others[0], now, others[1]] if others else [now] * 3, 1)
        return losses, {"image": images[:, 1], "disp": now, "clip": clip, **seen}

    def _depth(self, disp: Tensor, batch: Batch) -> Tensor:
        """Return the full-size depth of disparities of any scale."""
        size = batch["images"].shape[3:]
        full = disp if disp.shape[2:] == size else F.interpolate(disp, size, mode="bilinear")
        return disp_to_depth(full, self.depth_range_m, batch["focal_scale"].view(-1, 1, 1, 1))

    def _disps_of_sources(self, batch: Batch) -> list[Tensor]:
        """Return the disparities of the frames before and after."""
        both = self.depth_net(batch["inputs"][:, ::2].transpose(0, 1).flatten(0, 1), scales=1)[0]
        return list(both.float().chunk(2))

    def _agree(
        self,
        losses: dict[str, Tensor],
        depth: Tensor,
        disps_src: list[Tensor],
        seen: dict[str, Tensor],
        batch: Batch,
    ) -> None:
        """Add what the depths of neighbouring frames owe each other to the losses."""
        T_src_now, K, loss = seen["motions"], batch["K"], self.loss
        depths = [self._depth(disp, batch) for disp in disps_src]
        if loss.geometry_weight > 0:
            losses["geometry"] = geometry_loss(depth, depths, T_src_now, K)
            losses["total"] = losses["total"] + loss.geometry_weight * losses["geometry"]
        if loss.projection_weight > 0:
            losses["projection"] = projection_loss(
                depth, depths, T_src_now, K, loss.projection_normalized, seen["kept"]
            )
            losses["total"] = losses["total"] + loss.projection_weight * losses["projection"]

    def _losses(
        self,
        batch: Batch,
        disps: list[Tensor],
        depths: list[Tensor],
        T_src_now: Tensor,
        refined: Refined | None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return losses and panels of disparities and motions (B, 2, 4, 4)."""
        target, T_true, loss = batch["images"][:, 1], batch["motions"], self.loss
        T_warp = refined.T_src_now if refined else T_src_now
        if loss.known_motion:
            known = is_known(T_true.flatten(0, 1)).view(*T_true.shape[:2], 1, 1)
            T_warp = torch.where(known, T_true.nan_to_num(), T_warp)
        identity = self._identity(batch) if loss.auto_mask else None
        photo, panels = self._photometric(batch, depths, T_warp, identity)
        if refined and (share := self.refining.initial_weight) > 0:
            initial, _ = self._photometric(batch, depths[:1], T_src_now, identity)
            photo = (1 - share) * photo + share * initial
        pairs = (
            (disp, target if s == 0 else F.interpolate(target, disp.shape[2:], mode="area"))
            for s, disp in enumerate(disps)
        )
        terms = (smoothness(d, image) / 2**s for s, (d, image) in enumerate(pairs))
        smooth = sum(terms, torch.zeros((), device=target.device))
        losses = {"photometric": photo, "smoothness": smooth / len(disps)}
        losses["total"] = losses["photometric"] + loss.smooth_weight * losses["smoothness"]
        # Only where depth learns from the refined motion may the vehicle's motion bear on it.
        free = [T_src_now]
        if refined and self.refining.attach_depth:
            free.append(refined.T_src_now)
        T_free, T_free_true = torch.cat(free), torch.cat([T_true] * len(free))
        for name, weight, term in (
            ("speed", loss.speed_weight, speed_loss),
            ("motion", loss.motion_weight, motion_loss),
        ):
            if weight > 0:
                losses[name] = term(T_free.flatten(0, 1), T_free_true.flatten(0, 1))
                losses["total"] = losses["total"] + weight * losses[name]
        if refined:
            losses["total"] = losses["total"] + refined.penalty
            losses |= refined.reports
        return losses, {**panels, "motions": T_warp}

    def _identity(self, batch: Batch) -> Tensor:
        """Return the errors (B, 2, H, W) of the sources as they are."""
        images, weight = batch["images"], self.loss.ssim_weight
        pairs = [photometric_error(images[:, i], images[:, 1], weight) for i in (0, 2)]
        errors = torch.cat(pairs, 1)
        return errors if self.static_mask is None else errors * self.static_mask(images)

    def _photometric(
        self, batch: Batch, depths: list[Tensor], T_src_now: Tensor, identity: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the photometric loss over scales, and panels of the finest."""
        images, total = batch["images"], torch.zeros((), device=T_src_now.device)
        panels: dict[str, Tensor] = {}
        for depth in depths:
            warped = [
                warp(images[:, 2 * i], depth, T_src_now[:, i], batch["K"])[0] for i in (0, 1)
            ]
            errors = [photometric_error(w, images[:, 1], self.loss.ssim_weight) for w in warped]
            error, kept = min_reprojection(torch.cat(errors, 1), identity, batch["noise"])
            total = total + error
            panels = panels or {"warped": warped[0], "error": errors[0], "kept": kept}
        return total / len(depths), panels
