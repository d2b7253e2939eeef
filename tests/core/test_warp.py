"""The source image seen from the target camera."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdepth.errors import ShapeError
from sdepth.geometry import se3
from sdepth.geometry.warp import sample, warp

HEIGHT, WIDTH = 6, 8
K = torch.tensor([[[8.0, 0.0, 3.5], [0.0, 8.0, 2.5], [0.0, 0.0, 1.0]]], dtype=torch.float64)
DEPTH = torch.full((1, 1, HEIGHT, WIDTH), 4.0, dtype=torch.float64)


def noise() -> Tensor:
    """Return an image (1, 3, H, W) without any structure."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(1, 3, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)


def moved(x: float, y: float, z: float) -> Tensor:
    """Return T_src_tgt (1, 4, 4) of a translation, metres."""
    t = torch.tensor([[x, y, z]], dtype=torch.float64)
    return se3.from_rotvec(torch.zeros_like(t), t)


def test_identity_pose_warps_image_onto_itself() -> None:
    image = noise()
    warped, visible = warp(image, DEPTH, moved(0, 0, 0), K)
    torch.testing.assert_close(warped, image, rtol=0, atol=1e-12)  # the border included
    assert visible.all()


def test_identity_holds_in_single_precision_for_any_depth() -> None:
    image = noise().float()
    depth = 1 + 79 * noise()[:, :1].float()
    warped, visible = warp(image, depth, moved(0, 0, 0).float(), K.float())
    torch.testing.assert_close(warped, image, rtol=0, atol=1e-5)  # float32 rounding of u, v
    assert visible.all()


@pytest.mark.parametrize(("x", "y", "du", "dv"), [(1.0, 0.0, 2, 0), (0.0, -0.5, 0, -1)])
def test_translated_plane_gives_analytic_flow(x: float, y: float, du: int, dv: int) -> None:
    # flow of a plane at depth Z is f t / Z: 8 px * 1 m / 4 m = 2 px
    image = noise()
    warped, visible = warp(image, DEPTH, moved(x, y, 0), K)
    torch.testing.assert_close(warped, _shifted(image, du, dv))
    inside = _shifted(torch.ones_like(image[:, :1]), du, dv, fill=True) > 0
    torch.testing.assert_close(visible, inside)


def test_half_a_pixel_of_flow_averages_two_pixels() -> None:
    image = noise()
    warped, _ = warp(image, DEPTH, moved(0.25, 0, 0), K)
    expected = (image[..., :-1] + image[..., 1:]) / 2
    torch.testing.assert_close(warped[..., :-1], expected)


def test_moving_towards_a_plane_magnifies_it() -> None:
    ramp = torch.arange(WIDTH, dtype=torch.float64).expand(1, 1, HEIGHT, WIDTH)
    warped, visible = warp(ramp, DEPTH, moved(0, 0, 4.0), K)  # twice as far in the source
    torch.testing.assert_close(warped, 3.5 + (ramp - 3.5) / 2)
    assert visible.all()


def test_points_behind_the_source_camera_are_not_visible() -> None:
    _, visible = warp(noise(), DEPTH, moved(0, 0, -5.0), K)
    assert not visible.any()


def test_gradients_reach_depth_and_pose() -> None:
    depth, rotvec = (DEPTH + noise()[:, :1]).requires_grad_(), torch.zeros(1, 3).double()
    rotvec.requires_grad_()
    t = torch.tensor([[0.11, 0.07, 0.3]], dtype=torch.float64)
    warped, _ = warp(noise(), depth, se3.from_rotvec(rotvec, t), K)
    warped.sum().backward()
    for leaf in (depth, rotvec):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()
        assert leaf.grad.abs().sum() > 0


def test_samples_beyond_the_border_repeat_it() -> None:
    image = noise()
    uv = torch.tensor([[-50.0, WIDTH + 50.0], [-50.0, HEIGHT + 50.0]], dtype=torch.float64)
    corners = sample(image, uv.view(1, 2, 1, 2))
    torch.testing.assert_close(corners[0, :, 0, 0], image[0, :, 0, 0])
    torch.testing.assert_close(corners[0, :, 0, 1], image[0, :, -1, -1])


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ShapeError, match="image_src"):
        warp(noise()[0], DEPTH, moved(0, 0, 0), K)
    with pytest.raises(ShapeError, match="uv"):
        sample(noise(), torch.zeros(1, 3, 2, 2))


def _shifted(image: Tensor, du: int, dv: int, fill: bool = False) -> Tensor:
    """Return image[v + dv, u + du]; beyond the border its pixel, or 0 with ``fill``."""
    rows, columns = torch.arange(HEIGHT) + dv, torch.arange(WIDTH) + du
    out = image[:, :, rows.clamp(0, HEIGHT - 1)][..., columns.clamp(0, WIDTH - 1)].clone()
    if fill:
        out[:, :, (rows < 0) | (rows >= HEIGHT)] = 0
        out[..., (columns < 0) | (columns >= WIDTH)] = 0
    return out
