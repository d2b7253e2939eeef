"""The networks of a run: random, from ImageNet or a checkpoint; and what of them learns."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sdepth.alignment.refiner import Refiner
from sdepth.alignment.solver import RefineConfig
from sdepth.checkpoint import load_depth, load_pose, load_refiner, read_card
from sdepth.errors import CheckpointError
from sdepth.models.depth_net import DepthNet
from sdepth.models.efficientnet_lite import EfficientNetLiteEncoder
from sdepth.models.encoder import Encoder
from sdepth.models.pose_net import make_pose_net
from training.config import ModelConfig, TrainConfig
from training.feature_alignment import FeatureAlignment
from training.hold import Held
from training.run_folder import Model
from training.self_supervised import SelfSupervised
from training.supervised import Supervised
from training.weights.imagenet import load_imagenet


def build_model(config: TrainConfig) -> Model:
    """Return the networks: at random or from ``model.init_from``, the encoder from ImageNet."""
    m: ModelConfig = config.model
    depth, pose = DepthNet(m.depth), make_pose_net(m.pose, m.pose_output_scale)
    depth.start_at(m.start_depth_m, m.depth_range_m)
    pose.start_at(m.start_motion_m)
    for head in depth.heads()[config.loss.scales :]:
        head.requires_grad_(False)  # no loss reaches it; parallel training would wait for it
    if m.init_from:
        fill_from(Path(m.init_from), depth, pose, m)
    if m.imagenet:
        load_imagenet(depth.encoder)
    if m.motion_from:
        fill_pose(Path(m.motion_from), pose)
    for module in depth.encoder.first(m.frozen_blocks):
        module.requires_grad_(False)
    refiner = build_refiner(config, depth)
    model: Model
    if config.truth.weight > 0:
        teacher, same = build_teacher(config, depth.encoder)
        model = Supervised(
            depth, pose, refiner, config.truth, m.depth_range_m, config.loss.scales, teacher, same
        )
    elif config.refine.only:
        assert refiner is not None  # the configuration asks for features with it
        model = FeatureAlignment(depth, pose, refiner)
    else:
        clips = config.prior.weight > 0 and config.prior.discriminator.kind == "clip"
        if config.hold.weight > 0:
            model = Held(depth, pose, refiner, config.hold, m.depth_range_m, clips)
        else:
            model = SelfSupervised(
                depth, pose, config.loss, m.depth_range_m, refiner, config.refine, config.night,
                clips,
            )  # fmt: skip
    if config.optim.average > 0:
        model.average = copy.deepcopy(depth).requires_grad_(False)
    model.train()
    if m.frozen_norm:
        freeze_norm(depth.encoder)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def build_teacher(
    config: TrainConfig, encoder: Encoder
) -> tuple[EfficientNetLiteEncoder | None, int]:
    """Return the encoder of ImageNet to tie to, if any, and how many first blocks it shares.

    Blocks are the same, too, if the encoder's were once stored in half precision.
    """
    if config.truth.tie <= 0:
        return None, 0
    teacher, m = EfficientNetLiteEncoder(), config.model
    load_imagenet(teacher)
    if not m.frozen_norm:
        return teacher, 0
    pairs = zip(encoder.first(m.frozen_blocks), teacher.first(m.frozen_blocks), strict=True)
    states = ((a.state_dict(), b.state_dict()) for a, b in pairs)
    same = all(torch.equal(a[k].half(), b[k].half()) for a, b in states for k in a)
    return teacher, m.frozen_blocks if same else 0


def fill_from(path: Path, depth: DepthNet, pose: nn.Module, m: ModelConfig) -> None:
    """Fill the networks from a checkpoint.

    Raises:
        CheckpointError: its depth network is of another architecture.
    """
    card = read_card(path)
    if card.depth_architecture != m.depth:
        raise CheckpointError(
            f"{path}: depth network {card.depth_architecture}, the run's is {m.depth}; set "
            f"model.depth: {card.depth_architecture}, or take model.motion_from: {path} for its "
            "pose network and features alone"
        )
    depth.load_state_dict(load_depth(path)[0].state_dict())
    fill_pose(path, pose)


def fill_pose(path: Path, pose: nn.Module) -> None:
    """Fill the pose network from a checkpoint, if that has one."""
    if read_card(path).pose_architecture:
        pose.load_state_dict(load_pose(path)[0].state_dict())


def freeze_norm(network: nn.Module) -> None:
    """Hold the statistics that normalisation knows; a few drives are no better ones."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move averaged weights towards the network's; less the longer training lasts."""
    share = 1 - min(decay, (1 + step) / (10 + step))
    now = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(now[name], share)
        else:
            value.copy_(now[name])


def build_refiner(config: TrainConfig, depth: DepthNet) -> Refiner | None:
    """Return the pose refinement, if any; the checkpoints started from may hold its features."""
    r = config.refine
    if not r.features:
        return None
    search = RefineConfig(r.iterations, stop_below=0.0, unroll=r.unroll)
    refiner = Refiner(r.features, r.strides, search, depth.encoder)
    if path := config.model.motion_from or config.model.init_from:
        start, _ = load_refiner(Path(path))
        if (start.kind, start.strides) == (refiner.kind, refiner.strides):
            refiner.load_state_dict(start.state_dict())
    if r.lr_scale == 0:
        refiner.features.requires_grad_(False)
    if r.damping_lr_scale == 0:
        refiner.damping_logit.requires_grad_(False)
    return refiner


def parameter_groups(model: Model, config: TrainConfig) -> list[dict[str, Any]]:
    """Return what learns, and how fast against ``optim.lr``."""
    encoder, decoder = model.depth_net.encoder, model.depth_net.decoder
    groups: list[dict[str, Any]] = []
    if not config.refine.only:
        networks = [*decoder.parameters(), *model.pose_net.parameters()]
        scale = config.optim.encoder_lr_scale
        groups.append({"params": [*encoder.parameters()], "lr_scale": scale})
        groups.append({"params": networks, "lr_scale": 1.0})
    if model.refiner is not None:
        r = config.refine
        features = [*model.refiner.features.parameters()]
        if features:
            groups.append({"params": features, "lr_scale": r.lr_scale})
        groups.append({"params": [model.refiner.damping_logit], "lr_scale": r.damping_lr_scale})
    return groups
