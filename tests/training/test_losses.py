"""monodepth2's loss terms, against values worked out by hand."""

import pytest
import torch
from torch.nn import functional as F

from sdepth.errors import ShapeError
from sdepth.geometry import se3
from training.losses.photometric import (
    min_reprojection,
    motion_loss,
    photometric_error,
    smoothness,
    speed_loss,
    ssim_distance,
)


def test_equal_images_have_no_photometric_error() -> None:
    image = torch.rand(2, 3, 8, 10)

    assert float(photometric_error(image, image, 0.85).max()) < 1e-6


def test_ssim_is_the_published_formula() -> None:
    x, y = torch.rand(1, 1, 3, 3, dtype=torch.float64), torch.rand(1, 1, 3, 3, dtype=torch.float64)
    cov = (x * y).mean() - x.mean() * y.mean()
    var_x, var_y = x.var(unbiased=False), y.var(unbiased=False)
    top = (2 * x.mean() * y.mean() + 1e-4) * (2 * cov + 9e-4)
    bottom = (x.mean() ** 2 + y.mean() ** 2 + 1e-4) * (var_x + var_y + 9e-4)

    centre = ssim_distance(x, y)[0, 0, 1, 1]  # its window is the whole image

    assert float(centre) == pytest.approx(float((1 - top / bottom) / 2), rel=1e-9)


def test_l1_part_has_the_rest_of_the_weight() -> None:
    dark, light = torch.full((1, 3, 4, 4), 0.2), torch.full((1, 3, 4, 4), 0.6)
    flat_ssim = float(ssim_distance(dark, light).mean())

    error = photometric_error(dark, light, 0.85)

    assert torch.allclose(error, torch.full((1, 1, 4, 4), 0.85 * flat_ssim + 0.15 * 0.4))


def test_the_best_source_counts_in_each_pixel() -> None:
    warped = torch.tensor([[[[0.1, 0.9]], [[0.5, 0.2]]]])

    assert float(min_reprojection(warped, None, None)[0]) == pytest.approx((0.1 + 0.2) / 2)


def test_pixel_that_does_not_change_gives_no_gradient() -> None:
    warped = torch.tensor([[[[0.3, 0.3]]]], requires_grad=True)
    identity = torch.tensor([[[[0.1, 0.9]]]])  # the first pixel stands still, the second moves

    min_reprojection(warped, identity, torch.zeros_like(identity))[0].backward()

    assert warped.grad is not None
    assert warped.grad.flatten().tolist() == [0.0, 0.5]


def test_smoothness_ignores_scale_and_forgives_image_edges() -> None:
    step = torch.ones(1, 1, 4, 8)
    step[..., 4:] = 2
    flat, edge = torch.zeros(1, 3, 4, 8), step.expand(1, 3, 4, 8)

    assert float(smoothness(5 * step, flat)) == pytest.approx(float(smoothness(step, flat)))
    assert float(smoothness(step, edge)) < 0.5 * float(smoothness(step, flat))


def test_speed_loss_leaves_out_unknown_speeds() -> None:
    T, T_true = torch.eye(4).repeat(2, 1, 1), torch.eye(4).repeat(2, 1, 1)
    T[:, 2, 3], T_true[0, 2, 3], T_true[1] = 1.5, -1.0, float("nan")

    assert float(speed_loss(T, T_true)) == pytest.approx(0.5)
    assert float(speed_loss(T, torch.full_like(T, float("nan")))) == 0


def test_motion_loss_counts_a_turn_as_what_it_moves_ten_metres_ahead() -> None:
    shifted = se3.from_rotvec(torch.zeros(1, 3), torch.tensor([[0.0, 0.3, 0.4]]))
    turned = se3.from_rotvec(torch.tensor([[0.0, 0.01, 0.0]]), torch.zeros(1, 3))

    assert float(motion_loss(shifted, torch.eye(4)[None])) == pytest.approx(0.5)
    assert float(motion_loss(turned, torch.eye(4)[None])) == pytest.approx(0.1, rel=1e-3)


def test_images_of_unequal_size_are_refused() -> None:
    with pytest.raises(ShapeError):
        ssim_distance(torch.rand(1, 3, 4, 4), F.pad(torch.rand(1, 3, 4, 4), (0, 1)))
