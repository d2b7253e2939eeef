"""Discriminators: what each of them may see, and that none wins by its size."""

from __future__ import annotations

import pytest
import torch

from sdepth.errors import ConfigError, ShapeError
from training.prior.discriminator_blocks import FRAMES, TEMPORAL, SpatialModule, TemporalModule
from training.prior.discriminators import DiscriminatorConfig, make_discriminator, prior_maps

ROUNDING = 1e-5  # of float32 logits near 1, summed in another order


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def moving_clip(batch: int = 2, size: tuple[int, int] = (64, 96)) -> torch.Tensor:
    """Return disparities (B, 3, H, W) of a near box that moves 4 pixels a frame."""
    clip = 0.1 + 0.02 * torch.rand(batch, 1, *size).expand(-1, FRAMES, -1, -1)
    clip = clip.clone()
    for t in range(FRAMES):
        clip[:, t, 20:40, 30 + 4 * t : 50 + 4 * t] = 0.5
    return clip


def clip_discriminator(**options) -> torch.nn.Module:
    return make_discriminator(DiscriminatorConfig(width=16, **options))


def parameters(**options) -> int:
    return sum(p.numel() for p in make_discriminator(DiscriminatorConfig(**options)).parameters())


@pytest.mark.parametrize("kind", TEMPORAL)
def test_change_module_leaves_a_static_clip_as_it_is(kind: str) -> None:
    x = torch.randn(2, 1, 8, 12, 20).expand(-1, FRAMES, -1, -1, -1).flatten(0, 1)

    assert torch.equal(TemporalModule(8, kind)(x), x)


@pytest.mark.parametrize("kind", TEMPORAL)
def test_change_module_answers_where_something_moved(kind: str) -> None:
    x = torch.ones(FRAMES, 8, 12, 40)
    for t in range(FRAMES):
        x[t, :, 4:8, 8 + t : 12 + t] = 3.0
    module = TemporalModule(8, kind)

    change = (module(x) - x).abs().amax((0, 1))

    assert change[4:8, 7:15].max() > 1e-3
    assert not change[:, 20:].any()


@pytest.mark.parametrize("kind", TEMPORAL)
def test_order_of_frames_changes_the_logits(kind: str) -> None:
    d, clip = clip_discriminator(temporal=kind), moving_clip()

    with torch.no_grad():
        logits, shuffled = d(clip), d(clip[:, [1, 0, 2]])

    assert (logits - shuffled).abs().max() > 100 * ROUNDING


def test_without_change_module_order_of_frames_is_unseen() -> None:
    d, clip = clip_discriminator(temporal=""), moving_clip()

    with torch.no_grad():
        logits, shuffled = d(clip), d(clip[:, [1, 0, 2]])

    torch.testing.assert_close(logits, shuffled, atol=ROUNDING, rtol=0)


def change_seen(d: torch.nn.Module, clip: torch.Tensor) -> float:
    """Return the largest gate of any change module on the way of a clip."""
    gates: list[float] = []
    for module in d.modules():
        if isinstance(module, TemporalModule):
            module.register_forward_pre_hook(
                lambda m, args: gates.append(float(m.gate(args[0]).abs().max()))
            )
    with torch.no_grad():
        d(clip)
    assert len(gates) == 4
    return max(gates)


@pytest.mark.parametrize("kind", TEMPORAL)
def test_duplicated_frames_show_no_change_in_any_block(kind: str) -> None:
    moving = moving_clip()
    duplicated = moving[:, 1:2].expand(-1, FRAMES, -1, -1)

    assert change_seen(clip_discriminator(temporal=kind), duplicated) < ROUNDING
    assert change_seen(clip_discriminator(temporal=kind), moving) > 1e-3


@pytest.mark.parametrize("cell", [1, 4])
@pytest.mark.parametrize("size", [(9, 30), (16, 12)])
def test_space_module_sees_the_whole_row_and_column(size: tuple[int, int], cell: int) -> None:
    module = SpatialModule(16, cell)
    with torch.no_grad():
        module.scale.fill_(1.0)  # zero before training: no attention yet
    module.finish = torch.nn.Identity()  # its norm alone would see everything
    x = torch.randn(1, 16, *size, requires_grad=True)

    module(x)[0, :, 4, 5].square().sum().backward()

    assert x.grad is not None
    seen = x.grad.abs().sum((0, 1)) > 0
    assert seen[4].all()
    assert seen[:, 5].all()


