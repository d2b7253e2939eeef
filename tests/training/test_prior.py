"""The day prior: who learns from which loss, what is remembered, and that runs go on exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sdepth.checkpoint import bundled, load_depth, read_tensors
from sdepth.errors import CheckpointError
from sdepth.models.depth_net import disp_to_depth
from tests.helpers import write_drive
from training import trainer
from training.config import LogConfig, ModelConfig, OptimConfig, TrainConfig
from training.data.triplets import DataConfig
from training.losses.night_photometry import NightConfig
from training.losses.photometric import LossConfig
from training.networks import build_model
from training.prior.day_prior import DayPrior, PriorConfig
from training.prior.discriminators import DiscriminatorConfig
from training.trainer import build_critic, load_batches, take_step, train

DAY = str(bundled("day"))
SMALL = DiscriminatorConfig("clip", width=8)
SIZE = (64, 96)


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    """Return a night run with every part switched on."""
    night, day = (write_drive(tmp_path / name, frames=6) for name in ("night", "day"))
    return TrainConfig(
        data=DataConfig(train=(str(night),), size=SIZE, workers=0),
        model=ModelConfig("tiny", "tiny", (1.0, 100.0), start_depth_m=8.0, pose_output_scale=0.1),
        loss=LossConfig(scales=2, projection_weight=0.1),
        optim=OptimConfig(steps=4, batch=2, lr=1e-3),
        log=LogConfig(scalars_every=1, images_every=2, save_every=2),
        night=NightConfig("mapping", static_quantile=0.1),
        prior=PriorConfig(0.01, (str(day),), DAY, pool=3, discriminator=SMALL),
    )


def prior(**changes: object) -> DayPrior:
    """Return a prior of small clips."""
    torch.manual_seed(0)
    return DayPrior(
        replace(PriorConfig(1.0, (), DAY, pool=3, discriminator=SMALL), **changes), SIZE, 0
    )  # type: ignore[arg-type]


def clips(count: int = 2) -> Tensor:
    """Return disparities that want gradients."""
    return torch.rand(count, 3, *SIZE, requires_grad=True)


def moved(module: nn.Module) -> bool:
    """Return whether any parameter has a gradient."""
    return any(p.grad is not None for p in module.parameters())


def test_penalty_moves_the_night_clip_alone() -> None:
    judge, clip = prior(), clips()

    judge.penalty(clip, 0).backward()

    assert clip.grad is not None
    assert bool((clip.grad != 0).any())
    assert not moved(judge)


def test_lesson_moves_the_discriminator_alone() -> None:
    judge, clip = prior(), clips()

    judge.lesson(clip, {"images": torch.rand(2, 3, 3, *SIZE)}, 0)["discriminator"].backward()

    assert moved(judge.discriminator)
    assert not moved(judge.day_net)
    assert clip.grad is None


def test_true_depth_by_day_is_real_where_it_is_known() -> None:
    day = {"images": torch.rand(2, 3, 3, *SIZE), "focal_scale": torch.ones(2)}
    day["depths"] = torch.full((2, 3, *SIZE), 12.0)
    day["depths"][..., :10, :] = 0

    real, learnt = prior(truth=True).real(day), prior().real(day)

    depth = disp_to_depth(real[..., 10:, :], prior().depth_range_m)
    assert torch.allclose(depth, torch.full_like(depth, 12.0))
    assert torch.equal(real[..., :10, :], learnt[..., :10, :])


def test_lessons_teach_the_discriminator_to_tell_day_from_noise() -> None:
    judge, images, losses = prior(), torch.rand(2, 3, 3, *SIZE), []
    optimizer = torch.optim.Adam(judge.discriminator.parameters(), 1e-3)
    clip = clips().detach()

    for step in range(15):
        loss = judge.lesson(clip, {"images": images}, step)["discriminator"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))

    assert losses[-1] < 0.5 * losses[0]


def test_day_network_never_learns_and_stays_in_use_mode() -> None:
    judge = prior().train()

    shipped, _ = load_depth(Path(DAY))

    assert not judge.day_net.training
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            judge.day_net.state_dict().values(), shipped.state_dict().values(), strict=True
        )
    )


def test_pool_fills_then_exchanges_about_half() -> None:
    judge, first = prior(pool=20), torch.zeros(20, 3, *SIZE)
    judge._from_pool(first, 0)

    shown = judge._from_pool(torch.ones(20, 3, *SIZE), 1)

    old = int((shown.flatten(1).mean(1) == 0).sum())
    assert 3 <= old <= 17  # half of 20, five sigma
    assert int((judge.pool.flatten(1).mean(1) == 1).sum()) >= old


def test_shuffle_reorders_frames_and_repeats_itself_at_a_step() -> None:
    judge = prior(shuffle=True)
    clip = torch.arange(3.0).view(1, 3, 1, 1).expand(16, 3, *SIZE)

    once, again = judge._shown(clip, 5), judge._shown(clip, 5)

    assert torch.equal(once, again)
    assert not torch.equal(once, clip)
    assert torch.equal(once.sort(1).values, clip)


def test_noise_is_a_share_of_each_frame_and_repeats_itself_at_a_step() -> None:
    judge = prior(noise=0.2)
    clip = torch.tensor([0.1, 1.0, 10.0]).view(1, 3, 1, 1).expand(4, 3, *SIZE)

    once, again, later = judge._shown(clip, 5), judge._shown(clip, 5), judge._shown(clip, 6)

    assert torch.equal(once, again)
    assert not torch.equal(once, later)
    share = (once / clip - 1).std((0, 2, 3))
    torch.testing.assert_close(share, torch.full((3,), 0.2), rtol=0.03, atol=0)  # 4 x 6144 draws


def test_missing_day_network_is_an_error() -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        prior(day_weights="nowhere.safetensors")


def test_night_stage_changes_both_sides_and_says_so(config: TrainConfig) -> None:
    model, critic = build_model(config), build_critic(config, torch.device("cpu"), 0, 0, 1)
    assert critic is not None
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    before = [p.clone() for p in critic.prior.discriminator.parameters()]

    batch = next(load_batches(config, 0, 0, 1))
    output = take_step(model, optimizer, batch, config.optim, 0, critic)

    assert {"prior", "projection", "discriminator"} <= output.losses.keys()
    assert output.clip.shape == (2, 3, *SIZE)
    after = critic.prior.discriminator.parameters()
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("kind", ["clip", "patch"])
def test_penalty_pulls_as_hard_as_configured(config: TrainConfig, kind: str) -> None:
    judge = DiscriminatorConfig(kind, width=8)
    config = replace(config, prior=replace(config.prior, weight=0.5, discriminator=judge))
    model, critic = build_model(config), build_critic(config, torch.device("cpu"), 0, 0, 1)
    assert critic is not None
    output = model(next(load_batches(config, 0, 0, 1)))
    before = output.losses["total"]

    critic.judge(output, 0)

    total, added = (
        torch.autograd.grad(loss, output.disp, retain_graph=True)[0].norm()
        for loss in (before, output.losses["total"] - before)
    )
    assert float(added / total) == pytest.approx(0.5, rel=1e-4)  # one rounding of each


def test_a_stopped_night_run_continues_bit_for_bit(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(config, tmp_path / "whole", "cpu")

    def interrupted(*args: object) -> object:
        if args[4] == 3:
            raise KeyboardInterrupt
        return take_step(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "take_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "parts", "cpu")
    train(config, tmp_path / "parts", "cpu")

    whole, parts = (read_tensors(tmp_path / r / "state.safetensors") for r in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[k], parts[k]) for k in whole)


def test_weights_of_the_night_stage_hold_nothing_of_the_prior(
    config: TrainConfig, tmp_path: Path
) -> None:
    plain = replace(config, prior=PriorConfig(), loss=LossConfig(scales=2), night=NightConfig())
    runs = {"night": config, "plain": plain}

    names = {n: read_tensors(train(c, tmp_path / n, "cpu")).keys() for n, c in runs.items()}

    assert names["night"] == names["plain"]
