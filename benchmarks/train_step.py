"""Time a training step, ours beside the one that the obvious PyTorch calls make of the paper.

python -m benchmarks.train_step --threads 2 --json train_step.json

Both are monodepth2's step on two sources and four scales, with the same networks, weights and
images, and take turns; their losses must agree. What ours does otherwise, on purpose: networks in
channels-last; SSIM's means by one depthwise convolution, not five poolings; rays and points
without homogeneous matrices; errors of the unwarped sources once, not at each scale; the noise
that breaks ties comes with the batch. The last alone changes the loss, by 1e-5 or less.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import nn

from benchmarks.plain_training import PlainLoss, plain_step
from benchmarks.refine import synchronised, triplets
from benchmarks.table import show
from benchmarks.timing import measure, run_tables
from sdepth.errors import SdepthError
from training.config import ModelConfig, OptimConfig, TrainConfig
from training.data.triplets import DataConfig
from training.networks import build_model, parameter_groups
from training.trainer import take_step

OURS, PLAIN = "training step", "plain PyTorch"
NETWORKS = {"resnet18": "resnet18", "light": "tiny"}
"""Depth network, and the pose network beside it."""
BATCH = 1
AGREE = 1e-4
"""Share by which the losses may differ: rounding, and the noise."""


def make_steps(depth: str, size: tuple[int, int], device: str) -> dict[str, Callable[[], float]]:
    """Return a call per way that takes a step and returns its loss; same weights at first."""
    torch.manual_seed(0)
    config = TrainConfig(
        data=DataConfig(size=size),
        model=ModelConfig(depth, NETWORKS[depth], start_motion_m=0.5),  # a warp that shows
        optim=OptimConfig(batch=BATCH),
    )
    model = build_model(config).to(device)
    batch, o = triplets(BATCH, size, device), config.optim
    nets = deepcopy(nn.ModuleList([model.depth_net, model.pose_net]))
    nets = nets.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    ours = torch.optim.Adam(parameter_groups(model, config), lr=o.lr)
    plain = torch.optim.Adam(nets.parameters(), lr=o.lr)
    return {
        OURS: lambda: float(take_step(model, ours, batch, o, 0).losses["total"]),
        PLAIN: partial(plain_step, nets[0], nets[1], PlainLoss(), plain, batch),
    }


def training_step(depth: str, size: tuple[int, int], runs: int) -> dict[str, Any]:
    """Print and return the table of one depth network.

    Raises:
        SdepthError: the two are not the same step.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    steps = make_steps(depth, size, device)
    losses = {name: step() for name, step in steps.items()}
    if abs(losses[OURS] - losses[PLAIN]) > AGREE * losses[PLAIN]:
        raise SdepthError(f"{depth}: losses {losses} differ by more than {AGREE}: not the same")
    found = measure({name: synchronised(step, device) for name, step in steps.items()}, runs)
    what = f"{depth} and pose {NETWORKS[depth]}, batch {BATCH} of {size[1]}x{size[0]}"
    title = f"{what}, losses {losses[OURS]:.6f} and {losses[PLAIN]:.6f}"
    return {**show(title, found, {PLAIN: [OURS]}), "losses": losses}


def tables(size: tuple[int, int], runs: int) -> dict[str, Any]:
    """Print and return the table of each depth network."""
    return {depth: training_step(depth, size, runs) for depth in NETWORKS}


def main(args: list[str] | None = None) -> int:
    """Print the tables; return the exit code."""
    return run_tables("train_step", __doc__, tables, args)


if __name__ == "__main__":
    sys.exit(main())
