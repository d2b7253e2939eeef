"""How unlike two frames look under a motion, and which way the motion should change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sdepth.alignment import pyramid
from sdepth.geometry import projection
from sdepth.geometry.warp import sample
from sdepth.shapes import check_shape

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

    def maps(self) -> list[Tensor]:
        """Return target, source and, where there is any, the confidence of both."""
        trust = self.target_confidence, self.source_confidence
        return [self.target, self.source, *(x for x in trust if x is not None)]


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

    def __init__(self, level: Level, cell: int = 1) -> None:
        """Prepare a level; of each ``cell`` x ``cell`` pixels the most telling one counts."""
        size = check_level(level)
        self.K, self.channels = level.K, size["C"]
        self.width, self.height = size["w"], size["h"]
        maps = level.maps()
        self.finite = all_finite(maps)
        finite = self.finite[:, None, None, None]
        target, source, *trust = (torch.where(finite, x, 0.0) for x in maps)
        known = torch.isfinite(level.depth) & (level.depth > projection.MIN_Z)
        inner = torch.zeros_like(known)
        inner[..., 1:-1, 1:-1] = True
        known &= inner
        depth = torch.where(known, level.depth, torch.ones_like(level.depth))
        points = projection.unproject(depth, level.K)
        du, dv = pyramid.gradients(target)
        confidence = trust[0] if trust else torch.ones_like(depth)
        parts = [known, points, target, du, dv, confidence]
        if cell > 1:
            telling = (du.square() + dv.square()).sum(1, keepdim=True) * confidence * known
            kept = F.max_pool2d(telling, cell, return_indices=True)[1].flatten(2)
            parts = [_take(x, kept) for x in parts]
        self.known, self.points = parts[0], parts[1]
        self.target, self.du, self.dv = (x.flatten(2) for x in parts[2:5])
        self.confidence = parts[5].flatten(1) if trust else None
        self.source = torch.cat([source, trust[1]], 1) if trust else source
        self._linearise()

    def _linearise(self) -> None:
        """Set what the normal equations need of each pixel: J and J^T J."""
        self.J_u, self.J_v = projection_jacobian(self.points.flatten(2), self.K)
        uu, uv, vv = (
            (a * b).sum(1)[:, None]
            for a, b in ((self.du, self.du), (self.du, self.dv), (self.dv, self.dv))
        )
        along_u, along_v = uu * self.J_u + uv * self.J_v, uv * self.J_u + vv * self.J_v
        outer = self.J_u[:, :, None] * along_u[:, None] + self.J_v[:, :, None] * along_v[:, None]
        self.JtJ = outer.flatten(1, 2)

    def median_depth(self) -> Tensor:
        """Return the median depth (B,) of the pixels that count, metres; 0 of none."""
        depth = torch.where(self.known, self.points[:, 2:], torch.nan)
        return depth.flatten(1).nanmedian(1).values.nan_to_num(0)

    def look(self, T: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return residuals (B, C, N) at ``T``, trust (B, N) in each pixel, and which are seen."""
        uv, z = projection.project(projection.transform(T, self.points), self.K)
        u, v = uv[:, :1], uv[:, 1:]
        inside = (u >= MARGIN) & (u <= self.width - 1 - MARGIN)
        inside &= (v >= MARGIN) & (v <= self.height - 1 - MARGIN)
        valid = (self.known & inside & (z > projection.MIN_Z)).flatten(1)
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


def check_level(level: Level) -> dict[str, int]:
    """Return the sizes B, C, h, w of a level.

    Raises:
        ShapeError: its parts do not fit each other.
    """
    size = check_shape("target", level.target, "B C h w")
    check_shape("source", level.source, "{B} {C} {h} {w}".format(**size))
    check_shape("depth", level.depth, "{B} 1 {h} {w}".format(**size))
    return size


def all_finite(maps: Sequence[Tensor]) -> Tensor:
    """Return (B,) whether every number of maps (B, C, h, w) is finite."""
    # A sum is finite where every term is, and takes a tenth of the time of a look at each.
    return torch.isfinite(torch.stack([x.sum((1, 2, 3)) for x in maps]).sum(0))


def _take(x: Tensor, pixels: Tensor) -> Tensor:
    """Return (B, C, 1, M) of maps (B, C, h, w) at flat indices (B, 1, M)."""
    return x.flatten(2).gather(2, pixels.expand(-1, x.shape[1], -1))[:, :, None]


def _cost(error: Tensor, trust: Tensor, c_sq: Tensor) -> Tensor:
    """Return the robust error (B,) of squared residuals (B, N)."""
    return (trust * c_sq * torch.log1p(error / c_sq)).sum(1) / trust.sum(1).clamp(min=TINY)


def _spread(x: Tensor, w: Tensor) -> Tensor:
    """Return the weighted squared distance (B,) of features (B, C, N) to their mean."""
    total = (w[:, None] * x).sum(2)
    return (w * x.square().sum(1)).sum(1) - total.square().sum(1) / w.sum(1).clamp(min=TINY)


def projection_jacobian(p: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    """Return du/d(delta) and dv/d(delta), each (B, 6, N): J_pi [I | -[Y]x] at points (B, 3, N)."""
    inv_z = 1 / p[:, 2].clamp(min=projection.MIN_Z)
    x, y = p[:, 0] * inv_z, p[:, 1] * inv_z
    fx, fy = K[:, 0, 0, None], K[:, 1, 1, None]
    fx_z, fy_z, zero = fx * inv_z, fy * inv_z, torch.zeros_like(x)
    J_u = torch.stack([fx_z, zero, -fx_z * x, -fx * x * y, fx * (1 + x * x), -fx * y], 1)
    J_v = torch.stack([zero, fy_z, -fy_z * y, -fy * (1 + y * y), fy * x * y, fy * x], 1)
    return J_u, J_v
