"""Two images and a depth to a better motion; and nothing in the way of a compiler."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sdepth.alignment.refiner import DAMPING_RANGE, Refiner, make_levels, split
from sdepth.alignment.solver import RefineConfig
from sdepth.geometry import se3
from sdepth.models.feature_net import FeatureMap
from tests.core.scene import SIZE, T_TRUE, K, start, view

SHORT = RefineConfig(iterations=3, stop_below=0)


def colour_views() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return RGB images (1, 3, H, W) of target and source, depth of the target, and K."""
    target, depth = view(torch.eye(4, dtype=torch.float64)[None], 1.5)
    images = [x.float().expand(1, 3, *SIZE) for x in (target, view(T_TRUE, 1.5)[0])]
    return images[0], images[1], depth.float(), K.float()


def test_brightness_alone_finds_the_motion() -> None:
    refiner = Refiner("intensity", (4, 2, 1), SHORT)

    found = refiner(*colour_views(), start().float())

    t, t_true = found.T_src_tgt.detach()[0, :3, 3], T_TRUE[0, :3, 3].float()
    assert bool(found.ok)
    assert abs(t.norm() / t_true.norm() - 1) < 0.02
    assert (t - t_true).norm() < 0.1 * t_true.norm()  # brightness is uneven at the border


def test_damping_starts_where_the_search_would() -> None:
    refiner = Refiner("unet", (8, 4, 2), RefineConfig(damping=0.3))

    damping = refiner.damping().detach()

    assert damping.shape == (3, 6)
    assert torch.allclose(damping, torch.tensor(0.3))


def test_damping_stays_in_its_range() -> None:
    refiner = Refiner("random", (4,))
    with torch.no_grad():
        refiner.damping_logit.copy_(torch.tensor([[-99.0, 99, -99, 99, -99, 99]]))

    ends = refiner.damping().detach()[0, :2]

    assert torch.allclose(ends, 10.0 ** torch.tensor(DAMPING_RANGE))


def test_features_and_damping_learn_from_the_motion() -> None:
    torch.manual_seed(0)
    refiner = Refiner("unet", (4, 2), SHORT)

    found = refiner(*colour_views(), start(0.8, 0.5).float())
    (found.T_levels[-1] - T_TRUE.float()).square().sum().backward()

    for name, p in refiner.named_parameters():
        assert p.grad is not None, name
        assert torch.isfinite(p.grad).all(), name
        assert p.grad.any(), name


def test_both_frames_are_told_apart() -> None:
    both = FeatureMap(torch.arange(4.0).view(4, 1, 1, 1), torch.arange(4.0).view(4, 1, 1, 1) / 4)

    target, source = split(both)

    assert target.features.flatten().tolist() == [0, 1]
    assert source.features.flatten().tolist() == [2, 3]
    assert source.confidence is not None
    assert source.confidence.flatten().tolist() == [0.5, 0.75]
    assert split(replace(both, confidence=None))[1].confidence is None


def test_levels_see_the_camera_at_their_size() -> None:
    maps = [(FeatureMap(torch.rand(1, 2, 12, 40), None),) * 2]

    (level,) = make_levels(maps, torch.full((1, 1, *SIZE), 7.0), K)

    # Half a pixel is lost on either side: (159.5 + 0.5) / 8 - 0.5.
    assert level.K[0, 0].tolist() == pytest.approx([22.5, 0, 19.5])
    assert level.K[0, 1].tolist() == pytest.approx([0, 22.5, 5.5])
    assert level.depth.shape == (1, 1, 12, 40)
    assert torch.allclose(level.depth, torch.tensor(7.0))


@pytest.mark.parametrize("unroll", [True, False])
def test_a_fixed_number_of_steps_compiles_in_one_piece(unroll: bool) -> None:
    torch._dynamo.reset()
    config = RefineConfig(iterations=1, stop_below=0, unroll=unroll)
    refiner = Refiner("unet", (4, 2), config).eval()
    inputs = (torch.rand(2, 3, 32, 64), torch.rand(2, 3, 32, 64), 5 + torch.rand(2, 1, 32, 64))
    T_initial = se3.from_rotvec(torch.zeros(2, 3), torch.full((2, 3), 0.1))
    K_small = torch.tensor([[[40.0, 0, 31.5], [0, 40.0, 15.5], [0, 0, 1]]]).expand(2, 3, 3)

    def motion(*given: Tensor) -> Tensor:
        T: Tensor = refiner(*given).T_levels
        return T

    expected = motion(*inputs, K_small, T_initial)
    compiled = torch.compile(motion, fullgraph=True, backend="eager")(*inputs, K_small, T_initial)

    assert se3.rotation_angle(expected.detach()[-1, :, :3, :3]).max() > 0
    assert torch.allclose(compiled, expected, atol=1e-5)
