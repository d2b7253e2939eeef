"""Consistency losses, against scenes whose depth is known in closed form."""

import pytest
import torch
from torch import Tensor

from sdepth.geometry import projection, se3
from training.losses.consistency import geometry_loss, points_apart, projection_loss

HEIGHT, WIDTH, FOCAL = 24, 48, 40.0


def intrinsics(batch: int = 1) -> Tensor:
    K = torch.tensor([[FOCAL, 0, (WIDTH - 1) / 2], [0, FOCAL, (HEIGHT - 1) / 2], [0, 0, 1]])
    return K.double().repeat(batch, 1, 1)


def shifted(*x: float) -> Tensor:
    """Return T_src_now (1, len(x), 4, 4): the scene x metres to the right in each source."""
    t = torch.tensor([[step, 0.0, 0.0] for step in x], dtype=torch.float64)
    return se3.from_rotvec(torch.zeros_like(t), t)[None]


def rough(seed: int, near: float = 4, far: float = 9) -> Tensor:
    noise = torch.rand(1, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))
    return near + (far - near) * noise.double()


def plane(T_now_src: Tensor) -> Tensor:
    """Return the exact depth of a slanted wall, as frame "src" sees it."""
    n, distance = torch.tensor([0.1, -0.2, 1.0], dtype=torch.float64), 8.0  # n . p = 8 in "now"
    n_src = n @ T_now_src[0, :3, :3]
    rays = projection.pixel_rays(intrinsics(), HEIGHT, WIDTH)
    left = distance - n @ T_now_src[0, :3, 3]
    return left / torch.einsum("c,bchw->bhw", n_src, rays)[:, None]


def test_depths_of_one_wall_agree_from_every_side() -> None:
    rotvec = torch.tensor([[0.0, 0.03, 0.01], [0.02, -0.02, 0.0]], dtype=torch.float64)
    t = torch.tensor([[0.3, 0.0, -0.5], [-0.2, 0.1, 0.6]], dtype=torch.float64)
    T = se3.from_rotvec(rotvec, t)
    now, *others = (plane(x[None]) for x in (torch.eye(4).double(), *se3.inverse(T)))

    agree = projection_loss(now, others, T[None], intrinsics())
    doubled = projection_loss(now, [2 * d for d in others], T[None], intrinsics())

    assert float(agree) < 2e-3  # half a pixel beyond the border is read at the border
    assert float(doubled) > 0.2


@pytest.mark.parametrize("normalized", [True, False])
def test_error_is_the_depths_times_the_ray_which_normalising_cancels(normalized: bool) -> None:
    depth, K = torch.full_like(rough(0), 8), intrinsics()
    other, T = rough(1), shifted(8 * 3 / FOCAL)[:, 0]  # three pixels exactly: no interpolation
    rays = projection.pixel_rays(K, HEIGHT, WIDTH)

    points = projection.unproject(depth, K), projection.unproject(other, K)
    apart, visible = points_apart(*points, T, K, normalized)

    z, ray = other[..., 3:], rays[..., 3:].abs().sum(1, keepdim=True)
    expected = (8 - z).abs() / (8 + z) if normalized else (8 - z).abs() * ray
    assert torch.allclose(apart[..., :-3], expected, rtol=1e-9)
    assert visible[..., :-3].all()
    assert not visible[..., -3:].any()


def test_normalised_loss_is_the_geometry_loss_of_both_directions() -> None:
    depth, K, others = torch.full_like(rough(0), 8), intrinsics(), [rough(1), rough(2)]
    T = shifted(8 * 3 / FOCAL, -8 * 2 / FOCAL)

    both = projection_loss(depth, others, T, K)

    back = [geometry_loss(d, [depth], se3.inverse(T[:, [i]]), K) for i, d in enumerate(others)]
    ways = geometry_loss(depth, others, T, K) + sum(back) / 2
    # Half a pixel beyond the border, where the ray is not the point's, keeps it from exactness.
    assert float(both) == pytest.approx(float(ways) / 2, rel=5e-3)


def test_scale_of_the_scene_is_free_unless_metres_are_counted() -> None:
    depth, others, K, T = rough(0), [rough(1), rough(2)], intrinsics(), shifted(0.4, -0.3)
    small = 0.1 * depth, [0.1 * d for d in others], shifted(0.04, -0.03)

    for normalized, ratio in ((True, 1.0), (False, 0.1)):
        loss = projection_loss(depth, others, T, K, normalized)
        shrunk = projection_loss(*small, K, normalized)
        assert float(shrunk) == pytest.approx(ratio * float(loss), rel=1e-9)


def test_every_depth_and_motion_learns() -> None:
    depth, others = rough(0).requires_grad_(), [rough(i).requires_grad_() for i in (1, 2)]
    T = shifted(0.4, -0.3).requires_grad_()

    projection_loss(depth, others, T, intrinsics()).backward()

    for tensor in (depth, *others):
        assert tensor.grad is not None
        assert (tensor.grad != 0).double().mean() > 0.9  # all but those that leave the image
    assert T.grad is not None
    assert bool(T.grad[0, :, :3, 3].abs().gt(0).all())


def test_pixels_that_do_not_count_teach_nothing() -> None:
    depth, other = rough(0).requires_grad_(), rough(1).requires_grad_()
    counts = torch.ones(1, 1, HEIGHT, WIDTH, dtype=torch.bool)
    counts[..., 20:] = False

    projection_loss(depth, [other], shifted(0.1), intrinsics(), counts=counts).backward()

    for grad in (depth.grad, other.grad):
        assert grad is not None
        assert float(grad[..., 22:].abs().max()) == 0  # beside the edge, both sides are read
        assert float(grad[..., 4:18].abs().min()) > 0
    nothing = projection_loss(depth, [other], shifted(0.1), intrinsics(), counts=0 * counts)
    assert float(nothing.detach()) == 0


def test_points_behind_the_camera_count_nothing_and_break_nothing() -> None:
    depth = rough(0).requires_grad_()
    T = se3.from_rotvec(torch.zeros(1, 3), torch.tensor([[0.0, 0.0, -6.0]])).double()

    loss = projection_loss(depth, [rough(1)], T[None], intrinsics())
    loss.backward()

    assert 0 < float(loss.detach()) <= 1
    assert depth.grad is not None
    assert bool(torch.isfinite(depth.grad).all())
