"""What learns from a refined motion: exact gradients, cheap ones, and none from bad samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sdepth.alignment.residual import Level
from sdepth.alignment.solver import RefineConfig, Refinement, refine
from sdepth.geometry import projection, se3
from tests.core.scene import scene, stacked, start

SMALL = torch.tensor([[[12.0, 0, 6.5], [0, 12.0, 4.5], [0, 0, 1]]], dtype=torch.float64)


def waves(shape: tuple[int, ...], seed: int) -> Tensor:
    """Return smooth random maps around 0."""
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    smooth = torch.nn.functional.avg_pool2d(noise, 3, 1, 1, count_include_pad=False)
    return torch.nn.functional.avg_pool2d(smooth, 3, 1, 1, count_include_pad=False)


def small_problem() -> list[Tensor]:
    """Return features, confidences and depth of two levels, a motion (1, 6), and damping."""
    inputs = []
    for level, size in enumerate(((5, 7), (10, 14))):
        target = waves((1, 2, *size), 10 + level)
        source = target + 0.1 * waves((1, 2, *size), 20 + level)
        trust = [torch.sigmoid(waves((1, 1, *size), 30 + 2 * level + i)) for i in (0, 1)]
        inputs += [target, source, 5 + waves((1, 1, *size), 40 + level), *trust]
    motion = torch.tensor([[0.05, -0.03, 0.1, 0.01, -0.02, 0.015]], dtype=torch.float64)
    damping = torch.full((2, 6), 0.05, dtype=torch.float64)
    return [x.requires_grad_() for x in (*inputs, motion, damping)]


def solve(*inputs: Tensor) -> Refinement:
    """Return the motion refined in two steps per level."""
    levels = []
    for i, scale in ((0, 0.5), (5, 1.0)):
        target, source, depth, *trust = inputs[i : i + 5]
        levels.append(
            Level(target, source, depth, projection.resized_K(SMALL, scale, scale), *trust)
        )
    motion, damping = inputs[10:]
    T_src_tgt = se3.from_rotvec(motion[:, 3:], motion[:, :3])
    return refine(levels, T_src_tgt, RefineConfig(iterations=2, stop_below=0), damping)


def test_gradients_through_all_steps_are_exact() -> None:
    inputs = small_problem()
    found = solve(*inputs)
    assert bool(found.ok)
    assert not torch.equal(found.T_levels[0], found.T_levels[1])

    def motions(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        found = solve(*inputs)
        return found.T_src_tgt[:, :3], found.T_levels[:, :, :3]

    assert torch.autograd.gradcheck(motions, inputs, fast_mode=True)


def learn(unroll: bool) -> tuple[Tensor, int]:
    """Return the gradient of both views' features at convergence, and the graph's bytes."""
    (level,) = scene(sizes=[(48, 160)], fineness=1.5)
    level = replace(
        level, target=level.target.requires_grad_(), source=level.source.requires_grad_()
    )
    sizes: dict[int, int] = {}

    def count(x: Tensor) -> Tensor:
        sizes[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(count, lambda x: x):
        found = refine([level], start(0.8, 0.5), RefineConfig(8, stop_below=0, unroll=unroll))
    assert bool(found.ok)
    found.T_src_tgt[0, :3].flatten().dot(torch.linspace(-1, 1, 12).double()).backward()
    return torch.cat([level.target.grad, level.source.grad]).flatten(), sum(sizes.values())


def test_the_last_step_alone_gives_nearly_the_same_gradient_from_a_smaller_graph() -> None:
    (whole, whole_bytes), (last, last_bytes) = learn(True), learn(False)

    assert torch.cosine_similarity(whole, last, dim=0) > 0.9
    assert last_bytes < 0.4 * whole_bytes


def without_texture(level: Level) -> Level:
    return replace(level, target=0 * level.target + 1, source=0 * level.source + 0.5)


def without_depth(level: Level) -> Level:
    return replace(level, depth=torch.full_like(level.depth, torch.nan))


def without_numbers(level: Level) -> Level:
    nan = torch.full_like(level.source, torch.nan)
    return replace(level, source=nan, source_confidence=nan, target_confidence=nan)


def with_one_bad_pixel(level: Level) -> Level:
    source = level.source.clone()
    source[..., 3, 3] = torch.nan
    return replace(level, source=source)


def elsewhere(level: Level) -> Level:
    away = level.K.clone()
    away[:, 0, 2] += 1000
    return replace(level, K=away)


BAD = [without_texture, without_depth, without_numbers, with_one_bad_pixel, elsewhere]


@pytest.mark.parametrize("unroll", [True, False], ids=["unrolled", "last step"])
@pytest.mark.parametrize("spoil", BAD)
def test_a_bad_sample_spoils_no_gradient(spoil: Callable[[Level], Level], unroll: bool) -> None:
    good = [
        replace(x, target_confidence=0.5 + 0 * x.depth, source_confidence=0.5 + 0 * x.depth)
        for x in scene(sizes=[(24, 80), (48, 160)])
    ]
    damping, inputs = learnt(good, unroll)
    damping_both, inputs_both = learnt([stacked(x, spoil(x)) for x in good], unroll)

    assert damping.any()
    assert torch.allclose(damping, damping_both, rtol=1e-6, atol=1e-9)
    for alone, both in zip(inputs, inputs_both, strict=True):
        assert torch.allclose(alone, both[:1], rtol=1e-6, atol=1e-9)
        assert not both[1].any()  # which no NaN passes


def learnt(levels: list[Level], unroll: bool) -> tuple[Tensor, list[Tensor]]:
    """Return the gradients of the damping, and of features, confidences and depth per level."""
    damping = torch.full((len(levels), 6), 0.02, dtype=torch.float64, requires_grad=True)
    T_src_tgt = start(0.8, 1.0).expand(len(levels[0].depth), 4, 4)
    names = ("target", "source", "depth", "target_confidence", "source_confidence")
    leaves = [[getattr(x, n).detach().clone().requires_grad_() for n in names] for x in levels]
    levels = [
        replace(x, **dict(zip(names, mine, strict=True)))
        for x, mine in zip(levels, leaves, strict=True)
    ]
    config = RefineConfig(iterations=3, stop_below=0, unroll=unroll)
    found = refine(levels, T_src_tgt, config, damping)
    assert found.ok.tolist() == [True, False][: len(found.ok)]
    weights = torch.linspace(-1, 1, 12, dtype=torch.float64).view(3, 4)
    ends = (found.T_levels[:, :, :3] * weights).sum((0, 2, 3))
    loss = (found.T_src_tgt[:, :3] * weights).sum() + (ends * found.ok).sum()
    loss.backward()
    assert damping.grad is not None
    return damping.grad, [x.grad for mine in leaves for x in mine if x.grad is not None]
