"""Losses by which depths of neighbouring frames must agree about the world."""

from __future__ import annotations

from torch import Tensor

from sdepth import geometry
from sdepth.warp import warp


def geometry_loss(depth: Tensor, depth_src: list[Tensor], T_src_now: Tensor, K: Tensor) -> Tensor:
    """Return how far depths of neighbouring frames contradict each other, 0..1.

    Args:
        depth: (B, 1, H, W) of the middle frame, metres.
        depth_src: the same of each source.
        T_src_now: (B, sources, 4, 4).
        K: intrinsics (B, 3, 3), pixels.

    Source: Bian et al. 2019 (SC-SfMLearner), eqs. 3 and 4, in one direction.
    """
    total = depth.new_zeros(())
    points = geometry.unproject(depth, K)
    for i, other in enumerate(depth_src):
        z = geometry.transform(T_src_now[:, i], points)[:, 2:]
        seen, visible = warp(other, depth, T_src_now[:, i], K)
        difference = (z - seen).abs() / (z + seen).clamp(min=geometry.MIN_Z)
        total = total + (difference.clamp(0, 1) * visible).sum() / visible.sum().clamp(min=1)
    return total / len(depth_src)
