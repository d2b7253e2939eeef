"""Pixels to points and back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdepth.errors import ShapeError
from sdepth.geometry import projection, se3

K = torch.tensor([[[4.0, 0.0, 1.5], [0.0, 5.0, 0.5], [0.0, 0.0, 1.0]]], dtype=torch.float64)


def random_depth() -> Tensor:
    """Return (1, 1, 3, 4), 1 to 10 m."""
    generator = torch.Generator().manual_seed(0)
    return 1 + 9 * torch.rand(1, 1, 3, 4, generator=generator, dtype=torch.float64)


def test_the_ray_of_a_pixel_is_K_inverse_times_the_pixel() -> None:
    rays = projection.pixel_rays(K, height=3, width=4)
    assert rays.shape == (1, 3, 3, 4)
    expected = torch.linalg.inv(K[0]) @ torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(rays[0, :, 2, 3], expected)


def test_depth_is_along_the_optical_axis() -> None:
    depth = random_depth()
    torch.testing.assert_close(projection.unproject(depth, K)[:, 2:], depth)


def test_projecting_unprojected_pixels_returns_them() -> None:
    depth = random_depth()
    uv, z = projection.project(projection.unproject(depth, K), K)
    torch.testing.assert_close(z, depth)
    assert uv[0, :, 0, 0].tolist() == pytest.approx([0, 0], abs=1e-12)
    assert uv[0, :, 2, 3].tolist() == pytest.approx([3, 2])


@pytest.mark.parametrize("z", [0.0, -5.0, projection.MIN_Z / 2])
def test_points_at_or_behind_the_camera_stay_finite_and_keep_their_z(z: float) -> None:
    uv, depth = projection.project(torch.tensor([1.0, 1.0, z]).view(1, 3, 1, 1), K.float())
    assert uv.isfinite().all()
    assert depth.item() == pytest.approx(z)


def test_each_image_of_a_batch_has_its_own_camera() -> None:
    wide = K.clone()
    wide[:, 0, 0] = 2.0
    points = projection.unproject(random_depth().expand(2, -1, -1, -1), torch.cat([K, wide]))
    torch.testing.assert_close(points[1, 0], 2 * points[0, 0])


def test_transform_rotates_then_translates() -> None:
    quarter_turn = torch.tensor([[0.0, 0.0, torch.pi / 2]])
    T = se3.from_rotvec(quarter_turn, torch.tensor([[10.0, 0.0, 0.0]]))
    p = projection.transform(T, torch.tensor([1.0, 0.0, 3.0]).view(1, 3, 1, 1))
    assert p.flatten().tolist() == pytest.approx([10, 1, 3], abs=1e-6)


def test_depth_gets_gradients_through_projection() -> None:
    depth = random_depth().requires_grad_()
    T = se3.from_rotvec(torch.full((1, 3), 0.1).double(), torch.full((1, 3), 0.2).double())
    assert torch.autograd.gradcheck(
        lambda d: projection.project(projection.transform(T, projection.unproject(d, K)), K), depth
    )


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ShapeError, match=r"depth: got shape \(3, 4\), expected \(B, 1, H, W\)"):
        projection.unproject(torch.ones(3, 4), K)
    with pytest.raises(ShapeError, match="T_target_source"):
        projection.transform(torch.eye(3)[None], torch.ones(1, 3, 3, 4))
    with pytest.raises(ShapeError, match="p_cam"):
        projection.project(torch.ones(1, 2, 3, 4), K)
