"""Losses by which depths of neighbouring frames must agree about the world."""

from __future__ import annotations

import torch
from torch import Tensor

from sdepth.geometry import projection, se3
from sdepth.geometry.warp import warp
from sdepth.shapes import check_shape
from training.losses.photometric import mean_of


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
    points = projection.unproject(depth, K)
    for i, other in enumerate(depth_src):
        z = projection.transform(T_src_now[:, i], points)[:, 2:]
        seen, visible = warp(other, depth, T_src_now[:, i], K)
        difference = (z - seen).abs() / (z + seen).clamp(min=projection.MIN_Z)
        total = total + mean_of(difference.clamp(0, 1), visible)
    return total / len(depth_src)


def projection_loss(
    depth: Tensor,
    depth_src: list[Tensor],
    T_src_now: Tensor,
    K: Tensor,
    normalized: bool = True,
    counts: Tensor | None = None,
) -> Tensor:
    """Return how far the points of neighbouring frames are apart, in both directions.

    Each frame's points are moved into the other frame and compared, by L1 over x, y and z, with
    the other's point map read bilinearly where they project to. Points on one ray differ along
    it alone, so where that reading is exact (at pixel centres, or where depth is constant
    between them) each distance is the two depths' difference times the ray's |x| + |y| + 1, and
    normalised it is ``geometry_loss``'s error: the ray cancels. Elsewhere the z parts are still
    equal, and x and y say how far the surface bends between pixels: on a rendered street, less
    than 1e-5 of the loss. Normalised, this is ``geometry_loss`` in both directions.

    Args:
        depth: (B, 1, H, W) of the middle frame, metres.
        depth_src: the same of each source.
        T_src_now: (B, sources, 4, 4).
        K: intrinsics (B, 3, 3), pixels.
        normalized: distances over the sum of the points' L1 norms, 0..1; else metres, which
            shrinking the scene makes smaller.
        counts: (B, 1, H, W) of the middle frame, 1 or true where pixels count; a source's pixel
            counts as much as those it lands on. None for all.

    Source: our reading of the abstract of DASP (arXiv 2512.14536), "bilaterally project".
    """
    pairs = len(depth_src)
    check_shape("T_src_now", T_src_now, f"B {pairs} 4 4")
    total, points = depth.new_zeros(()), projection.unproject(depth, K)
    for i, other in enumerate(depth_src):
        T, points_src = T_src_now[:, i], projection.unproject(other, K)
        T_back = se3.inverse(T)
        forth, seen_forth = points_apart(points, points_src, T, K, normalized)
        back, seen_back = points_apart(points_src, points, T_back, K, normalized)
        if counts is None:
            total = total + mean_of(forth, seen_forth) + mean_of(back, seen_back)
            continue
        with torch.no_grad():
            counts_src = seen_back * warp(counts.to(depth.dtype), other, T_back, K)[0]
        total = total + mean_of(forth, seen_forth * counts) + mean_of(back, counts_src)
    return total / (2 * pairs)


def points_apart(
    points: Tensor, points_other: Tensor, T_other_now: Tensor, K: Tensor, normalized: bool = True
) -> tuple[Tensor, Tensor]:
    """Return each point's distance from the other frame's surface, and where that is visible.

    Args:
        points: (B, 3, H, W), metres, seen at each pixel.
        points_other: the same of the other frame.
        T_other_now: (B, 4, 4).
        K: intrinsics (B, 3, 3), pixels.
        normalized: as ``projection_loss``.

    Returns:
        distances (B, 1, H, W), and visible (B, 1, H, W) bool, as ``warp`` has it.
    """
    moved = projection.transform(T_other_now, points)
    seen, visible = warp(points_other, points[:, 2:], T_other_now, K)
    distance = (moved - seen).abs().sum(1, keepdim=True)
    if normalized:  # at most 1, by the triangle inequality
        norms = (moved.abs() + seen.abs()).sum(1, keepdim=True)
        distance = distance / norms.clamp(min=projection.MIN_Z)
    return distance, visible
