"""Pose refinement: two frames and the depth of one to the motion between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sdepth.alignment.residual import TINY, Fit, Level, NormalEquations, Problem
from sdepth.errors import ShapeError
from sdepth.geometry import se3
from sdepth.shapes import check_shape


@dataclass(frozen=True)
class RefineConfig:
    """How long to search, what to trust and when to give up.

    Attributes:
        iterations: at most, per level.
        stop_below: a level ends when no sample's cost changes by more than this share; 0: never,
            for a fixed number of steps without branches.
        unroll: whether gradients flow through all steps, or through a last one alone, which at
            convergence is the implicit function theorem's gradient, less what damping holds back,
            at a fraction of the search's memory.
        cell: of each cell x cell pixels the one with the strongest gradient counts; 1 for all.
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
    unroll: bool = True
    cell: int = 1
    damping: float = 1e-2
    robust: float = 1.5
    min_valid: float = 0.2
    max_condition: float = 1e5
    max_change: float = 2.0
    cost_tolerance: float = 1e-3


@dataclass(frozen=True)
class Refinement:
    """The motion found, per sample of the batch, and how far to trust it.

    Attributes:
        T_src_tgt: (B, 4, 4); the initial one where not ``ok``.
        T_levels: (levels, B, 4, 4), where each level ended, coarse to fine, trusted or not.
        H: (B, 6, 6) of half the weighted squared error at ``T_src_tgt``, finest level, for the
            update T <- T exp(delta) with delta = (translation, rotation); 0 where not ``ok``.
            Jacobians are the target's, so it is off by about |t| over depth.
        variance: (B,) weighted mean squared residual: inverse(hessian) * variance is the
            covariance of delta, were residuals independent.
        cost_initial: (B,) mean robust error at the initial motion, finest level.
        cost_final: (B,) the same at ``T_src_tgt``.
        valid: (B,) share of pixels with known depth that the source sees.
        agreement: (B,) of the features: 1 equal, 0 as different as those of unrelated images.
        ok: (B,) bool: False where the initial motion was kept.
    """

    T_src_tgt: Tensor
    T_levels: Tensor
    H: Tensor
    variance: Tensor
    cost_initial: Tensor
    cost_final: Tensor
    valid: Tensor
    agreement: Tensor
    ok: Tensor

    @property
    def hessian(self) -> Tensor:
        """As ``H`` (B, 6, 6), for the update T <- exp(delta) T."""
        to_right = se3.adjoint(se3.inverse(self.T_src_tgt))
        return to_right.mT @ self.H @ to_right

    @property
    def cost_ratio(self) -> Tensor:
        """The cost (B,) after over before."""
        return self.cost_final / self.cost_initial.clamp(min=TINY)

    def only(self, index: int) -> Refinement:
        """Return one sample, a batch of one."""
        one = slice(index, index + 1)
        fields = {name: value[one] for name, value in vars(self).items() if name != "T_levels"}
        return Refinement(**fields, T_levels=self.T_levels[:, one])


def refine(
    levels: Sequence[Level],
    T_src_tgt: Tensor,
    config: RefineConfig | None = None,
    damping: Tensor | None = None,
) -> Refinement:
    """Return the motion under which source features look most like the target's.

    Levenberg-Marquardt on SE(3) with analytic Jacobians, a Cauchy kernel and Marquardt's scaling
    (so that depth and translation may have any unit), coarse to fine; differentiable with respect
    to features, confidences, depth, initial motion and damping. A sample is refused, and its
    initial motion returned, if too little of the target is seen, a number is not finite, not all
    six degrees of freedom are seen, the step is implausibly long, or the cost has not decreased.

    Args:
        levels: coarse to fine.
        T_src_tgt: initial motion (B, 4, 4), maps target points into the source frame.
        config: None for the defaults.
        damping: (levels, 6), of the first step per degree of freedom, instead of the config's.

    Raises:
        ShapeError: no level, or sizes differ.

    Source: SA4Depth's abstract (arXiv 2605.28477) says what; how follows PixLoc (Sarlin et al.
    2021), section 3, except for the Jacobian's side and the choice of Marquardt's scaling.
    """
    config = config or RefineConfig()
    damping = first_damping(levels, T_src_tgt, config, damping)
    check_shape("T_src_tgt", T_src_tgt, f"{levels[0].target.shape[0]} 4 4")
    T, ends = T_src_tgt, []
    for level, start in zip(levels, damping, strict=True):
        problem = Problem(level, config.cell)
        T, H, c_sq = _minimise(problem, T, start, config)
        ends.append(T)
    with torch.no_grad():
        fits = problem.judge(T_src_tgt, c_sq), problem.judge(T, c_sq)
    known = problem.finite, problem.median_depth()
    return settle(T_src_tgt, torch.stack(ends), H, *fits, *known, config)


