"""Features of images: what comes out, what does not change it, what learns and what does not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sdepth.errors import ConfigError
from sdepth.models.encoder import ResNetEncoder
from sdepth.models.feature_net import CHANNELS, EncoderFeatures, make_features
from sdepth.models.lite_mono import LiteMonoEncoder


@pytest.fixture
def image() -> Tensor:
    """Return two textured images, contrast well above noise."""
    torch.manual_seed(0)
    coarse = torch.rand(2, 3, 16, 24)
    return 0.7 * F.interpolate(coarse, (64, 96), mode="bilinear") + 0.2 * torch.rand(2, 3, 64, 96)


@pytest.mark.parametrize(
    ("kind", "strides"),
    [
        ("unet", (4, 2)),
        ("unet", (8, 4, 2)),
        ("unet", (8,)),
        ("unet", (8, 2)),
        ("random", (4, 2)),
        ("encoder", (16, 4)),
        ("encoder", (8, 4, 2)),
    ],
)
def test_learned_features_have_unit_length_and_a_confidence_at_each_stride(
    image: Tensor, kind: str, strides: tuple[int, ...]
) -> None:
    maps = make_features(kind, strides, ResNetEncoder("tiny"))(image)

    sizes = [(2, CHANNELS, 64 // s, 96 // s) for s in strides]
    assert [tuple(m.features.shape) for m in maps] == sizes
    for m in maps:
        length = m.features.detach().norm(dim=1)
        assert torch.allclose(length, torch.ones_like(length), atol=1e-5)
        assert m.confidence is not None
        assert m.confidence.shape == (2, 1, *m.features.shape[2:])
        assert 0 < float(m.confidence.detach().min()) <= float(m.confidence.detach().max()) < 1


def test_brightness_comes_at_each_stride_without_confidence(image: Tensor) -> None:
    maps = make_features("intensity", (4, 2, 1))(image)

    assert [tuple(m.features.shape[2:]) for m in maps] == [(16, 24), (32, 48), (64, 96)]
    assert all(m.confidence is None for m in maps)


@pytest.mark.parametrize("kind", ["unet", "random", "intensity"])
def test_half_the_exposure_hardly_changes_features(image: Tensor, kind: str) -> None:
    net = make_features(kind, (4, 2))

    def pattern(x: Tensor) -> Tensor:
        # Without the mean, which an untrained network's biases make nearly all of.
        return (x - x.mean((2, 3), keepdim=True)).detach().flatten(1)

    for bright, dim in zip(net(image), net(0.5 * image), strict=True):
        a, b = pattern(bright.features), pattern(dim.features)
        assert F.cosine_similarity(a, b).min() > 0.99
        assert F.cosine_similarity(a, a.flip(0)).max() < 0.5


@pytest.mark.parametrize(
    ("kind", "strides"),
    [
        ("unet", (16, 4)),
        ("unet", (2, 4)),
        ("unet", ()),
        ("encoder", (32,)),
        ("random", (1,)),
        ("intensity", (2, 4)),
        ("intensity", (3,)),
        ("intensity", ()),
    ],
)
def test_strides_a_network_does_not_have_are_named(kind: str, strides: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"strides \[.*\]: expected some of .*coarse to fine"):
        make_features(kind, strides, ResNetEncoder("tiny"))


def test_features_of_lite_mono_come_at_its_strides(image: Tensor) -> None:
    encoder = LiteMonoEncoder("lite-mono-tiny")
    maps = make_features("encoder", (16, 4), encoder)(image)
    assert [tuple(m.features.shape[2:]) for m in maps] == [(4, 6), (16, 24)]
    with pytest.raises(ConfigError, match=r"strides \[2\]: expected some of \[16, 8, 4\]"):
        make_features("encoder", (2,), encoder)


def test_unknown_features_are_named() -> None:
    with pytest.raises(ConfigError, match="features 'sift': expected unet"):
        make_features("sift", (4, 2))
    with pytest.raises(ConfigError, match="features 'encoder'"):
        make_features("encoder", (4, 2), None)


def test_features_of_the_encoder_leave_the_encoder_as_it_is(image: Tensor) -> None:
    encoder = ResNetEncoder("tiny").train()
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    net = EncoderFeatures((4, 2), encoder)

    sum(m.features[:, 0].sum() + m.confidence.sum() for m in net(image)).backward()

    assert not {id(p) for p in net.parameters()} & {id(p) for p in encoder.parameters()}
    assert all(name.startswith("heads.") for name in net.state_dict())
    assert all(p.grad is None for p in encoder.parameters())
    assert all(p.grad is not None and bool(p.grad.any()) for p in net.parameters())
    assert encoder.training
    assert all(m.training for m in encoder.modules())
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


def test_random_features_have_nothing_that_learns() -> None:
    assert not any(p.requires_grad for p in make_features("random", (4, 2)).parameters())
    assert all(p.requires_grad for p in make_features("unet", (4, 2)).parameters())
    assert not list(make_features("intensity", (4, 2)).parameters())
