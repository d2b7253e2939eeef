"""Pixels to points and back, batched and differentiable."""

from __future__ import annotations

import torch
from torch import Tensor

from sdepth.shapes import check_shape

MIN_Z = 1e-3
"""Points nearer than this, metres, are not visible."""


def pixel_rays(K: Tensor, height: int, width: int) -> Tensor:
    """Return the ray of each pixel, scaled to z = 1: (B, 3, H, W).

    Convention: as ``Camera``; the point seen at depth Z along ray r is Z r.

    Args:
        K: intrinsics (B, 3, 3) of an image of height x width, pixels.
        height: rows.
        width: columns.

    Source: Zhou et al. 2017, eq. 2 (K^-1 p).
    """
    check_shape("K", K, "B 3 3")
    v, u = torch.meshgrid(
        torch.arange(height, dtype=K.dtype, device=K.device),
        torch.arange(width, dtype=K.dtype, device=K.device),
        indexing="ij",
    )
    x = (u - K[:, 0, 2, None, None]) / K[:, 0, 0, None, None]
    y = (v - K[:, 1, 2, None, None]) / K[:, 1, 1, None, None]
    return torch.stack([x, y, torch.ones_like(x)], 1)


def resized_K(K: Tensor, scale_u: float, scale_v: float) -> Tensor:
    """Return the intrinsics (B, 3, 3) of the image resized, as ``Camera.resized`` does."""
    scale, half = K.new_tensor([scale_u, scale_v]), 0.5 * K.new_tensor([[0, 0, 1], [0, 0, 1]])
    top = (K[:, :2] + half) * scale[:, None] - half
    return torch.cat([top, K[:, 2:]], 1)


def unproject(depth: Tensor, K: Tensor) -> Tensor:
    """Return the points (B, 3, H, W), metres, seen at each pixel of a depth image.

    Args:
        depth: (B, 1, H, W), metres along the optical axis (REP 118), not along the ray.
        K: intrinsics (B, 3, 3) of that image.
    """
    size = check_shape("depth", depth, "B 1 H W")
    return depth * pixel_rays(K, size["H"], size["W"])


def transform(T_target_source: Tensor, p_source: Tensor) -> Tensor:
    """Return points (B, 3, H, W) in the target frame.

    Args:
        T_target_source: rigid transforms (B, 4, 4).
        p_source: points (B, 3, H, W), metres, in the source frame.
    """
    check_shape("T_target_source", T_target_source, "B 4 4")
    check_shape("p_source", p_source, "B 3 H W")
    p_target = T_target_source[:, :3, :3] @ p_source.flatten(2) + T_target_source[:, :3, 3:]
    return p_target.view_as(p_source)


def project(p_cam: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    """Return pixel coordinates (B, 2, H, W) and depth z (B, 1, H, W) of points.

    Points nearer than ``MIN_Z`` are projected as if at ``MIN_Z``: check z before trusting them.

    Args:
        p_cam: points (B, 3, H, W), metres, in the camera's optical frame.
        K: intrinsics (B, 3, 3).

    Source: Zhou et al. 2017, eq. 2 (division guarded, unlike the paper).
    """
    check_shape("p_cam", p_cam, "B 3 H W")
    z = p_cam[:, 2:]
    focal = torch.stack([K[:, 0, 0], K[:, 1, 1]], 1)[..., None, None]
    centre = K[:, :2, 2, None, None]
    return p_cam[:, :2] / z.clamp(min=MIN_Z) * focal + centre, z