def first_damping(
    levels: Sequence[Level], T_src_tgt: Tensor, config: RefineConfig, damping: Tensor | None
) -> Tensor:
    """Return the damping (levels, 6) of the first step: what is given, or the config's.

    Raises:
        ShapeError: no level, or damping of another size.
    """
    if not levels:
        raise ShapeError("levels: got none, expected at least one")
    if damping is None:
        return T_src_tgt.new_full((len(levels), 6), config.damping)
    check_shape("damping", damping, f"{len(levels)} 6")
    return damping


def settle(
    T_before: Tensor,
    T_levels: Tensor,
    H: Tensor,
    before: Fit,
    after: Fit,
    finite: Tensor,
    median_depth: Tensor,
    config: RefineConfig,
) -> Refinement:
    """Return what a search has found, or its initial motion where that is not to be believed.

    Args:
        T_before: initial motion (B, 4, 4).
        T_levels: (levels, B, 4, 4), where each level ended.
        H: (B, 6, 6) at the last of them, for an update on the right.
        before: how well the views agree at the initial motion, finest level.
        after: at the last.
        finite: (B,) bool, whether every number of the finest level is.
        median_depth: (B,) of the target, metres.
        config: says what to believe.
    """
    T = T_levels[-1]
    with torch.no_grad():
        ok = _plausible(T_before, T, H, before, after, finite, median_depth, config)
    return Refinement(
        T_src_tgt=torch.where(ok[:, None, None], T, T_before),
        T_levels=T_levels,
        H=torch.where(ok[:, None, None], H, torch.zeros_like(H)),
        variance=after.variance,
        cost_initial=before.cost,
        cost_final=torch.where(ok, after.cost, before.cost),
        valid=torch.where(ok, after.valid, before.valid),
        agreement=torch.where(ok, after.agreement, before.agreement),
        ok=ok,
    )


def _minimise(
    problem: Problem, T: Tensor, damping: Tensor, config: RefineConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the motion (B, 4, 4) a level ends at, no worse than ``T``, its H, and c^2."""
    start = damping
    with torch.set_grad_enabled(torch.is_grad_enabled() and config.unroll):
        best, c_sq = problem.evaluate(T, None, config.robust)
        damping = damping.expand_as(best.g)
        for _ in range(config.iterations):
            T_new = _step(T, best, damping)
            new, _ = problem.evaluate(T_new, c_sq, config.robust)
            better = new.cost < best.cost
            change = (new.cost - best.cost).abs() > config.stop_below * best.cost
            T = torch.where(better[:, None, None], T_new, T)
            best = _where(better, new, best)
            if config.stop_below > 0 and not bool(change.any()):
                break
            damping = (damping * torch.where(better, 0.1, 10.0)[:, None]).clamp(1e-6, 1e6)
    if torch.is_grad_enabled() and not config.unroll:
        best, _ = problem.evaluate(T, c_sq, config.robust)
        T = _step(T, best, start.expand_as(best.g))
    return T, best.H, c_sq


def _step(T: Tensor, at: NormalEquations, damping: Tensor) -> Tensor:
    """Return T exp(delta), delta = -(H + damping diag(H))^-1 g; T where that has no solution."""
    scale = at.H.diagonal(dim1=1, dim2=2).clamp(min=TINY).rsqrt()  # to a unit diagonal
    A = scale[:, :, None] * at.H * scale[:, None, :] + torch.diag_embed(damping)
    L, info = torch.linalg.cholesky_ex(A)
    delta = -scale * torch.cholesky_solve((scale * at.g)[..., None], L)[..., 0]
    solved = (info == 0) & torch.isfinite(delta).all(1)
    delta = torch.where(solved[:, None], delta, torch.zeros_like(delta))
    return T @ se3.from_rotvec(delta[:, 3:], delta[:, :3])


def _where(choose: Tensor, a: NormalEquations, b: NormalEquations) -> NormalEquations:
    """Return ``a`` for the samples to choose (B,), else ``b``."""
    wide = choose[:, None]
    return NormalEquations(
        torch.where(wide[..., None], a.H, b.H),
        torch.where(wide, a.g, b.g),
        torch.where(choose, a.cost, b.cost),
    )


def _plausible(
    T_before: Tensor,
    T_after: Tensor,
    H: Tensor,
    before: Fit,
    after: Fit,
    finite: Tensor,
    median_depth: Tensor,
    config: RefineConfig,
) -> Tensor:
    """Return (B,) whether the refined motion is to be believed."""
    scale = H.diagonal(dim1=1, dim2=2).clamp(min=TINY).rsqrt()
    values = torch.linalg.eigvalsh((scale[:, :, None] * H * scale[:, None, :]).nan_to_num(0))
    seen = values[:, 0] * config.max_condition > values[:, -1]
    finite = finite & torch.isfinite(T_after).all(2).all(1) & torch.isfinite(after.cost)
    better = after.cost <= before.cost * (1 + config.cost_tolerance)
    enough = after.valid >= config.min_valid
    reach = torch.maximum(T_before[:, :3, 3].norm(dim=1), 0.1 * median_depth)
    change = (T_after - T_before)[:, :3, 3].norm(dim=1)
    near = change <= config.max_change * reach
    ok: Tensor = seen & finite & better & enough & near
    return ok
