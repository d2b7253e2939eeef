"""Depth is held to the network it started from where images say nothing, and only there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdepth.errors import ConfigError
from sdepth.models.depth_net import DepthNet
from training.config import TrainConfig
from training.hold import Hold, HoldConfig, find_void

K = torch.tensor([[[60.0, 0, 47.5], [0, 60, 31.5], [0, 0, 1]]])
RANGE_M = (1.0, 100.0)


def triplet() -> Tensor:
    """Return three frames whose left half has texture and whose right half has none."""
    images = torch.full((1, 3, 3, 64, 96), 0.5)
    images[..., :48] = torch.rand((1, 3, 3, 64, 48), generator=torch.Generator().manual_seed(0))
    return images


def sideways() -> Tensor:
    """Return motions of a metre to the left and to the right."""
    T = torch.eye(4).repeat(1, 2, 1, 1)
    T[0, 0, 0, 3], T[0, 1, 0, 3] = -1.0, 1.0
    return T


def test_void_is_where_a_changed_depth_changes_nothing() -> None:
    depth, kept = torch.full((1, 1, 64, 96), 10.0), torch.ones(1, 1, 64, 96, dtype=torch.bool)

    moving = find_void(triplet(), depth, sideways(), K, kept, 0.02)
    standing = find_void(triplet(), depth, torch.eye(4).repeat(1, 2, 1, 1), K, kept, 0.02)

    assert moving[..., 12:36].max() < 0.05
    assert moving[..., 66:].min() == 1
    assert standing.min() > 0.999  # rounding of where a pixel lands


def test_what_the_auto_mask_leaves_out_is_void() -> None:
    kept = torch.zeros(1, 1, 64, 96, dtype=torch.bool)
    void = find_void(triplet(), torch.full((1, 1, 64, 96), 10.0), sideways(), K, kept, 0.02)
    assert void.min() == 1


def test_unchanged_network_is_not_held() -> None:
    torch.manual_seed(0)
    net = DepthNet("tiny").eval()
    hold, image = Hold(HoldConfig(weight=1.0, scale_weight=1.0), net), torch.rand(2, 3, 64, 96)

    away, scale = hold(image, net(image, scales=1)[0], RANGE_M, torch.ones(2, 1, 64, 96))

    assert float(away.detach()) == 0
    assert float(scale.detach()) == 0


def test_shape_alone_is_held_where_another_loss_knows_the_scale() -> None:
    torch.manual_seed(0)
    net = DepthNet("tiny").eval()
    image, void = torch.rand(2, 3, 64, 96), torch.ones(2, 1, 64, 96)
    disp = net(image, scales=1)[0].detach()
    inv = 1 / RANGE_M[1] + (1 / RANGE_M[0] - 1 / RANGE_M[1]) * disp
    nearer = (inv * 1.3 - 1 / RANGE_M[1]) / (1 / RANGE_M[0] - 1 / RANGE_M[1])  # depth / 1.3

    free, scale = Hold(HoldConfig(weight=1.0), net)(image, nearer, RANGE_M, void)
    held, _ = Hold(HoldConfig(weight=1.0, scale_weight=1.0), net)(image, nearer, RANGE_M, void)

    log = torch.log(torch.tensor(1.3))
    torch.testing.assert_close(scale, log)
    torch.testing.assert_close(held, log)
    assert float(free) < 1e-4


def test_hold_asks_for_a_network_to_hold_to() -> None:
    with pytest.raises(ConfigError, match=r"model\.init_from"):
        TrainConfig(hold=HoldConfig(weight=0.1))
