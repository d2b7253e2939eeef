"""The compiled search finds what ``refine`` finds, and refuses what it refuses."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sdepth.alignment import fused_frame, fused_search, fused_target
from sdepth.alignment.refiner import Refiner, fixed_refiner
from sdepth.alignment.residual import Level
from sdepth.alignment.search import search
from sdepth.alignment.solver import RefineConfig, Refinement, refine
from sdepth.checkpoint import bundled, load_refiner
from sdepth.errors import EngineError, ShapeError
from sdepth.geometry import projection, se3
from sdepth.geometry.warp import warp
from tests.core.scene import T_TRUE, scene, stacked, start
from tests.core.test_solver import KITTI, broken, covered, flat, striped, unknown
from training.data.open_drive import read_drive
from training.evaluate.alignment import levels_of, read_pair

pytestmark = pytest.mark.usefixtures("one_thread")
PAIRS = 125
"""Of each kind, 500 in all."""


def part(level: Level, i: int) -> Level:
    """Return one sample of a batch."""
    return Level(**{k: v if v is None else v[i : i + 1] for k, v in vars(level).items()})


def repeated(levels: list[Level], count: int) -> list[Level]:
    """Return a batch of one pair, as often as it has guesses."""
    return [stacked(*[level] * count) for level in levels]


def joined(singles: list[Refinement]) -> Refinement:
    """Return the batch of several refinements of one sample each."""
    names = vars(singles[0]).keys()
    dims = {name: 1 if name == "T_levels" else 0 for name in names}
    return Refinement(**{n: torch.cat([getattr(s, n) for s in singles], dims[n]) for n in names})


def assert_same(found: Refinement, expected: Refinement) -> None:
    """Hold a search to the reference: 1e-4 of |t|, 1e-5 rad, and the same refusals."""
    assert found.ok.tolist() == expected.ok.tolist()
    T, T_ref = found.T_src_tgt.double(), expected.T_src_tgt.double()
    length = T_ref[:, :3, 3].norm(dim=1)
    far = (T - T_ref)[:, :3, 3].norm(dim=1) / length
    assert far.max() <= 1e-4, far.topk(3)
    angle = se3.rotation_angle(T[:, :3, :3] @ T_ref[:, :3, :3].mT)
    assert angle.max() <= 1e-5, angle.topk(3)
    for name in ("valid", "agreement", "cost_final", "cost_initial", "variance"):
        a, b = getattr(found, name)[found.ok].double(), getattr(expected, name)[found.ok].double()
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-5), name
    scale = expected.hessian.double().abs().amax((1, 2), keepdim=True).clamp(min=1e-9)
    assert ((found.hessian - expected.hessian).abs() <= 1e-3 * scale).all()


def random_pairs(count: int, channels: int, sure: bool) -> tuple[list[Level], Tensor]:
    """Return levels (B = count) of textures seen twice, depth with holes, and wrong starts."""
    seed = torch.Generator().manual_seed(channels)

    def noise(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=seed, dtype=torch.float64)

    source = F.interpolate(noise(channels, 7, 11), (32, 48), mode="bicubic")
    depth = 3 + 9 * F.interpolate(noise(1, 3, 4), (32, 48), mode="bilinear")
    K = torch.tensor([[[40.0, 0, 23.5], [0, 40.0, 15.5], [0, 0, 1]]]).double().expand(count, 3, 3)
    T_true = se3.from_rotvec(0.04 * noise(3) - 0.02, noise(3) - 0.5)
    T_start = T_true @ se3.from_rotvec(0.04 * noise(3) - 0.02, 0.4 * noise(3) - 0.2)
    T_start[::10, :3, 3] += 6  # so far that some of these must be refused
    target = warp(source, depth, T_true, K)[0] + 0.02 * noise(channels, 32, 48)
    holes = noise(1, 32, 48)
    depth = depth.where(holes > 0.1, 0).where(holes < 0.97, torch.nan)
    trust = [noise(1, 32, 48) if sure else None for _ in range(2)]

    def kept(x: Tensor | None, stride: int = 1) -> Tensor | None:
        # In float32, as the search takes it; the reference reckons in float64.
        return None if x is None else F.avg_pool2d(x, stride).float().double()

    levels = []
    for stride in (2, 1):
        maps = [kept(x, stride) for x in (target, source, *trust)]
        small = projection.resized_K(K, 1 / stride, 1 / stride)
        near = depth[..., ::stride, ::stride].float().double()
        levels.append(Level(*maps[:2], near, small, *maps[2:]))
    return levels, T_start


@pytest.mark.parametrize("cell", [1, 2])
@pytest.mark.parametrize(("channels", "sure"), [(3, False), (16, True)])
def test_it_finds_what_the_reference_finds_over_random_pairs(
    cell: int, channels: int, sure: bool
) -> None:
    levels, T_start = random_pairs(PAIRS, channels, sure)
    pairs = [([part(x, i) for x in levels], T_start[i : i + 1]) for i in range(PAIRS)]
    config = RefineConfig(cell=cell)
    found, expected = (joined([f(*p, config) for p in pairs]) for f in (search, refine))
    assert 0.5 < float(expected.ok.double().mean()) < 0.99
    assert_same(found, expected)


@pytest.mark.parametrize("cell", [1, 2, 3])
def test_guesses_stop_together_as_a_batch_does(cell: int) -> None:
    levels, config = scene(), RefineConfig(cell=cell)
    guesses = torch.cat([start(), start(1.5), T_TRUE, start(yaw_deg=120)])
    damping = torch.logspace(-3, 1, 18, dtype=torch.float64).view(3, 6)
    found = search(levels, guesses, config, damping)
    expected = refine(repeated(levels, 4), guesses, config, damping)
    assert_same(found, expected)
    assert found.ok.tolist() == [True, True, True, False]
    assert torch.equal(found.T_src_tgt[3], guesses[3])
    assert torch.allclose(found.T_levels[:, :3], expected.T_levels[:, :3], atol=1e-4)


@pytest.mark.parametrize("spoil", [flat, unknown, broken, striped])
@pytest.mark.parametrize("spoiled", [0, -1])
def test_what_cannot_be_aligned_is_refused_alike(
    spoil: Callable[[Level], Level], spoiled: int
) -> None:
    levels = scene()
    levels[spoiled] = spoil(levels[spoiled])
    found, expected = search(levels, start()), refine(levels, start())
    assert_same(found, expected)
    if spoiled == -1:
        assert not bool(found.ok)
        assert not found.hessian.any()
        assert torch.equal(found.T_src_tgt, start())


def test_a_start_that_is_not_finite_is_refused() -> None:
    nowhere = torch.full_like(start(), torch.nan)
    found = search(scene(), torch.cat([start(), nowhere]))
    assert found.ok.tolist() == [True, False]
    assert torch.allclose(found.T_src_tgt[:1], search(scene(), start()).T_src_tgt, atol=1e-3)


def test_what_has_no_confidence_does_not_matter() -> None:
    found = search([covered(level, 0.0) for level in scene()], start(0.8, 1.0))
    expected = refine([covered(level, 0.0) for level in scene()], start(0.8, 1.0))
    assert_same(found, expected)
    assert (found.T_src_tgt - T_TRUE)[0, :3, 3].norm() < 0.01 * T_TRUE[0, :3, 3].norm()


def test_the_same_comes_out_each_time() -> None:
    once, again = (vars(search(scene(), start())) for _ in range(2))
    assert all(torch.equal(once[name], again[name]) for name in once)


def test_who_wants_gradients_is_sent_to_the_reference() -> None:
    levels = scene()
    levels[0] = replace(levels[0], source=levels[0].source.requires_grad_())
    with pytest.raises(EngineError, match=r"has none; call solver\.refine to train"):
        search(levels, start())
    with torch.no_grad():
        assert bool(search(levels, start()).ok)


def test_levels_that_do_not_fit_are_named() -> None:
    level = scene()[0]
    with pytest.raises(ShapeError, match="depth: got shape"):
        search([replace(level, depth=level.depth[..., 1:])], start())
    with pytest.raises(ShapeError, match="levels: got none"):
        search([], start())
    with pytest.raises(ShapeError, match=r"target: got shape \(2, 1, 24, 80\)"):
        search([stacked(level, level)], start())
    with pytest.raises(ShapeError, match="guesses: got shape"):
        search([level], start()[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: there refine searches")
def test_a_gpu_finds_the_same_from_each_guess() -> None:
    guesses = torch.cat([start(), start(1.5)]).float()
    levels = [Level(*(v.float() for v in list(vars(x).values())[:4])) for x in scene()]
    there = [Level(*(v.cuda() for v in list(vars(x).values())[:4])) for x in levels]
    found, expected = search(there, guesses.cuda()), search(levels, guesses)
    assert found.ok.tolist() == expected.ok.tolist() == [True, True]
    assert torch.allclose(found.T_src_tgt.cpu(), expected.T_src_tgt, atol=1e-4)


@pytest.mark.skipif(not KITTI.is_dir(), reason="KITTI odometry 06 is not here")
@pytest.mark.parametrize("features", ["learned", "fixed"])
def test_it_finds_what_the_reference_finds_on_real_pixels(features: str) -> None:
    refiner: Refiner = fixed_refiner()
    if features == "learned":
        refiner, _ = load_refiner(bundled("day"))
    drive = read_drive(KITTI)
    for i in range(0, 50, 10):
        pair = read_pair(drive, i, baseline_m=0.5372)
        with torch.inference_mode():
            levels = levels_of(refiner, pair, 640)
            for config in (RefineConfig(), RefineConfig(cell=2)):
                both = [
                    f(levels, pair.T_start, config, refiner.damping()) for f in (search, refine)
                ]
                assert_same(*both)


def test_compiled_files_call_nothing_compiled_elsewhere() -> None:
    # The cache on disk would not notice a change there.
    found = {}
    for module in (fused_target, fused_search, fused_frame):
        nodes = ast.walk(ast.parse(Path(module.__file__).read_text()))
        names = [n for n in nodes if isinstance(n, ast.ImportFrom) and "sdepth" in str(n.module)]
        found[module.__name__] = [alias.name for n in names for alias in n.names]
    assert [*found.values()] == [[], ["jit"], ["jit"]]


def test_where_no_cache_can_be_written_each_process_compiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def njit(cache: bool = False, **how: object) -> Callable[..., object]:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(fused_target, "njit", njit)
    assert fused_target.jit(np.sum) is np.sum
