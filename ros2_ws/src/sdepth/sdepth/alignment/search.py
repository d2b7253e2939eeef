"""The search for a motion as inference wants it: one pair, several first guesses, fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from sdepth.alignment import fused_search, fused_target
from sdepth.alignment.residual import MARGIN, TINY, Fit, Level, all_finite, check_level
from sdepth.alignment.solver import RefineConfig, Refinement, first_damping, refine, settle
from sdepth.errors import EngineError
from sdepth.geometry.projection import MIN_Z
from sdepth.shapes import check_shape

_LIMITS = fused_target.Limits(MARGIN, MIN_Z, TINY)


def search(
    levels: Sequence[Level],
    guesses: Tensor,
    config: RefineConfig | None = None,
    damping: Tensor | None = None,
    pixels: Sequence[fused_target.Pixels | None] = (),
) -> Refinement:
    """Return what ``refine`` returns from each guess of the motion between two views.

    On a CPU by compiled loops, several times faster and without gradients; elsewhere by
    ``refine`` itself.

    Args:
        levels: of one pair (B = 1), coarse to fine.
        guesses: initial motions (G, 4, 4), map target points into the source frame.
        config: None for the defaults.
        damping: (levels, 6), as ``refine`` takes it.
        pixels: of the target per level, where ``take_pixels`` has taken them for the same cell.

    Raises:
        EngineError: gradients are asked for.
        ShapeError: no level, or sizes differ.
    """
    config = config or RefineConfig()
    if guesses.device.type != "cpu":
        repeated = [_repeated(level, len(guesses)) for level in levels]
        return refine(repeated, guesses, config, damping)
    damping = first_damping(levels, guesses, config, damping)
    check_shape("guesses", guesses, "G 4 4")
    inputs = [guesses, damping, *(x for level in levels for x in _tensors(level).values())]
    if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
        raise EngineError(
            "search: got inputs that want gradients, and has none; call solver.refine to "
            "train, or search under torch.no_grad()"
        )
    with torch.no_grad():
        return _compiled(levels, guesses, config, damping, pixels or [None] * len(levels))


def _compiled(
    levels: Sequence[Level],
    guesses: Tensor,
    config: RefineConfig,
    damping: Tensor,
    known: Sequence[fused_target.Pixels | None],
) -> Refinement:
    """Return the refinement of each guess, by compiled loops."""
    how = config.iterations, config.stop_below, config.robust
    start = guesses.double().numpy()
    T, ends = start, []
    for level, lam, taken in zip(levels, damping.double().numpy(), known, strict=True):
        pixels, source, trust, finite = _prepare(level, config.cell, taken)
        lanes = (0,) * source.shape[2]
        T, H, c_sq = fused_search.minimise(pixels, source, trust, T, lam, how, _LIMITS, lanes)
        ends.append(T)
    before, after = (
        Fit(*_back(fused_search.judge(pixels, source, trust, at, c_sq, _LIMITS, lanes), guesses))
        for at in (start, T)
    )
    z = pixels.points[:, 2]
    z = z[z > 0]
    middle = (len(z) - 1) // 2
    median = guesses.new_full((len(guesses),), np.partition(z, middle)[middle] if len(z) else 0.0)
    T_levels, H = _back(np.stack(ends), guesses), _back(H, guesses)
    return settle(guesses, T_levels, H, before, after, finite, median, config)


def take_pixels(level: Level, cell: int) -> fused_target.Pixels:
    """Return the target's pixels that count, with all that no motion changes."""
    target, confidence = _planes(level.target, level.target_confidence)
    (fx, _, cx), (_, fy, cy), _ = level.K[0].tolist()
    depth = level.depth[0, 0].float().contiguous().numpy()
    lanes = (0,) * target.shape[2]
    found: fused_target.Pixels = fused_target.prepare(
        target, confidence[..., 0], depth, (fx, fy, cx, cy), cell, _LIMITS, lanes
    )
    return found


def _prepare(
    level: Level, cell: int, known: fused_target.Pixels | None
) -> tuple[fused_target.Pixels, fused_target.Array, fused_target.Array, Tensor]:
    """Return pixels of the target, features (h, w, C) and confidence (h, w, 1) of the source.

    And whether all is finite (1,).
    """
    check_level(level)
    check_shape("target", level.target, "1 C h w")
    if not (finite := all_finite(level.maps())):
        zeros = {name: torch.zeros_like(x) for name, x in _tensors(level).items()}
        level, known = replace(level, **zeros | {"depth": level.depth, "K": level.K}), None
    pixels = take_pixels(level, cell) if known is None else known
    source, trust = _planes(level.source, level.source_confidence)
    return pixels, source, trust, finite


def _planes(features: Tensor, confidence: Tensor | None) -> Sequence[fused_target.Array]:
    """Return features (h, w, C) and confidence (h, w, 1); free where channels are last already."""
    if confidence is None:
        confidence = features.new_ones(1, 1, *features.shape[2:])
    both = features, confidence
    return [x[0].permute(1, 2, 0).float().contiguous().numpy() for x in both]


def _back(x: fused_target.Array, like: Tensor) -> Tensor:
    """Return an array as a tensor of the type of another."""
    return torch.from_numpy(x).to(like)


def _tensors(level: Level) -> dict[str, Tensor]:
    """Return the tensors of a level by name."""
    return {name: value for name, value in vars(level).items() if value is not None}


def _repeated(level: Level, count: int) -> Level:
    """Return the level of ``count`` equal samples, without a copy."""
    return Level(**{n: v.expand(count, *v.shape[1:]) for n, v in _tensors(level).items()})
