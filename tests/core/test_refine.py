"""Alignment on an analytic scene, on what must be refused, and on real pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from sdepth import geometry, pyramid, se3
from sdepth.errors import ShapeError
from sdepth.feature_residual import Level, projection_jacobian
from sdepth.refine import RefineConfig, refine
from training.data.drive import read_drive, read_image

SIZE = (96, 320)
K = torch.tensor([[[180.0, 0, 159.5], [0, 180.0, 47.5], [0, 0, 1]]], dtype=torch.float64)
PLANE_NORMAL, PLANE_DISTANCE = torch.tensor([0.25, 0.5, 1.0], dtype=torch.float64), 9.0
T_TRUE = se3.from_rotvec(
    torch.tensor([[0.004, 0.02, -0.003]], dtype=torch.float64),
    torch.tensor([[0.05, -0.02, -0.6]], dtype=torch.float64),
)
KITTI = Path(__file__).parents[3] / "shared/data/kitti_odom/sequences/06"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Few pixels: on a busy machine two threads mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def view(T_cam_tgt: Tensor) -> tuple[Tensor, Tensor]:
    """Return image (1, 1, H, W) and depth of a slanted plane, textured with random waves."""
    R, t = T_cam_tgt[:, :3, :3], T_cam_tgt[:, :3, 3]
    normal = (R @ PLANE_NORMAL[:, None])[..., 0]
    distance = PLANE_DISTANCE + (normal * t).sum(1)
    rays = geometry.pixel_rays(K, *SIZE)
    depth = distance / (rays * normal[:, :, None, None]).sum(1, keepdim=True)
    p = geometry.transform(se3.inverse(T_cam_tgt), depth * rays)
    waves = torch.Generator().manual_seed(0)
    image = torch.zeros_like(depth)
    for _ in range(40):
        k = torch.randn(2, generator=waves).double() * 4
        phase = 6.3 * torch.rand(1, generator=waves).double()
        image += torch.sin(k[0] * p[:, :1] + k[1] * p[:, 1:2] + phase)
    return 0.5 + image / 40, depth


def scene(
    change: float = 1.0,
    scale: float = 1.0,
    features: Callable[[Tensor], Tensor] = torch.clone,
) -> list[Level]:
    """Return the levels of two views; the second's contrast changed, depth in other units.

    Features are the image itself, the same surface at the same brightness in both views, so that
    nothing but the solver errs; or what ``features`` makes of it.
    """
    target, depth = view(torch.eye(4, dtype=torch.float64)[None])
    source = view(T_TRUE)[0] * change
    levels = []
    for height, width in pyramid.sizes(SIZE[1], SIZE[0]):
        s = width / SIZE[1]
        small = [
            torch.nn.functional.interpolate(i, (height, width), mode="area")
            for i in (target, source)
        ]
        K_level = K.clone()
        K_level[:, :2] *= s
        K_level[:, :2, 2] += (s - 1) / 2
        levels.append(
            Level(
                features(small[0]),
                features(small[1]),
                pyramid.shrink_depth(depth * scale, (height, width)),
                K_level,
            )
        )
    return levels


def start(size: float = 0.5, yaw_deg: float = 2.0, scale: float = 1.0) -> Tensor:
    """Return the true motion with another length and turned."""
    turn = torch.tensor([[0.0, np.radians(yaw_deg), 0.0]], dtype=torch.float64)
    T = se3.from_rotvec(turn, torch.zeros(1, 3, dtype=torch.float64)) @ T_TRUE
    T[:, :3, 3] = T_TRUE[:, :3, 3] * size * scale
    return T


@pytest.mark.parametrize("scale", [0.03, 1.0, 3.0])
@pytest.mark.parametrize("size", [0.5, 1.5])
def test_translation_takes_the_scale_of_the_depth(scale: float, size: float) -> None:
    found = refine(scene(scale=scale), start(size, scale=scale))
    t, t_true = found.T_src_tgt[0, :3, 3], scale * T_TRUE[0, :3, 3]
    assert bool(found.ok)
    assert (t - t_true).norm() < 0.01 * t_true.norm()
    angle = se3.rotation_angle(found.T_src_tgt[:, :3, :3] @ T_TRUE[:, :3, :3].mT)
    assert float(angle) < np.radians(0.03)


def test_units_of_depth_and_translation_do_not_matter() -> None:
    near, far = refine(scene(), start()), refine(scene(scale=37.0), start(scale=37.0))
    scaled = near.T_src_tgt[:, :3, 3] * 37
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
    assert torch.equal(found.T_src_tgt, start())


def test_views_that_do_not_overlap_keep_the_initial_motion() -> None:
    found = refine(scene(), start(yaw_deg=120))
    assert not bool(found.ok)
    assert torch.equal(found.T_src_tgt, start(yaw_deg=120))


def test_a_bad_sample_leaves_its_neighbour_alone() -> None:
    good = scene()
    pairs = [(level, broken(level)) for level in good]
    both = [
        Level(
            *(
                torch.cat([getattr(a, n), getattr(b, n)])
                for n in ("target", "source", "depth", "K")
            )
        )
        for a, b in pairs
    ]
    found = refine(both, start().expand(2, 4, 4), RefineConfig(iterations=4, stop_below=0))
    alone = refine(good, start(), RefineConfig(iterations=4, stop_below=0))
    assert found.ok.tolist() == [True, False]
    assert torch.allclose(found.T_src_tgt[:1], alone.T_src_tgt, atol=1e-9)


def test_jacobian_is_the_derivative_of_the_projection() -> None:
    p = torch.tensor([[[0.7], [-0.4], [5.0]]], dtype=torch.float64)

    def pixel(delta: Tensor) -> Tensor:
        T = se3.from_rotvec(delta[None, 3:], delta[None, :3])
        return geometry.project(geometry.transform(T, p[..., None]), K)[0].flatten()

    expected = torch.autograd.functional.jacobian(pixel, torch.zeros(6, dtype=torch.float64))
    J_u, J_v = projection_jacobian(p, K)
    assert torch.allclose(torch.stack([J_u[0, :, 0], J_v[0, :, 0]]), expected, atol=1e-9)


def test_levels_that_do_not_fit_are_named() -> None:
    level = scene()[0]
    with pytest.raises(ShapeError, match="depth: got shape"):
        refine([replace(level, depth=level.depth[..., 1:])], start())
    with pytest.raises(ShapeError, match="levels: got none"):
        refine([], start())


def kitti_levels(index: int) -> list[Level]:
    """Return the levels of a frame and the next, with depth from stereo."""
    drive = read_drive(KITTI)
    images = [read_image(drive.frames[index + i].image) for i in (0, 1)]
    right = read_image(KITTI / f"image_1/{index:06d}.png")
    matcher = cv2.StereoSGBM.create(0, 96, 5, 200, 800, 1, 63, 10, 100, 2)
    disparity = matcher.compute(images[0][..., 0], right[..., 0]).astype(np.float32) / 16
    metres = drive.camera.fx * 0.5372 / np.maximum(disparity, 1) * (disparity > 1)
    depth = torch.from_numpy(metres)[None, None]
    levels = []
    for h, w in pyramid.sizes(drive.camera.width, drive.camera.height):
        small = [cv2.resize(i[..., 0], (w, h), interpolation=cv2.INTER_AREA) for i in images]
        features = [pyramid.features(torch.from_numpy(s)[None, None] / 255) for s in small]
        K_level = torch.from_numpy(drive.camera.resized(w, h).K).float()[None]
        levels.append(Level(*features, pyramid.shrink_depth(depth, (h, w)), K_level))
    return levels


@pytest.mark.skipif(not KITTI.is_dir(), reason="KITTI odometry 06 is not here")
def test_real_pixels_with_stereo_depth_give_the_metric_motion() -> None:
    poses = [frame.T_world_cam for frame in read_drive(KITTI).frames]
    scale_errors, angles = [], []
    for i, sign in zip(range(0, 50, 5), 5 * (-1, 1), strict=True):
        T_true = np.linalg.inv(poses[i + 1]) @ poses[i]
        T = cv2.Rodrigues(np.radians([0.5, 0.8 * sign, 0.3]))[0] @ T_true[:3]
        T = np.vstack([np.c_[T[:, :3], T_true[:3, 3] * (1 + 0.2 * sign)], T_true[3:]])
        found = refine(kitti_levels(i), torch.from_numpy(T)[None].float())
        T = found.T_src_tgt[0].double().numpy()
        assert bool(found.ok)
        scale_errors.append(abs(np.linalg.norm(T[:3, 3]) / np.linalg.norm(T_true[:3, 3]) - 1))
        angles.append(np.linalg.norm(cv2.Rodrigues(T[:3, :3] @ T_true[:3, :3].T)[0]))
    assert np.median(scale_errors) < 0.01
    assert np.degrees(np.median(angles)) < 0.05
