"""Two frames and the depth of one to the motion between them: dense feature alignment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from sdepth import se3
from sdepth.errors import ShapeError
from sdepth.feature_residual import TINY, Level, NormalEquations, Problem
from sdepth.shapes import check_shape


@dataclass(frozen=True)
class AlignConfig:
    """How long to search, what to trust and when to give up.

    Attributes:
        iterations: at most, per level.
        stop_below: a level ends when no sample's cost changes by more than this share; 0: never,
            for a fixed number of steps without branches.
        damping: of the first step, times diag(H) (Marquardt); then x0.1 after a step that lowers
            the cost, x10 after one that does not.
        robust: Cauchy's c over the median residual of the level.
        min_valid: least share of pixels with known depth that the source sees.
        max_condition: largest condition number of H (scaled to a unit diagonal) at which all six
            degrees of freedom count as seen.
        max_change: largest change of translation over max(|t|, a tenth of the median depth).
        cost_tolerance: how much the cost may rise: a start at the optimum cannot lower it.
    """

    iterations: int = 15
    stop_below: float = 1e-3
    damping: float = 1e-2
    robust: float = 1.5
    min_valid: float = 0.2
    max_condition: float = 1e5
    max_change: float = 2.0
    cost_tolerance: float = 1e-3


@dataclass(frozen=True)
class Alignment:
    """The motion found, per sample of the batch, and how far to trust it.

    Attributes:
        T_src_tgt: (B, 4, 4); the initial one where not ``ok``.
        hessian: (B, 6, 6) of half the weighted squared error at ``T_src_tgt``, finest level, for
            the update T <- exp(delta) T with delta = (translation, rotation).
        variance: (B,) weighted mean squared residual: inverse(hessian) * variance is the
            covariance of delta, were residuals independent.
        cost_initial: (B,) mean robust error at the initial motion, finest level.
        cost_final: (B,) the same at ``T_src_tgt``.
        valid: (B,) share of pixels with known depth that the source sees.
        agreement: (B,) of the features: 1 equal, 0 as different as those of unrelated images.
        ok: (B,) bool: False where the initial motion was kept.
    """

    T_src_tgt: Tensor
    hessian: Tensor
    variance: Tensor
    cost_initial: Tensor
    cost_final: Tensor
    valid: Tensor
    agreement: Tensor
    ok: Tensor


def align(
    levels: Sequence[Level], T_src_tgt: Tensor, config: AlignConfig | None = None
) -> Alignment:
    """Return the motion under which source features look most like the target's.

    Levenberg-Marquardt on SE(3) with analytic Jacobians, a Cauchy kernel and Marquardt's scaling
    (so that depth and translation may have any unit), coarse to fine, a fixed number of steps. A
    sample is refused, and its initial motion returned, if too little of the target is seen, a
    number is not finite, not all six degrees of freedom are seen, the step is implausibly long,
    or the cost has not decreased.

    Args:
        levels: coarse to fine.
        T_src_tgt: initial motion (B, 4, 4), maps target points into the source frame.
        config: None for the defaults.

    Raises:
        ShapeError: no level, or sizes differ.

    Source: PixLoc (Sarlin et al. 2021), section 3; the normal equations are summed over
    channels first, so that their cost hardly grows with the number of features.
    """
    config = config or AlignConfig()
    if not levels:
        raise ShapeError("levels: got none, expected at least one")
    check_shape("T_src_tgt", T_src_tgt, f"{levels[0].target.shape[0]} 4 4")
    T = T_src_tgt
    for level in levels:
        problem = Problem(level)
        c_sq = problem.kernel(T, config.robust)
        T, after = _minimise(problem, T, c_sq, config)
    before = problem.evaluate(T_src_tgt, c_sq)
    ok = _plausible(problem, T_src_tgt, T, before, after, config)
    found = _where(ok, after, before)
    return Alignment(
        T_src_tgt=torch.where(ok[:, None, None], T, T_src_tgt),
        hessian=found.H,
        variance=found.variance,
        cost_initial=before.cost,
        cost_final=found.cost,
        valid=found.valid,
        agreement=found.agreement,
        ok=ok,
    )


def _minimise(
    problem: Problem, T: Tensor, c_sq: Tensor, config: AlignConfig
) -> tuple[Tensor, NormalEquations]:
    """Return ``T`` (B, 4, 4) after the steps of one level, none of which raises the cost."""
    best = problem.evaluate(T, c_sq)
    damping = torch.full_like(best.cost, config.damping)
    for _ in range(config.iterations):
        delta = _step(best.H, best.g, damping)
        T_new = se3.from_rotvec(delta[:, 3:], delta[:, :3]) @ T
        new = problem.evaluate(T_new, c_sq)
        better = new.cost < best.cost
        change = (new.cost - best.cost).abs() > config.stop_below * best.cost
        T = torch.where(better[:, None, None], T_new, T)
        best = _where(better, new, best)
        if config.stop_below > 0 and not bool(change.any()):
            break
        damping = torch.where(better, damping * 0.1, damping * 10).clamp(1e-6, 1e6)
    return T, best


def _where(choose: Tensor, a: NormalEquations, b: NormalEquations) -> NormalEquations:
    """Return ``a`` for the samples to choose (B,), else ``b``."""
    pairs = [(getattr(a, f.name), getattr(b, f.name)) for f in fields(NormalEquations)]
    shape = (-1, 1, 1)
    return NormalEquations(*(torch.where(choose.view(shape[: x.dim()]), x, y) for x, y in pairs))


def _step(H: Tensor, g: Tensor, damping: Tensor) -> Tensor:
    """Return -(H + damping diag(H))^-1 g (B, 6), zero where that cannot be solved."""
    scale = H.diagonal(dim1=1, dim2=2).clamp(min=TINY).rsqrt()  # to a unit diagonal
    A = scale[:, :, None] * H * scale[:, None, :]
    A = A + torch.diag_embed(damping[:, None].expand_as(g))
    L, info = torch.linalg.cholesky_ex(A)
    delta: Tensor = -scale * torch.cholesky_solve((scale * g)[..., None], L)[..., 0]
    solved = (info == 0) & torch.isfinite(delta).all(1)
    return torch.where(solved[:, None], delta, torch.zeros_like(delta))


def _plausible(
    problem: Problem,
    T_before: Tensor,
    T_after: Tensor,
    before: NormalEquations,
    after: NormalEquations,
    config: AlignConfig,
) -> Tensor:
    """Return (B,) whether the refined motion is to be believed."""
    scale = after.H.diagonal(dim1=1, dim2=2).clamp(min=TINY).rsqrt()
    values = torch.linalg.eigvalsh((scale[:, :, None] * after.H * scale[:, None, :]).nan_to_num(0))
    seen = values[:, 0] * config.max_condition > values[:, -1]
    finite = torch.isfinite(T_after).all(2).all(1) & torch.isfinite(after.cost)
    better = after.cost <= before.cost * (1 + config.cost_tolerance)
    enough = after.valid >= config.min_valid
    depth = torch.where(problem.known, problem.level.depth, torch.nan)
    reach = torch.maximum(
        T_before[:, :3, 3].norm(dim=1), 0.1 * depth.flatten(1).nanmedian(1).values.nan_to_num(0)
    )
    change = (T_after - T_before)[:, :3, 3].norm(dim=1)
    near = change <= config.max_change * reach
    ok: Tensor = seen & finite & better & enough & near
    return ok
