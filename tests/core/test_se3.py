"""Rigid transforms, also at and near zero."""

from __future__ import annotations

import pytest
import torch

from sdepth.errors import ShapeError
from sdepth.geometry import se3

VECTOR = torch.tensor([[0.3, -0.5, 0.7]], dtype=torch.float64)


def test_skew_matrix_is_the_cross_product() -> None:
    p = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(se3.skew(VECTOR)[0] @ p, torch.linalg.cross(VECTOR[0], p))


@pytest.mark.parametrize("angle", [0.0, 1e-8, 0.9e-3, 1.1e-3, 1.0, 3.1])
def test_exponential_equals_the_matrix_exponential(angle: float) -> None:
    rotvec = angle * VECTOR / VECTOR.norm()
    expected = torch.linalg.matrix_exp(se3.skew(rotvec))
    # the series used below 1e-3 rad drops terms of angle^4 / 120
    torch.testing.assert_close(se3.exp_so3(rotvec), expected, rtol=0, atol=1e-12)


def test_rotations_are_orthonormal_and_right_handed() -> None:
    R = se3.exp_so3(torch.randn(20, 3, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(R @ R.mT, torch.eye(3).expand(20, 3, 3), rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(20))


@pytest.mark.parametrize("start", [torch.zeros(1, 3).double(), VECTOR])
def test_gradients_are_exact_also_at_zero(start: torch.Tensor) -> None:
    rotvec = start.clone().requires_grad_()
    t = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(se3.from_rotvec, (rotvec, t))


def test_float32_gradient_at_zero_is_finite() -> None:
    rotvec = torch.zeros(2, 3, requires_grad=True)
    se3.exp_so3(rotvec)[:, 2, 1].sum().backward()
    assert rotvec.grad is not None
    assert rotvec.grad.tolist() == [[1, 0, 0], [1, 0, 0]]


def test_inverse_undoes_the_transform() -> None:
    T = se3.from_rotvec(VECTOR, torch.tensor([[1.0, -2.0, 3.0]], dtype=torch.float64))
    identity = torch.eye(4, dtype=torch.float64)[None]
    torch.testing.assert_close(se3.inverse(T) @ T, identity)
    torch.testing.assert_close(T @ se3.inverse(T), identity)


@pytest.mark.parametrize("angle", [0.0, 1e-7, 1e-4, 0.5, 3.1])
def test_rotation_angle_is_accurate_also_near_zero(angle: float) -> None:
    R = se3.exp_so3((angle * VECTOR / VECTOR.norm()).float())
    # float32: an arccos of the trace would be off by 5e-4 rad here
    assert se3.rotation_angle(R).item() == pytest.approx(angle, rel=1e-4, abs=1e-9)


def test_leading_dimensions_are_kept() -> None:
    T = se3.from_rotvec(torch.zeros(2, 5, 3), torch.ones(2, 5, 3))
    assert T.shape == se3.inverse(T).shape == (2, 5, 4, 4)
    assert se3.rotation_angle(T[..., :3, :3]).shape == (2, 5)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ShapeError, match="rotvec"):
        se3.exp_so3(torch.zeros(4))
    with pytest.raises(ShapeError, match="T_target_source"):
        se3.inverse(torch.eye(3))
