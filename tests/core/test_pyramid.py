"""Features and depth of the levels alignment works at."""

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sdepth.alignment import fused_frame, pyramid
from sdepth.pixels import RGB_WEIGHTS


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


@pytest.mark.parametrize("size", [(96, 320), (191, 637), (8, 8), (16, 21)])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_compiled_features_are_these(size: tuple[int, int], stride: int) -> None:
    soft = np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)
    image = cv2.resize(soft, size[::-1], interpolation=cv2.INTER_CUBIC)
    rgb = torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255
    grey = F.avg_pool2d(pyramid.grey(rgb), stride)

    small = fused_frame.shrink_image(image, stride, RGB_WEIGHTS)
    even = fused_frame.even(small, pyramid.WINDOW, pyramid.NOISE)

    np.testing.assert_allclose(small, grey[0, 0], atol=1e-6)
    np.testing.assert_allclose(even, pyramid.normalise(grey)[0, 0], atol=1e-3)
    exact = pyramid.features(grey)[0].permute(1, 2, 0)
    np.testing.assert_allclose(fused_frame.features(even), exact, atol=2e-3)


@pytest.mark.parametrize("size", [(24, 80), (23, 77), (48, 160), (1, 1)])
def test_compiled_depth_is_this(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    depth = rng.uniform(2, 30, (48, 160)).astype(np.float32)
    for wrong in (np.nan, np.inf, -1, 0, 50):
        depth[rng.random(depth.shape) < 0.08] = wrong
    known = torch.from_numpy(depth)[None, None]
    exact = pyramid.shrink_depth(known.where(known < 40, 0.0), size)[0, 0]

    found = fused_frame.shrink_depth(depth, *size, 40.0)

    np.testing.assert_allclose(found, exact, rtol=1e-5)
    assert (found > 0).any()
