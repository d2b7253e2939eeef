"""The training step: images in, losses out. Video only, no labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdepth.alignment.refiner import Refiner
from sdepth.geometry import se3
from sdepth.geometry.warp import warp
from sdepth.models.depth_net import DepthNet, disp_to_depth
from sdepth.models.pose_net import MotionNet
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
from training.step_output import Losses, StepOutput

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Photometric:
    """The photometric loss of one set of motions.

    Attributes:
        loss: mean over scales.
        warped: the frame before, seen from now (B, 3, H, W), at the finest scale.
        error: of that, per pixel (B, 1, H, W).
        kept: (B, 1, H, W) bool: pixels that count, at the finest scale.
    """

    loss: Tensor
    warped: Tensor
    error: Tensor
    kept: Tensor


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

    def forward(self, batch: Batch, step: int = 0) -> StepOutput:
        """Return the losses of a batch, the disparities they came of, and pictures.

        Args:
            batch: from ``training.data.triplets``: ``images`` and ``inputs`` (B, 3, 3, H, W),
                frames t-1, t, t+1, as they are and colour-jittered; ``K`` (B, 3, 3);
                ``focal_scale`` (B,); ``motions`` (B, 2, 4, 4) T_before_now and T_after_now,
                metres, NaN where unknown; ``noise`` (B, 2, H, W).
            step: of the run; the refinement waits for its warm-up.
        """
        inputs, images, loss = batch["inputs"], batch["images"], self.loss
        # Nights are made brighter for the losses; the networks see them as they are.
        if self.night.enhance:
            lit = enhance(images, self.night.enhance, self.night.clip_limit)
            batch = {**batch, "images": lit}

        # Depth now, and of the frames before and after where a loss compares them.
        disps = [d.float() for d in self.depth_net(inputs[:, 1], scales=loss.scales)]
        compared = self.clips or loss.geometry_weight > 0 or loss.projection_weight > 0
        others = self._disps_of_sources(batch) if compared else []

        # The pose network takes frames in the order of time, so the first motion is turned round.
        T_before_now = se3.inverse(self.pose_net(inputs[:, 0], inputs[:, 1]))
        T_after_now = self.pose_net(inputs[:, 1], inputs[:, 2])

        with torch.autocast(images.device.type, enabled=False):
            depths = [self._depth(disp, batch) for disp in disps]
            T_src_now = torch.stack([T_before_now, T_after_now], 1)

            # Motions that fit the depth: where warm-up is over, they warp in place of those.
            refined = None
            if self.refiner is not None and step >= self.refining.warmup_steps:
                refined = refine_motions(self.refiner, batch, depths[0], T_src_now, self.refining)
            T_warp = self._motions_to_warp_by(T_src_now, refined, batch["motions"])

            # What the images say, what the motions say, what depths of neighbours say.
            losses, photo = self._image_losses(batch, disps, depths, T_src_now, T_warp, refined)
            self._add_motion_losses(losses, T_src_now, refined, batch["motions"])
            self._add_consistency(losses, depths[0], others, T_warp, photo.kept, batch)

        now = disps[0]
        clip = torch.cat([others[0], now, others[1]] if others else [now] * 3, 1)
        pictures = {"image": images[:, 1], "warped": photo.warped, "error": photo.error}
        return StepOutput(losses, now, clip, pictures)

    def _depth(self, disp: Tensor, batch: Batch) -> Tensor:
        """Return the full-size depth of disparities of any scale."""
        size = batch["images"].shape[3:]
        full = disp if disp.shape[2:] == size else F.interpolate(disp, size, mode="bilinear")
        return disp_to_depth(full, self.depth_range_m, batch["focal_scale"].view(-1, 1, 1, 1))

    def _disps_of_sources(self, batch: Batch) -> list[Tensor]:
        """Return the disparities of the frames before and after."""
        both = self.depth_net(batch["inputs"][:, ::2].transpose(0, 1).flatten(0, 1), scales=1)[0]
        return list(both.float().chunk(2))

    def _motions_to_warp_by(
        self, T_src_now: Tensor, refined: Refined | None, T_true: Tensor
    ) -> Tensor:
        """Return the motions (B, 2, 4, 4) that images are compared under."""
        T_warp = refined.T_src_now if refined else T_src_now
        if not self.loss.known_motion:
            return T_warp
        known = is_known(T_true.flatten(0, 1)).view(*T_true.shape[:2], 1, 1)
        return torch.where(known, T_true.nan_to_num(), T_warp)

    def _image_losses(
        self,
        batch: Batch,
        disps: list[Tensor],
        depths: list[Tensor],
        T_src_now: Tensor,
        T_warp: Tensor,
        refined: Refined | None,
    ) -> tuple[Losses, Photometric]:
        """Return what images say of disparities and motions (B, 2, 4, 4)."""
        target, loss = batch["images"][:, 1], self.loss
        identity = self._identity(batch) if loss.auto_mask else None
        found = self._photometric(batch, depths, T_warp, identity)
        photo = found.loss
        # The pose network's own motion counts, too: the refined one hardly depends on it.
        if refined and (share := self.refining.initial_weight) > 0:
            initial = self._photometric(batch, depths[:1], T_src_now, identity)
            photo = (1 - share) * photo + share * initial.loss
        pairs = (
            (disp, target if s == 0 else F.interpolate(target, disp.shape[2:], mode="area"))
            for s, disp in enumerate(disps)
        )
        terms = (smoothness(d, image) / 2**s for s, (d, image) in enumerate(pairs))
        smooth = sum(terms, torch.zeros((), device=target.device))
        losses = {"photometric": photo, "smoothness": smooth / len(disps)}
        losses["total"] = losses["photometric"] + loss.smooth_weight * losses["smoothness"]
        return losses, found

    def _add_motion_losses(
        self, losses: Losses, T_src_now: Tensor, refined: Refined | None, T_true: Tensor
    ) -> None:
        """Add what the vehicle's speed or motion, and refinement, ask of the motions."""
        loss, free = self.loss, [T_src_now]
        # Only where depth learns from the refined motion may the vehicle's motion bear on it.
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

    def _add_consistency(
        self,
        losses: Losses,
        depth: Tensor,
        disps_src: list[Tensor],
        T_warp: Tensor,
        kept: Tensor,
        batch: Batch,
    ) -> None:
        """Add how far depths of neighbouring frames are apart."""
        K, loss = batch["K"], self.loss
        depths = [self._depth(disp, batch) for disp in disps_src]
        if loss.geometry_weight > 0:
            losses["geometry"] = geometry_loss(depth, depths, T_warp, K)
            losses["total"] = losses["total"] + loss.geometry_weight * losses["geometry"]
        if loss.projection_weight > 0:
            losses["projection"] = projection_loss(
                depth, depths, T_warp, K, loss.projection_normalized, kept
            )
            losses["total"] = losses["total"] + loss.projection_weight * losses["projection"]

    def _identity(self, batch: Batch) -> Tensor:
        """Return the errors (B, 2, H, W) of the sources as they are."""
        images, weight = batch["images"], self.loss.ssim_weight
        pairs = [photometric_error(images[:, i], images[:, 1], weight) for i in (0, 2)]
        errors = torch.cat(pairs, 1)
        return errors if self.static_mask is None else errors * self.static_mask(images)

    def _photometric(
        self, batch: Batch, depths: list[Tensor], T_src_now: Tensor, identity: Tensor | None
    ) -> Photometric:
        """Return the photometric loss over scales, with pictures of the finest."""
        images, total = batch["images"], torch.zeros((), device=T_src_now.device)
        finest: tuple[Tensor, Tensor, Tensor] | None = None
        for depth in depths:
            warped = [
                warp(images[:, 2 * i], depth, T_src_now[:, i], batch["K"])[0] for i in (0, 1)
            ]
            errors = [photometric_error(w, images[:, 1], self.loss.ssim_weight) for w in warped]
            error, kept = min_reprojection(torch.cat(errors, 1), identity, batch["noise"])
            total = total + error
            finest = finest or (warped[0], errors[0], kept)
        assert finest is not None
        return Photometric(total / len(depths), *finest)
