"""Depth is taught where a drive says it, and held to where it started elsewhere."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sdepth.errors import ConfigError
from sdepth.models.depth_net import DepthNet, disp_to_depth
from sdepth.models.pose_net import make_pose_net
from training.config import TrainConfig
from training.hold import Held, HoldConfig

K = torch.tensor([[[60.0, 0, 47.5], [0, 60, 31.5], [0, 0, 1]]])
RANGE_M = (1.0, 100.0)


def held(clips: bool = False) -> Held:
    """Return networks as they start."""
    torch.manual_seed(0)
    return Held(
        DepthNet("tiny"), make_pose_net("tiny", 0.1), None, HoldConfig(0.5, 0.2), RANGE_M, clips
    ).eval()


def batch(model: Held, factor: float) -> dict[str, Tensor]:
    """Return a batch whose left half is ``factor`` times as far as the network says."""
    images = torch.rand((2, 3, 3, 64, 96), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        disp = model.depth_net(images[:, 1], scales=1)[0]
    depth = factor * disp_to_depth(disp, RANGE_M)
    depth[..., 48:] = 0
    motions = torch.eye(4).repeat(2, 2, 1, 1)
    return {
        **{"images": images, "inputs": images, "K": K.repeat(2, 1, 1), "depth": depth},
        **{"focal_scale": torch.ones(2), "motions": motions},
    }


def test_losses_are_the_differences_of_log_depth() -> None:
    model = held()
    losses = {name: loss.detach() for name, loss in model(batch(model, 1.3)).losses.items()}
    assert float(losses["depth"]) == pytest.approx(math.log(1.3), rel=1e-4)
    assert float(losses["hold"]) == pytest.approx(0, abs=1e-6)
    total = losses["depth"] + 0.5 * losses["hold"] + 0.2 * losses["motion"]
    torch.testing.assert_close(losses["total"], total)


def test_depth_is_held_where_nothing_is_known() -> None:
    model = held()
    given = batch(model, 1.3)
    with torch.no_grad():
        for head in model.depth_net.heads():
            for p in head.parameters():
                p.add_(0.2)
    losses = model(given).losses
    assert float(losses["hold"].detach()) > 0.01
    losses["hold"].backward()
    assert all(p.grad is None for p in model.start.parameters())
    assert any(p.grad is not None for p in model.depth_net.parameters())


def test_start_never_trains_and_clips_are_of_three_frames() -> None:
    assert not held().train().start.training
    model = held(clips=True)
    clip = model(batch(model, 1.0)).clip
    assert clip.shape == (2, 3, 64, 96)
    assert bool((clip[:, 0] != clip[:, 1]).any())


def test_hold_asks_for_a_network_and_depth() -> None:
    with pytest.raises(ConfigError, match=r"model\.init_from"):
        TrainConfig(hold=HoldConfig(weight=0.1))
