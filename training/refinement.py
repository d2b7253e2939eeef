"""SA4Depth in training: motions refined to fit the predicted depth, and what they must agree on.

Our reading of the abstract (arXiv 2605.28477): the pose network's motion is refined by aligning
learned features under the predicted depth, and the photometric loss is taken at the refined
motion. The refined motion takes the depth's scale, and knows next to nothing of where it started,
so a term must still reach the pose network: the photometric loss at its own motion
(``initial_weight``), a penalty on how far it is from the refined one (``consistency_weight``), or
both.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sdepth.alignment.refiner import Refiner, make_levels
from sdepth.alignment.solver import refine
from sdepth.geometry import se3
from sdepth.models.feature_net import FeatureMap
from training.losses.photometric import mean_of


@dataclass(frozen=True)
class RefineTraining:
    """How motions are refined in training.

    Attributes:
        features: unet, encoder, random or intensity; "" for no refinement.
        strides: of the levels, coarse to fine.
        iterations: per level.
        unroll: gradients through all steps; else through a last one alone.
        warmup_steps: of training before the refinement sets in.
        initial_weight: of the photometric loss at the pose network's own motion; the refined
            motion's has the rest.
        consistency_weight: pulls the pose network to the refined motion.
        level_weight: pulls where coarse levels end to the refined motion.
        attach_depth: whether depth also learns through the refinement, not only the warp.
        lr_scale: learning rate of the features over the networks'; 0 leaves them as they are.
        only: train features and damping alone, on drives with known depth and motion.
        damping_lr_scale: of the damping (PixLoc: 100).
    """

    features: str = ""
    strides: tuple[int, ...] = (4, 2)
    iterations: int = 3
    unroll: bool = False
    warmup_steps: int = 0
    initial_weight: float = 0.5
    consistency_weight: float = 0.0
    level_weight: float = 0.1
    attach_depth: bool = False
    lr_scale: float = 1.0
    damping_lr_scale: float = 100.0
    only: bool = False


@dataclass(frozen=True)
class Refined:
    """Refined motions (B, 2, 4, 4), what they add to the loss, and numbers worth watching."""

    T_src_now: Tensor
    penalty: Tensor
    reports: dict[str, Tensor]


def refine_motions(
    refiner: Refiner,
    batch: dict[str, Tensor],
    depth: Tensor,
    T_src_now: Tensor,
    config: RefineTraining,
) -> Refined:
    """Return the motions from now to the frames before and after, refined.

    Args:
        refiner: features and search.
        batch: as ``SelfSupervised.forward`` takes it.
        depth: (B, 1, H, W) of the middle frame, metres.
        T_src_now: the pose network's (B, 2, 4, 4).
        config: what counts.
    """
    images = batch["images"]
    count = len(images)
    if not config.attach_depth:
        depth = depth.detach()
    maps = refiner.maps(images.transpose(0, 1).flatten(0, 1))
    levels = make_levels(
        frame_pairs(maps, count), depth.repeat(2, 1, 1, 1), batch["K"].repeat(2, 1, 1)
    )
    T_initial = T_src_now.transpose(0, 1).flatten(0, 1)
    # The refined motion forgets its start, so a gradient through it would only be noise.
    found = refine(levels, T_initial.detach(), refiner.config, refiner.damping())
    anchor, ok = found.T_src_tgt.detach(), found.ok
    penalty = T_initial.new_zeros(())
    if config.consistency_weight > 0:
        penalty = penalty + config.consistency_weight * disagreement(T_initial, anchor, ok)
    if config.level_weight > 0:
        for T in found.T_levels[:-1]:
            penalty = penalty + config.level_weight * disagreement(T, anchor, ok)
    with torch.no_grad():
        reports = {
            "refine/kept": ok.float().mean(),
            "refine/change": disagreement(T_initial, anchor, ok),
            "refine/cost_ratio": found.cost_ratio.mean(),
        }
    T_refined = found.T_src_tgt.unflatten(0, (2, count)).transpose(0, 1)
    return Refined(T_refined, penalty, reports)


def disagreement(
    T: Tensor, T_anchor: Tensor, counts: Tensor, metres_per_radian: float = 10.0
) -> Tensor:
    """Return how far motions (N, 4, 4) are from anchors, over the length of these.

    Args:
        T: motions.
        T_anchor: what they should be; gives no gradient.
        counts: (N,) bool, which of them count.
        metres_per_radian: a turn counts as what it moves at this distance, at a metre a frame.
    """
    t_anchor = T_anchor[:, :3, 3]
    shift = torch.linalg.vector_norm(T[:, :3, 3] - t_anchor, dim=1)
    length = torch.linalg.vector_norm(t_anchor, dim=1)
    turn = se3.rotation_angle(T[:, :3, :3].mT @ T_anchor[:, :3, :3])
    away = shift / (length + 0.01) + metres_per_radian * turn
    return mean_of(away, counts)


def frame_pairs(maps: list[FeatureMap], count: int) -> list[tuple[FeatureMap, FeatureMap]]:
    """Return (target, source) features of ``count`` triplets: now and before, now and after.

    Args:
        maps: per level, of all frames before, then all now, then all after.
        count: of triplets.
    """
    return [(_frames(m, [1, 1], count), _frames(m, [0, 2], count)) for m in maps]


def _frames(maps: FeatureMap, frames: list[int], count: int) -> FeatureMap:
    """Return the features of frames of the triplets, one after the other."""

    def take(x: Tensor) -> Tensor:
        return torch.cat([x[i * count : (i + 1) * count] for i in frames])

    confidence = maps.confidence
    return FeatureMap(take(maps.features), None if confidence is None else take(confidence))
