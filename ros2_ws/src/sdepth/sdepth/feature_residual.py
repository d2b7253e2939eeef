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
        target_confidence: (B, 1, h, w) in 0..1, or None for 1 everywhere.
        source_confidence: likewise; both or neither.
    """

    target: Tensor
    source: Tensor
    depth: Tensor
    K: Tensor
    target_confidence: Tensor | None = None
    source_confidence: Tensor | None = None


@dataclass(frozen=True)
class NormalEquations:
    """The normal equations at one motion, and the error there.

    Attributes:
        H: (B, 6, 6), sum of w J^T J for T <- T exp(delta); order: translation, rotation.
        g: (B, 6), sum of w J^T r.
        cost: (B,) mean of Cauchy's c^2 log(1 + |r|^2 / c^2), weighted by confidence.
    """

    H: Tensor
    g: Tensor
    cost: Tensor


@dataclass(frozen=True)
class Fit:
    """How well both frames agree at one motion.

    Attributes:
        cost: (B,) as that of ``NormalEquations``.
        variance: (B,) weighted mean squared residual per channel.
        valid: (B,) share of the pixels with known depth that the source sees.
        agreement: (B,) of features less their mean, weighted: 1 - |r|^2 / (|source|^2 +
            |target|^2); 0 where the source looks the same everywhere.
    """

    cost: Tensor
    variance: Tensor
    valid: Tensor
    agreement: Tensor


class Problem:
    """One level with everything that does not change with the motion.

    Jacobians are taken on the target's side (Baker and Matthews 2004, inverse compositional), so
    that they are computed once, and each look at the source reads its features alone.
    """

    def __init__(self, level: Level) -> None:
        size = check_shape("target", level.target, "B C h w")
        check_shape("source", level.source, "{B} {C} {h} {w}".format(**size))
        check_shape("depth", level.depth, "{B} 1 {h} {w}".format(**size))
        self.K, self.channels = level.K, size["C"]
        self.width, self.height = size["w"], size["h"]
        maps = [level.target, level.source]
        if level.target_confidence is not None and level.source_confidence is not None:
            maps += [level.target_confidence, level.source_confidence]
        self.finite = torch.isfinite(torch.cat(maps, 1)).flatten(1).all(1)
        finite = self.finite[:, None, None, None]
        target, source, *trust = (torch.where(finite, x, 0.0) for x in maps)
        self.known = torch.isfinite(level.depth) & (level.depth > geometry.MIN_Z)
        inner = torch.zeros_like(self.known)
        inner[..., 1:-1, 1:-1] = True
        self.known &= inner
        self.depth = torch.where(self.known, level.depth, torch.ones_like(level.depth))
        self.points = geometry.unproject(self.depth, level.K)
        self.target, self.confidence = target.flatten(2), None
        if trust:
            self.confidence = trust[0].flatten(1)
            source = torch.cat([source, trust[1]], 1)
        self.source = source
        self._linearise(target)

    def _linearise(self, target: Tensor) -> None:
        """Set what the normal equations need of each pixel: gradient of features, J, J^T J."""
        padded = F.pad(target, (1, 1, 1, 1), mode="replicate")
        self.du = ((padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2).flatten(2)
        self.dv = ((padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2).flatten(2)
        self.J_u, self.J_v = projection_jacobian(self.points.flatten(2), self.K)
        uu, uv, vv = (
            (a * b).sum(1)[:, None]
            for a, b in ((self.du, self.du), (self.du, self.dv), (self.dv, self.dv))
        )
        along_u, along_v = uu * self.J_u + uv * self.J_v, uv * self.J_u + vv * self.J_v
        outer = self.J_u[:, :, None] * along_u[:, None] + self.J_v[:, :, None] * along_v[:, None]
        self.JtJ = outer.flatten(1, 2)

    def look(self, T: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return residuals (B, C, N) at ``T``, trust (B, N) in each pixel, and which are seen."""
        uv, z = geometry.project(geometry.transform(T, self.points), self.K)
        u, v = uv[:, :1], uv[:, 1:]
        inside = (u >= MARGIN) & (u <= self.width - 1 - MARGIN)
        inside &= (v >= MARGIN) & (v <= self.height - 1 - MARGIN)
        valid = (self.known & inside & (z > geometry.MIN_Z)).flatten(1)
        seen = sample(self.source, uv).flatten(2)
        trust = valid.to(seen)
        if self.confidence is not None:
            trust = trust * self.confidence * seen[:, self.channels]
        return seen[:, : self.channels] - self.target, trust, valid

    def evaluate(
        self, T: Tensor, c_sq: Tensor | None, robust: float
    ) -> tuple[NormalEquations, Tensor]:
        """Return the normal equations of sum w |r|^2 / 2 at ``T``, and Cauchy's c^2 (B, 1).

        Where ``c_sq`` is None, it is ``robust`` squared times the median squared residual.
        """
        r, trust, valid = self.look(T)
        error = r.square().sum(1)
        if c_sq is None:
            some = torch.where(valid, error, torch.nan)[:, ::3]
            median = some.nanmedian(1, keepdim=True).values.nan_to_num(1.0)
            c_sq = robust**2 * median.clamp(min=TINY)
        w = trust / (1 + error / c_sq)
        b_u, b_v = ((w * (d * r).sum(1))[..., None] for d in (self.du, self.dv))
        H = (self.JtJ @ w[..., None]).view(-1, 6, 6)
        g = (self.J_u @ b_u + self.J_v @ b_v)[..., 0]
        return NormalEquations(H, g, _cost(error, trust, c_sq)), c_sq

    def judge(self, T: Tensor, c_sq: Tensor) -> Fit:
        """Return how well both frames agree at ``T``."""
        r, trust, valid = self.look(T)
        error = r.square().sum(1)
        w = trust / (1 + error / c_sq)
        energy = _spread(r + self.target, w) + _spread(self.target, w)
        weighted = (w * error).sum(1)
        return Fit(
            _cost(error, trust, c_sq),
            weighted / (self.channels * w.sum(1).clamp(min=TINY)),
            valid.sum(1) / self.known.sum((1, 2, 3)).clamp(min=1),
            1 - _spread(r, w) / energy.clamp(min=TINY),
        )


def _cost(error: Tensor, trust: Tensor, c_sq: Tensor) -> Tensor:
    """Return the robust error (B,) of squared residuals (B, N)."""
    return (trust * c_sq * torch.log1p(error / c_sq)).sum(1) / trust.sum(1).clamp(min=TINY)


def _spread(x: Tensor, w: Tensor) -> Tensor:
    """Return the weighted squared distance (B,) of features (B, C, N) to their mean."""
    total = (w[:, None] * x).sum(2)
    return (w * x.square().sum(1)).sum(1) - total.square().sum(1) / w.sum(1).clamp(min=TINY)


def projection_jacobian(p: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    """Return du/d(delta) and dv/d(delta), each (B, 6, N): J_pi [I | -[Y]x] at points (B, 3, N)."""
    inv_z = 1 / p[:, 2].clamp(min=geometry.MIN_Z)
    x, y = p[:, 0] * inv_z, p[:, 1] * inv_z
    fx, fy = K[:, 0, 0, None], K[:, 1, 1, None]
    fx_z, fy_z, zero = fx * inv_z, fy * inv_z, torch.zeros_like(x)
    J_u = torch.stack([fx_z, zero, -fx_z * x, -fx * x * y, fx * (1 + x * x), -fx * y], 1)
    J_v = torch.stack([zero, fy_z, -fy_z * y, -fy * (1 + y * y), fy * x * y, fy * x], 1)
    return J_u, J_v
