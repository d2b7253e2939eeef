"""Depth taught by rendered truth: data, losses, and a run from ImageNet's weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from sdepth.checkpoint import load_depth, read_card, read_tensors
from sdepth.errors import CheckpointError, ConfigError
from sdepth.geometry.camera import Camera
from sdepth.models.depth_net import DepthNet
from sdepth.models.encoder import ResNetEncoder
from tests.helpers import write_drive
from training.config import LogConfig, ModelConfig, OptimConfig, TrainConfig
from training.data.darken import darken
from training.data.drive import SKY
from training.data.frames import CropConfig, Frames
from training.data.open_drive import find_drives
from training.data.triplets import DataConfig
from training.losses.photometric import LossConfig
from training.networks import build_model, build_teacher, follow
from training.run_folder import snapshot
from training.supervised import TruthConfig, deviation, gradient_error
from training.trainer import load_batches, take_step, train
from training.weights.imagenet import load_imagenet


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    root = write_drive(tmp_path / "data", frames=6, size=(64, 128))
    (folder,) = find_drives(root)
    for mask in (folder / "mask_2").iterdir():  # the upper quarter is sky
        sky = np.zeros((64, 128), np.uint8)
        sky[:16] = SKY
        cv2.imwrite(str(mask), sky)
        depth = np.where(sky, 0, 10 * 256).astype(np.uint16)
        cv2.imwrite(str(folder / "depth_2" / mask.name), depth)
    return TrainConfig(
        data=DataConfig(train=(str(root),), size=(64, 96), workers=0),
        model=ModelConfig(
            "lite0", "tiny", (1.0, 100.0), start_depth_m=8.0, imagenet=True, frozen_blocks=3,
            frozen_norm=True,
        ),
        loss=LossConfig(scales=3),
        truth=TruthConfig(weight=1.0),
        optim=OptimConfig(steps=4, batch=2, lr=1e-3, encoder_lr_scale=0.2, average=0.9),
        log=LogConfig(scalars_every=1, images_every=2, save_every=2, keep_every=2),
    )  # fmt: skip


def test_public_weights_fill_the_whole_encoder() -> None:
    net = DepthNet("lite0")
    before = {k: v.clone() for k, v in net.encoder.state_dict().items()}

    load_imagenet(net.encoder)

    after = net.encoder.state_dict()
    floats = [k for k, v in after.items() if v.is_floating_point()]
    assert not [k for k in floats if torch.equal(before[k], after[k])]


def test_encoder_starts_from_imagenet_and_the_rest_from_a_checkpoint(
    config: TrainConfig, tmp_path: Path
) -> None:
    weights = train(dataclasses.replace(config, optim=OptimConfig(steps=1, batch=2)), tmp_path)
    taught = DepthNet("lite0")
    load_imagenet(taught.encoder)

    start = dataclasses.replace(config.model, init_from=str(weights))
    net = build_model(dataclasses.replace(config, model=start)).depth_net

    encoder, decoder = taught.encoder.state_dict(), load_depth(weights)[0].decoder.state_dict()
    assert all(torch.equal(v, encoder[k]) for k, v in net.encoder.state_dict().items())
    assert all(torch.equal(v, decoder[k]) for k, v in net.decoder.state_dict().items())


def test_other_encoders_have_no_such_weights() -> None:
    with pytest.raises(ConfigError, match="only lite0"):
        load_imagenet(ResNetEncoder("tiny"))


def test_loss_falls(config: TrainConfig) -> None:
    torch.manual_seed(0)
    model = build_model(config)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    batch = next(load_batches(config, 0, 0, 1))

    losses = [
        float(take_step(model, optimizer, batch, config.optim, 0).losses["total"])
        for _ in range(10)
    ]

    assert min(losses[-3:]) < 0.8 * losses[0]


def test_bf16_takes_the_same_step_within_its_rounding(config: TrainConfig) -> None:
    batch = next(load_batches(config, 0, 0, 1))
    gradients = {}
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        model = build_model(config)
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.0)
        optim = dataclasses.replace(config.optim, precision=precision)
        take_step(model, optimizer, batch, optim, 0)
        learned = [p for p in model.parameters() if p.grad is not None]
        assert {p.dtype for p in learned} == {torch.float32}
        gradients[precision] = torch.cat([p.grad.flatten() for p in learned])  # type: ignore[union-attr]

    along = torch.cosine_similarity(gradients["fp32"], gradients["bf16"], dim=0)
    assert 0.98 < along < 0.999999


def test_weights_of_another_network_are_refused(config: TrainConfig, tmp_path: Path) -> None:
    train(config, tmp_path / "run", "cpu")
    weights = str(tmp_path / "run" / "weights.safetensors")
    other = dataclasses.replace(config.model, depth="tiny", imagenet=False, frozen_blocks=0)

    with pytest.raises(CheckpointError, match="depth network lite0, the run's is tiny"):
        build_model(
            dataclasses.replace(config, model=dataclasses.replace(other, init_from=weights))
        )
    build_model(dataclasses.replace(config, model=dataclasses.replace(other, motion_from=weights)))


def test_frozen_blocks_and_statistics_stay(config: TrainConfig, tmp_path: Path) -> None:
    train(config, tmp_path / "run", "cpu")
    net, fresh = load_depth(tmp_path / "run" / "weights.safetensors")[0], DepthNet("lite0")
    load_imagenet(fresh.encoder)

    now, start = net.encoder.state_dict(), fresh.encoder.state_dict()
    same = {k for k in now if torch.allclose(now[k].float(), start[k].float())}
    assert {k for k in now if k.startswith(("_conv_stem", "_blocks.2."))} <= same
    assert {k for k in now if "running" in k} <= same
    assert "_blocks.9._project_conv.weight" not in same


def test_run_continues_bit_for_bit_and_keeps_what_it_was_told(
    config: TrainConfig, tmp_path: Path
) -> None:
    train(config, tmp_path / "whole", "cpu")
    half = dataclasses.replace(config, log=dataclasses.replace(config.log, save_every=3))
    with pytest.raises(KeyboardInterrupt):
        _train_until(half, tmp_path / "parts", 3)
    train(half, tmp_path / "parts", "cpu")

    whole, parts = (read_tensors(tmp_path / r / "weights.safetensors") for r in ("whole", "parts"))
    assert all(torch.equal(whole[k], parts[k]) for k in whole)
    card = read_card(snapshot(tmp_path / "whole", 2))
    assert (card.step, card.metric, card.depth_architecture) == (2, True, "lite0")
    assert card.mean == pytest.approx(127 / 255)


def _train_until(config: TrainConfig, run: Path, step: int) -> None:
    """Train, and stop as Ctrl-C does once ``step`` steps are saved."""
    from training import trainer

    write = trainer.Board.write

    def stop(self: object, done: int, *rest: object) -> None:
        write(self, done, *rest)  # type: ignore[arg-type]
        if done > step:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.Board, "write", stop)
        train(config, run, "cpu")


def test_average_follows_the_weights_slowly() -> None:
    average, network = nn.Linear(1, 1), nn.Linear(1, 1)
    nn.init.zeros_(average.weight)
    nn.init.ones_(network.weight)

    follow(average, network, 0.99, step=10_000)

    assert average.weight.item() == pytest.approx(0.01)


def test_crop_keeps_depth_and_says_its_focal_length(config: TrainConfig) -> None:
    frames = Frames(config.data.train, (64, 96), CropConfig(zoom=(0.5, 0.5)), 1.055, seed=0)
    whole = frames.items[0][0].camera.focal_ratio / 1.055

    item = frames[0, 0]

    assert set(item["depth"].unique().tolist()) <= {0.0, 10.0}
    assert torch.equal(item["sky"], item["depth"] == 0)
    assert float(item["focal_scale"]) > 1.4 * whole  # half the view is twice the focal length


def test_rolled_frames_keep_depth_and_turn_the_horizon(config: TrainConfig) -> None:
    crop = CropConfig((1.0, 1.0), (2.0, 2.0), roll_deg=20.0, look=0.0)
    frames = Frames(config.data.train, (64, 128), crop, 1.055, seed=0)

    skies = [frames[0, draw]["sky"][0] for draw in range(6)]

    assert set(frames[0, 0]["depth"].unique().tolist()) <= {0.0, 10.0}
    assert all(int(s[:, :20].sum()) != int(s[:, -20:].sum()) for s in skies)


def test_frame_is_a_function_of_index_and_draw(config: TrainConfig) -> None:
    frames = Frames(config.data.train, (64, 96), CropConfig(), 1.055, seed=0)

    assert torch.equal(frames[1, 5]["image"], frames[1, 5]["image"])
    assert not torch.equal(frames[1, 5]["image"], frames[1, 6]["image"])


def test_darkened_frames_are_dark_and_brightest_where_headlights_reach(
    config: TrainConfig,
) -> None:
    camera, day = Camera(80, 80, 63.5, 31.5, 128, 64), np.full((64, 128, 3), 180, np.uint8)
    depth = np.full((64, 128), 60, np.float32)
    depth[40:] = 5  # a road near by, the rest far
    nights = [darken(day, depth, camera, np.random.default_rng(i)) for i in range(8)]

    assert all(n.mean() < 0.4 * day.mean() for n in nights)
    assert np.mean([n[40:44, 50:78].mean() > 1.5 * n[20:24, 50:78].mean() for n in nights]) > 0.8
    crop = CropConfig(darkened=config.data.train)
    frames = Frames((), (64, 96), crop, 1.055, seed=0)
    assert frames[0, 0]["image"].mean() < 0.4


def test_a_folder_by_day_and_darkened_is_seen_in_both_ways(config: TrainConfig) -> None:
    roots = config.data.train
    frames = Frames(roots, (64, 96), CropConfig(look=0.0, darkened=roots), 1.055, seed=0)
    half = len(frames) // 2

    assert [id(d) in frames.dark for d, _ in frames.items] == [False] * half + [True] * half


@pytest.mark.parametrize("changed", [True, False])
def test_features_are_tied_to_imagenets(config: TrainConfig, changed: bool) -> None:
    frozen = ModelConfig(depth="lite0", imagenet=True, frozen_blocks=8, frozen_norm=True)
    truth = TruthConfig(weight=1.0, tie=0.5)
    model = build_model(dataclasses.replace(config, model=frozen, truth=truth))
    batch = next(load_batches(config, 0, 0, 1))
    runs: list[str] = []
    model.depth_net.encoder._blocks[7].register_forward_hook(lambda *_: runs.append("own"))
    model.teacher._blocks[7].register_forward_hook(lambda *_: runs.append("ImageNet's"))
    if changed:
        for p in model.depth_net.encoder._blocks[8:].parameters():
            p.data += 0.05 * torch.randn_like(p)

    shared = model(batch).losses
    model.same_blocks = 0
    apart = model(batch).losses

    assert runs == ["own", "ImageNet's", "own"]  # blocks that stay were run once for both
    assert (float(shared["tie"].detach()) > 1e-3) == changed
    for name, loss in apart.items():
        assert float(shared[name].detach()) == pytest.approx(float(loss.detach()), abs=1e-6)
    assert not [m for m in model.teacher.modules() if m.training]


def test_an_encoder_of_other_first_blocks_shares_none(config: TrainConfig) -> None:
    other = ModelConfig(depth="lite0", frozen_blocks=8, frozen_norm=True)
    model = build_model(
        dataclasses.replace(config, model=other, truth=TruthConfig(weight=1.0, tie=0.5))
    )

    assert model.same_blocks == 0
    assert float(model(next(load_batches(config, 0, 0, 1))).losses["tie"].detach()) > 0.1


def test_first_blocks_are_shared_after_half_precision(config: TrainConfig) -> None:
    frozen = ModelConfig(depth="lite0", imagenet=True, frozen_blocks=8, frozen_norm=True)
    tied = dataclasses.replace(config, model=frozen, truth=TruthConfig(weight=1.0, tie=0.5))
    encoder = build_model(tied).depth_net.encoder

    stored = encoder.half().float()  # as weights that ship are

    assert build_teacher(tied, stored)[1] == 8


def test_a_wrong_scale_costs_little_deviation_and_no_gradient() -> None:
    known = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    scale = torch.full((1, 1, 8, 8), 0.5)
    edge = torch.zeros(1, 1, 8, 8)
    edge[..., 4:] = 0.5

    assert float(deviation(scale, known)) == pytest.approx(0.5 * 0.15**0.5, abs=1e-4)
    assert float(gradient_error(scale, known)) == 0
    assert float(gradient_error(edge, known)) > 0.05