def test_space_module_starts_local() -> None:
    module = SpatialModule(16)
    module.finish = torch.nn.Identity()
    x = torch.randn(1, 16, 9, 30, requires_grad=True)

    module(x)[0, :, 4, 5].square().sum().backward()

    assert x.grad is not None
    assert not x.grad[..., 8:].any()  # the widest filter reaches two pixels


@pytest.mark.parametrize("kind", ["patch", "clip"])
def test_scale_of_a_frame_is_no_cue(kind: str) -> None:
    d, clip = clip_discriminator(kind=kind), moving_clip()
    scale = torch.tensor([0.5, 1.7, 1.1]).view(1, FRAMES, 1, 1)

    with torch.no_grad():
        logits, scaled = d(clip), d(clip * scale)

    torch.testing.assert_close(logits, scaled, atol=100 * ROUNDING, rtol=0)  # through the norms


def test_prior_maps_are_relative_disparity_row_and_column() -> None:
    maps = prior_maps(moving_clip())

    torch.testing.assert_close(maps[:, 0].mean((2, 3)), torch.ones(2, FRAMES))
    torch.testing.assert_close(maps[0, 1, 0, :, 3], torch.linspace(0, 1, 64))
    torch.testing.assert_close(maps[1, 2, 2, 5], torch.linspace(0, 1, 96))


def test_patch_sees_the_middle_frame_alone() -> None:
    d, clip = clip_discriminator(kind="patch"), moving_clip().requires_grad_()

    d(clip).square().sum().backward()

    assert clip.grad is not None
    assert [bool(g.any()) for g in clip.grad[0]] == [False, True, False]


def test_clip_sees_every_frame() -> None:
    d, clip = clip_discriminator(), moving_clip().requires_grad_()

    d(clip).square().sum().backward()

    assert clip.grad is not None
    assert all(g.any() for g in clip.grad[0])


@pytest.mark.parametrize("width", [8, 16, 64])
def test_discriminators_of_one_width_have_comparable_parameters(width: int) -> None:
    patch = parameters(kind="patch", width=width)
    ablations = [
        parameters(width=width, temporal=temporal, spatial=spatial)
        for temporal in (*TEMPORAL, "")
        for spatial in (True, False)
    ]

    assert max(ablations) < 1.3 * patch
    assert max(ablations) < 1.1 * min(ablations)


@pytest.mark.parametrize("kind", ["patch", "clip"])
@pytest.mark.parametrize("size", [(64, 192), (96, 320)])
def test_logits_are_of_patches(kind: str, size: tuple[int, int]) -> None:
    logits = clip_discriminator(kind=kind)(torch.rand(2, FRAMES, *size))

    stride = {"patch": 8, "clip": 16}[kind]
    lost = {"patch": 2, "clip": 0}[kind]  # PatchGAN's last two layers lose a row and column each
    assert logits.shape == (2, 1, size[0] // stride - lost, size[1] // stride - lost)
    assert logits.isfinite().all()


@pytest.mark.parametrize("kind", ["patch", "clip"])
def test_every_parameter_can_learn(kind: str) -> None:
    d = clip_discriminator(kind=kind)
    for module in d.modules():
        if isinstance(module, SpatialModule):
            torch.nn.init.ones_(module.scale)

    d(moving_clip()).square().mean().backward()

    assert all(p.grad is not None and p.grad.isfinite().all() for p in d.parameters())


def test_clip_learns_to_tell_motion_from_its_frames_shuffled() -> None:
    moving = moving_clip(4)
    shuffled = moving[:, [1, 0, 2]]
    d = clip_discriminator()
    optimiser = torch.optim.Adam(d.parameters(), 1e-3)
    for _ in range(20):
        loss = (d(moving) - 1).square().mean() + d(shuffled).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    assert float(loss.detach()) < 0.25  # without seeing the order it stays at 0.5


@pytest.mark.parametrize(
    ("option", "names"),
    [
        ({"kind": "wgan"}, "patch.*clip"),
        ({"temporal": "flow"}, "planes.*central.*shifts.*plain"),
        ({"width": 12}, "multiple of 8"),
    ],
)
def test_bad_option_is_refused_with_the_choices(option: dict, names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        DiscriminatorConfig(**option)


def test_clip_of_two_frames_is_refused() -> None:
    with pytest.raises(ShapeError, match="clip"):
        clip_discriminator()(torch.rand(1, 2, 64, 96))
