"""Features and depth of the levels alignment works at."""

import torch

from sdepth.alignment import pyramid


def test_lengths_are_rounded_to_a_multiple_and_never_to_nothing() -> None:
    assert [pyramid.rounded(x, 16) for x in (3.0, 193.2, 640.0)] == [16, 192, 640]


def test_features_do_not_see_brightness() -> None:
    grey = torch.rand(1, 1, 48, 160, dtype=torch.float64)
    brighter = pyramid.features(grey + 0.2)
    assert torch.allclose(brighter, pyramid.features(grey), atol=1e-6)


def test_features_hardly_see_contrast() -> None:
    grey = torch.rand(1, 1, 48, 160, dtype=torch.float64)
    dimmer = pyramid.features(0.5 * grey)[:, :1]
    assert torch.allclose(dimmer, pyramid.features(grey)[:, :1], rtol=0.1, atol=0.01)


def test_a_flat_image_has_no_features() -> None:
    assert pyramid.features(torch.full((1, 1, 24, 80), 0.3)).abs().max() < 1e-2


def test_depth_shrinks_by_its_inverse_over_what_is_known() -> None:
    depth = torch.tensor([[2.0, 4.0, 0.0, torch.nan], [0.0, 4.0, 0.0, 5.0]])[None, None]
    small = pyramid.shrink_depth(depth, (1, 2))
    assert torch.allclose(small, torch.tensor([[[[3.0, 0.0]]]]))


def test_depth_of_the_size_wanted_loses_only_what_is_unknown() -> None:
    depth = torch.tensor([[2.0, 0.0], [torch.nan, torch.inf]])[None, None]
    same = pyramid.shrink_depth(depth, (2, 2))
    assert torch.equal(same, torch.tensor([[[[2.0, 0.0], [0.0, 0.0]]]]))
