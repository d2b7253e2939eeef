"""How unlike two frames look under a motion, and which way the motion should change."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sdepth import geometry
from sdepth.shapes import check_shape
from sdepth.warp import sample

MARGIN = 1.0
"""Pixels nearer to the border than this are not compared: their gradient is not known."""
TINY = 1e-12


@dataclass(frozen=True)
class Level:
    """Both frames at one resolution.

    Attributes:
        target: features (B, C, h, w) of the frame whose depth is known.
        source: features (B, C, h, w) of the other frame.
        depth: (B, 1, h, w), metres, of the target; 0 where unknown.
        K: intrinsics (B, 3, 3) at this resolution, pixels.
    """

    target: Tensor
    source: Tensor
    depth: Tensor
    K: Tensor


@dataclass(frozen=True)
class NormalEquations:
    """The normal equations at one motion, and the error there.

    Attributes:
        H: (B, 6, 6), sum of w J^T J; order: translation, rotation.
        g: (B, 6), sum of w J^T r.
        cost: (B,) mean of Cauchy's c^2 log(1 + |r|^2 / c^2).
        variance: (B,) weighted mean squared residual per channel.
        valid: (B,) share of the pixels with known depth that the source sees.
        agreement: (B,) 1 - |r|^2 / (|source|^2 + |target|^2), weighted.
    """

    H: Tensor
    g: Tensor
    cost: Tensor
    variance: Tensor
    valid: Tensor
    agreement: Tensor


class Problem:
    """One level with everything that does not change with the motion."""

    def __init__(self, level: Level) -> None:
        size = check_shape("target", level.target, "B C h w")
        check_shape("source", level.source, "{B} {C} {h} {w}".format(**size))
        check_shape("depth", level.depth, "{B} 1 {h} {w}".format(**size))
        self.level, self.channels = level, size["C"]
        self.width, self.height = size["w"], size["h"]
        self.known = torch.isfinite(level.depth) & (level.depth > geometry.MIN_Z)
        depth = torch.where(self.known, level.depth, torch.ones_like(level.depth))
        self.points = geometry.unproject(depth, level.K)
        # Central differences of the bilinear map, as channels: one look-up reads all.
        padded = F.pad(level.source, (1, 1, 1, 1), mode="replicate")
        du = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
        dv = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
        self.source = torch.cat([level.source, du, dv], 1)

    def look(self, T: Tensor, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return points (B, 3, h, w) in the source frame, ``image`` there, where it is seen."""
        p = geometry.transform(T, self.points)
        uv, z = geometry.project(p, self.level.K)
        u, v = uv[:, :1], uv[:, 1:]
        inside = (u >= MARGIN) & (u <= self.width - 1 - MARGIN)
        inside &= (v >= MARGIN) & (v <= self.height - 1 - MARGIN)
        return p, sample(image, uv), self.known & inside & (z > geometry.MIN_Z)

    def kernel(self, T: Tensor, robust: float) -> Tensor:
        """Return Cauchy's c^2 (B,) from the median squared residual at ``T``."""
        _, seen, valid = self.look(T, self.level.source)
        error = (seen - self.level.target).square().sum(1, keepdim=True)
        error = torch.where(valid, error, torch.nan).flatten(1)[:, ::3]
        median = error.nanmedian(1).values.nan_to_num(1.0)
        return robust**2 * median.clamp(min=TINY)

    def evaluate(self, T: Tensor, c_sq: Tensor) -> NormalEquations:
        """Return the normal equations of sum w |r|^2 / 2 at ``T``."""
        p, seen, valid = self.look(T, self.source)
        value, du, dv = seen.chunk(3, 1)
        r = value - self.level.target
        error = r.square().sum(1)
        c_sq = c_sq[:, None, None]
        valid = valid[:, 0]
        w = valid / (1 + error / c_sq)
        count = valid.sum((1, 2)).clamp(min=1)
        known = self.known.sum((1, 2, 3)).clamp(min=1)
        energy = value.square().sum(1) + self.level.target.square().sum(1)
        # Channels collapse into a 2x2 matrix and a 2-vector per pixel.
        g_uu, g_uv, g_vv = (
            (w * (a * b).sum(1)).flatten(1)[:, None] for a, b in ((du, du), (du, dv), (dv, dv))
        )
        b_u, b_v = ((w * (d * r).sum(1)).flatten(1)[..., None] for d in (du, dv))
        J_u, J_v = projection_jacobian(p.flatten(2), self.level.K)
        H = J_u @ (g_uu * J_u + g_uv * J_v).mT + J_v @ (g_uv * J_u + g_vv * J_v).mT
        weight = w.sum((1, 2))
        return NormalEquations(
            H,
            (J_u @ b_u + J_v @ b_v)[..., 0],
            (valid * c_sq * torch.log1p(error / c_sq)).sum((1, 2)) / count,
            (w * error).sum((1, 2)) / (self.channels * weight.clamp(min=TINY)),
            count / known,
            1 - (w * error).sum((1, 2)) / (w * energy).sum((1, 2)).clamp(min=TINY),
        )


def projection_jacobian(p: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    """Return du/d(delta) and dv/d(delta), each (B, 6, N): J_pi [I | -[Y]x] at points (B, 3, N)."""
    inv_z = 1 / p[:, 2].clamp(min=geometry.MIN_Z)
    x, y = p[:, 0] * inv_z, p[:, 1] * inv_z
    fx, fy = K[:, 0, 0, None], K[:, 1, 1, None]
    fx_z, fy_z, zero = fx * inv_z, fy * inv_z, torch.zeros_like(x)
    J_u = torch.stack([fx_z, zero, -fx_z * x, -fx * x * y, fx * (1 + x * x), -fx * y], 1)
    J_v = torch.stack([zero, fy_z, -fy_z * y, -fy * (1 + y * y), fy * x * y, fy * x], 1)
    return J_u, J_v
