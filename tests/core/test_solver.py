"""Alignment on an analytic scene, on what must be refused, and on real pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sdepth.alignment import pyramid
from sdepth.alignment.refiner import Refiner
from sdepth.alignment.residual import Level, Problem, projection_jacobian
from sdepth.alignment.solver import RefineConfig, refine
from sdepth.checkpoint import bundled, load_refiner
from sdepth.errors import ShapeError
from sdepth.geometry import projection, se3
from sdepth.geometry.warp import sample
from tests.core.scene import T_TRUE, K, scene, stacked, start
from training.data.open_drive import read_drive
from training.evaluate.alignment import errors, levels_of, read_pair

pytestmark = pytest.mark.usefixtures("one_thread")
KITTI = Path(__file__).parents[3] / "shared/data/kitti_odom/sequences/06"


SHORT = RefineConfig(iterations=3, stop_below=0)
"""As in training."""


@pytest.mark.parametrize("scale", [0.03, 1.0, 3.0])
@pytest.mark.parametrize("size", [0.5, 1.5])
@pytest.mark.parametrize(("config", "fineness"), [(RefineConfig(), 4.0), (SHORT, 1.5)])
def test_translation_takes_the_scale_of_the_depth(
    scale: float, size: float, config: RefineConfig, fineness: float
) -> None:
    # Few steps suffice where texture is coarse, as learned features are to be.
    levels = scene(scale=scale, fineness=fineness)
    found = refine(levels, start(size, scale=scale), config)
    t, t_true = found.T_src_tgt[0, :3, 3], scale * T_TRUE[0, :3, 3]
    assert bool(found.ok)
    assert (t - t_true).norm() < 0.01 * t_true.norm()
    angle = se3.rotation_angle(found.T_src_tgt[:, :3, :3] @ T_TRUE[:, :3, :3].mT)
    assert float(angle) < np.radians(0.03)


@pytest.mark.parametrize("cell", [2, 3])
def test_the_most_telling_pixel_of_each_cell_is_enough(cell: int) -> None:
    found = refine(scene(), start(), RefineConfig(cell=cell))
    assert bool(found.ok)
    assert (found.T_src_tgt - T_TRUE)[:, :3, 3].norm() < 0.01 * T_TRUE[:, :3, 3].norm()
    assert Problem(scene()[-1], cell).target.shape[2] == (96 // cell) * (320 // cell)


@pytest.mark.parametrize("scale", [0.03, 37.0])
@pytest.mark.parametrize("damping", [None, torch.logspace(-3, 1, 18).double().view(3, 6)])
def test_units_of_depth_and_translation_do_not_matter(
    scale: float, damping: Tensor | None
) -> None:
    near = refine(scene(), start(), SHORT, damping)
    far = refine(scene(scale=scale), start(scale=scale), SHORT, damping)
    scaled = near.T_src_tgt[:, :3, 3] * scale
    assert bool(near.ok)
    assert torch.allclose(scaled, far.T_src_tgt[:, :3, 3], rtol=1e-5)
    assert torch.allclose(near.T_src_tgt[:, :3, :3], far.T_src_tgt[:, :3, :3], atol=1e-6)


def test_a_change_of_exposure_does_not_matter() -> None:
    found = refine(scene(change=0.5, features=pyramid.features), start())
    assert bool(found.ok)
    t, t_true = found.T_src_tgt[0, :3, 3], T_TRUE[0, :3, 3]
    assert abs(t.norm() / t_true.norm() - 1) < 0.01
    assert (t - t_true).norm() < 0.02 * t_true.norm()


def test_the_true_motion_is_kept_and_called_ok() -> None:
    found = refine(scene(), T_TRUE)
    assert bool(found.ok)
    assert torch.allclose(found.T_src_tgt, T_TRUE, atol=3e-3)
    assert float(found.agreement) > 0.98


def test_covariance_is_positive() -> None:
    found = refine(scene(), start())
    covariance = torch.linalg.inv(found.hessian[0]) * found.variance[0]
    assert torch.linalg.eigvalsh(covariance).min() > 0


def flat(level: Level) -> Level:
    return replace(level, target=0 * level.target, source=0 * level.source)


def unknown(level: Level) -> Level:
    return replace(level, depth=torch.full_like(level.depth, torch.nan))


def broken(level: Level) -> Level:
    return replace(level, source=torch.full_like(level.source, torch.nan))


def striped(level: Level) -> Level:
    return replace(
        level,
        source=level.source.mean(2, keepdim=True).expand_as(level.source),
        target=level.target.mean(2, keepdim=True).expand_as(level.target),
    )


@pytest.mark.parametrize("spoil", [flat, unknown, broken, striped])
def test_what_cannot_be_aligned_keeps_the_initial_motion(spoil) -> None:
    found = refine([spoil(level) for level in scene()], start())
    assert not bool(found.ok)
    assert not found.hessian.any()
    assert torch.equal(found.T_src_tgt, start())


def test_views_that_do_not_overlap_keep_the_initial_motion() -> None:
    found = refine(scene(), start(yaw_deg=120))
    assert not bool(found.ok)
    assert torch.equal(found.T_src_tgt, start(yaw_deg=120))


def test_a_bad_sample_leaves_its_neighbour_alone() -> None:
    good = scene()
    pairs = [(level, broken(level)) for level in good]
    both = [stacked(*pair) for pair in pairs]
    found = refine(both, start().expand(2, 4, 4), RefineConfig(iterations=4, stop_below=0))
    alone = refine(good, start(), RefineConfig(iterations=4, stop_below=0))
    assert found.ok.tolist() == [True, False]
    assert torch.allclose(found.T_src_tgt[:1], alone.T_src_tgt, atol=1e-9)


def test_jacobian_is_the_derivative_of_the_projection() -> None:
    p = torch.tensor([[[0.7], [-0.4], [5.0]]], dtype=torch.float64)

    def pixel(delta: Tensor) -> Tensor:
        T = se3.from_rotvec(delta[None, 3:], delta[None, :3])
        return projection.project(projection.transform(T, p[..., None]), K)[0].flatten()

    expected = torch.autograd.functional.jacobian(pixel, torch.zeros(6, dtype=torch.float64))
    J_u, J_v = projection_jacobian(p, K)
    assert torch.allclose(torch.stack([J_u[0, :, 0], J_v[0, :, 0]]), expected, atol=1e-9)


def zoomed() -> tuple[Level, Tensor]:
    """Return a wall whose features grow evenly, before and after a motion that keeps them so.

    Nothing is lost between pixels, so residuals are 0 and derivatives are exact.
    """
    v, u = torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="ij")
    target, depth = torch.stack([u, v])[None].double() / 32, 4.0
    K_wall = torch.tensor([[[20.0, 0, 15.5], [0, 20.0, 11.5], [0, 0, 1]]], dtype=torch.float64)
    turn, t = [0.0, 0.0, 0.1], [0.3, -0.2, -0.5]
    T_src_tgt = se3.from_rotvec(*(torch.tensor([x], dtype=torch.float64) for x in (turn, t)))
    at_source = torch.full((1, 1, 24, 32), depth + t[2], dtype=torch.float64)
    p_tgt = projection.transform(se3.inverse(T_src_tgt), projection.unproject(at_source, K_wall))
    source = projection.project(p_tgt, K_wall)[0] / 32
    return Level(target, source, torch.full_like(at_source, depth), K_wall), T_src_tgt


def test_hessian_is_that_of_an_update_on_the_left() -> None:
    level, T = zoomed()
    eps, T_back = 1e-6, se3.inverse(T)
    points = projection.unproject(level.depth, level.K)

    def target(delta: Tensor) -> Tensor:
        # T <- exp(delta) T, seen from the target's side: its points move the other way.
        moved = T_back @ se3.from_rotvec(-delta[None, 3:], -delta[None, :3]) @ T
        uv, _ = projection.project(projection.transform(moved, points), level.K)
        return sample(level.target, uv).flatten()

    steps = eps * torch.eye(6, dtype=torch.float64)
    J = torch.stack([(target(-d) - target(d)) / (2 * eps) for d in steps], 1)
    r, trust, _ = Problem(level).look(T)
    w = trust.expand(2, -1).flatten()
    found = refine([level], T, RefineConfig(iterations=0))
    assert bool(found.ok)
    assert (r * trust[:, None]).abs().max() < 1e-9  # so every weight is its trust
    assert torch.allclose(found.hessian[0], J.T @ (w[:, None] * J), rtol=1e-5, atol=1e-5)


def test_adjoint_carries_an_update_from_right_to_left() -> None:
    T = start()
    delta = torch.tensor([[0.3, -0.1, 0.2, 0.05, -0.2, 0.1]], dtype=torch.float64)

    def exp(d: Tensor) -> Tensor:
        # exp of the whole twist, not of its two halves.
        twist = torch.cat([se3.skew(d[:, 3:]), d[:, :3, None]], 2)
        return torch.matrix_exp(torch.cat([twist, torch.zeros_like(twist[:, :1])], 1))

    moved = (se3.adjoint(T) @ delta[..., None])[..., 0]
    assert torch.allclose(exp(moved) @ T, T @ exp(delta), atol=1e-12)


def covered(level: Level, confident: float) -> Level:
    """Return the level with something else in a third of the source, trusted so far."""
    left, width = slice(0, level.source.shape[3] // 3), level.source.shape[3]
    source, confidence = level.source.clone(), torch.ones_like(level.depth)
    stripes = torch.sin(torch.arange(width, dtype=torch.float64) * 1.3)
    source[..., left] = 0.5 + 0.5 * stripes[left]
    confidence[..., left] = confident
    return replace(
        level, source=source, source_confidence=confidence,
        target_confidence=torch.ones_like(confidence),
    )  # fmt: skip


def test_what_has_no_confidence_does_not_matter() -> None:
    errors = []
    for confident in (0.0, 1.0):
        found = refine([covered(level, confident) for level in scene()], start(0.8, 1.0))
        t, t_true = found.T_levels[-1, 0, :3, 3], T_TRUE[0, :3, 3]
        errors.append(float((t - t_true).norm() / t_true.norm()))
    assert errors[0] < 0.01
    assert errors[1] > 2 * errors[0]


def test_levels_that_do_not_fit_are_named() -> None:
    level = scene()[0]
    with pytest.raises(ShapeError, match="depth: got shape"):
        refine([replace(level, depth=level.depth[..., 1:])], start())
    with pytest.raises(ShapeError, match="levels: got none"):
        refine([], start())


@pytest.mark.skipif(not KITTI.is_dir(), reason="KITTI odometry 06 is not here")
@pytest.mark.parametrize("features", ["learned", "intensity"])
def test_real_pixels_with_stereo_depth_give_the_metric_motion(features: str) -> None:
    refiner = Refiner("intensity", (8, 4, 2)).eval()
    if features == "learned":
        refiner, _ = load_refiner(bundled("day"))
    drive = read_drive(KITTI)
    lengths, angles = [], []
    for i in range(0, 50, 5):
        pair = read_pair(drive, i, baseline_m=0.5372)
        with torch.inference_mode():
            found = refine(levels_of(refiner, pair, 640), pair.T_start, damping=refiner.damping())
        assert bool(found.ok)
        length, angle = errors(found.T_src_tgt, pair.T_true)
        lengths.append(abs(length))
        angles.append(angle)
    assert np.median(lengths) < 1.0  # percent
    assert np.median(angles) < 0.05  # degrees
