"""Rigid transforms: T_target_source maps points seen in source into target."""

from __future__ import annotations

import torch
from torch import Tensor

from sdepth.shapes import check_shape


def skew(w: Tensor) -> Tensor:
    """Return matrices W (..., 3, 3) such that W p is the cross product of w (..., 3) and p."""
    check_shape("w", w, "... 3")
    x, y, z = w.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).reshape(*w.shape[:-1], 3, 3)


def exp_so3(rotvec: Tensor) -> Tensor:
    """Return rotation matrices (..., 3, 3) of rotation vectors (..., 3), radians.

    Smooth at zero, so gradients there are exact. Source: Rodrigues' formula.
    """
    check_shape("rotvec", rotvec, "... 3")
    angle_sq = (rotvec * rotvec).sum(-1)[..., None, None]
    small = angle_sq < 1e-6
    angle = torch.where(small, torch.ones_like(angle_sq), angle_sq).sqrt()
    a = torch.where(small, 1 - angle_sq / 6, torch.sin(angle) / angle)
    b = torch.where(small, 0.5 - angle_sq / 24, (1 - torch.cos(angle)) / angle.square())
    W = skew(rotvec)
    return torch.eye(3, dtype=W.dtype, device=W.device) + a * W + b * (W @ W)


def from_rotvec(rotvec: Tensor, t: Tensor) -> Tensor:
    """Return T (..., 4, 4) of a rotation vector (..., 3), radians, and translation (..., 3), m."""
    check_shape("t", t, "... 3")
    top = torch.cat([exp_so3(rotvec), t[..., None]], -1)
    bottom = torch.tensor([0, 0, 0, 1], dtype=top.dtype, device=top.device)
    return torch.cat([top, bottom.expand(*top.shape[:-2], 1, 4)], -2)


def inverse(T_target_source: Tensor) -> Tensor:
    """Return T_source_target (..., 4, 4)."""
    check_shape("T_target_source", T_target_source, "... 4 4")
    R_inv = T_target_source[..., :3, :3].transpose(-1, -2)
    t = -R_inv @ T_target_source[..., :3, 3:]
    return torch.cat([torch.cat([R_inv, t], -1), T_target_source[..., 3:, :]], -2)


def adjoint(T_target_source: Tensor) -> Tensor:
    """Return A (..., 6, 6) with exp(A delta) T = T exp(delta), delta = (translation, rotation)."""
    check_shape("T_target_source", T_target_source, "... 4 4")
    R, t = T_target_source[..., :3, :3], T_target_source[..., :3, 3]
    top = torch.cat([R, skew(t) @ R], -1)
    return torch.cat([top, torch.cat([torch.zeros_like(R), R], -1)], -2)


def rotation_angle(R: Tensor) -> Tensor:
    """Return the angle (...), radians, of rotation matrices (..., 3, 3), accurate near zero."""
    check_shape("R", R, "... 3 3")
    axis = torch.stack(
        [R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], -1
    )
    trace = R.diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.atan2(torch.linalg.vector_norm(axis, dim=-1), trace - 1)
