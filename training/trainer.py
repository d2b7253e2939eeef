"""The training loop: verbs in order."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from sdepth.depth.estimator import pick_device
from sdepth.errors import DataError
from training.board import Board
from training.config import OptimConfig, TrainConfig
from training.data.frames import Frames
from training.data.triplets import Triplets, endless_batches
from training.networks import build_model, follow, parameter_groups
from training.prior.day_prior import Critic, DayPrior
from training.processes import together
from training.run_folder import (
    WEIGHTS,
    Learner,
    load_state,
    save_config,
    save_state,
    save_weights,
    saved_step,
    snapshot,
)
from training.step_output import StepOutput

log = logging.getLogger(__name__)


def train(config: TrainConfig, run: Path, device: str = "auto", command: str = "") -> Path:
    """Train, or continue, the run in folder ``run``; return the weights written at the end.

    Under ``torchrun`` each process takes its share of every step (``optim.batch`` samples each).

    Raises:
        CheckpointError: the folder holds another run.
        DataError: no data, or the loss stopped being a number.
    """
    with together() as processes:
        return _train(config, run, device, command, processes.rank, processes.count)


def _train(
    config: TrainConfig, run: Path, device: str, command: str, rank: int, ranks: int
) -> Path:
    """Train as one process of ``ranks``."""
    if ranks > 1 and torch.cuda.is_available():
        device = f"cuda:{rank % torch.cuda.device_count()}"
    target = pick_device(device)
    torch.manual_seed(config.seed)
    torch.set_flush_denormal(True)  # CPUs are ten times slower on numbers below 1e-38
    model = build_model(config).to(target)
    optimizer = optim.Adam(parameter_groups(model, config), lr=config.optim.lr)
    if rank == 0:
        save_config(run, config)
    step = saved_step(run)
    critic = build_critic(config, target, step, rank, ranks)
    learners: dict[str, Learner] = {"model": (model, optimizer)}
    if critic:
        learners["prior"] = (critic.prior, critic.optimizer)
    load_state(run, learners)
    if step >= config.optim.steps:
        log.info("%s: already at step %d of %d", run, step, config.optim.steps)
    batches = load_batches(config, step, rank, ranks)
    parallel: nn.Module = model
    if ranks > 1:  # until refinement sets in, its features have no gradient
        parallel = DistributedDataParallel(model, find_unused_parameters=bool(model.refiner))
    board = Board(run, config.log, config.model.depth_range_m) if rank == 0 else None
    bar = tqdm(
        total=config.optim.steps, initial=step, unit="step", disable=rank != 0, mininterval=2
    )
    for step in range(step, config.optim.steps):  # noqa: B020 - continues at the loaded step
        batch = to_device(next(batches), target)
        output = take_step(parallel, optimizer, batch, config.optim, step, critic)
        check_finite(output.losses, step, run)
        done = step + 1
        if board:
            bar.update()
            board.write(done, output, optimizer.param_groups[0]["lr"], bar)
            if done % config.log.save_every == 0 or done == config.optim.steps:
                save_state(run, learners, done)
                save_weights(run / WEIGHTS, model, config, done, command)
            if config.log.keep_every and done % config.log.keep_every == 0:
                save_weights(snapshot(run, done), model, config, done, command)
    bar.close()
    return run / WEIGHTS


def load_batches(
    config: TrainConfig, step: int, rank: int, ranks: int
) -> Iterator[dict[str, Tensor]]:
    """Return an endless iterator of batches, beginning with that of ``step``."""
    d, ratio = config.data, config.model.focal_ratio
    data: Triplets | Frames
    if config.truth.weight > 0:
        data = Frames(d.train, d.size, config.crop, ratio, config.seed)
    else:
        data = Triplets(d, ratio, config.seed)
    log.info("%d frames in %d drives", len(data), len(data.drives))
    return endless_batches(data, d.workers, config.optim.batch, step, rank, ranks)


def build_critic(
    config: TrainConfig, device: torch.device, step: int, rank: int, ranks: int
) -> Critic | None:
    """Return the prior of day depth with its unpaired day drives, or None without one."""
    p = config.prior
    if p.weight <= 0:
        return None
    prior = DayPrior(p, config.data.size, config.seed).to(device).train()
    plain = replace(config.data, train=p.day, jitter=0.0, depth=False, clip_depth=p.truth)
    days = Triplets(plain, config.model.focal_ratio, config.seed)
    log.info("%d triplets in %d day drives", len(days), len(days.drives))
    batches = endless_batches(days, plain.workers, config.optim.batch, step, rank, ranks)
    return Critic(prior, batches, ranks)


def take_step(
    model: nn.Module,
    optimizer: optim.Optimizer,
    batch: dict[str, Tensor],
    o: OptimConfig,
    step: int,
    critic: Critic | None = None,
) -> StepOutput:
    """Take one step of the optimiser; return the losses it was taken on, and their pictures."""
    # The rate of this step; parts of the network may learn slower.
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(o, step) * group.get("lr_scale", 1.0)
    # Losses of the batch; a discriminator adds how far its depth is from depth by day.
    kind = next(iter(batch.values())).device.type
    with torch.autocast(kind, torch.bfloat16, enabled=o.precision == "bf16"):
        output: StepOutput = model(batch, step)
    if critic:
        critic.judge(output, step)
    # The networks learn, and the average of their weights follows.
    losses = output.losses
    optimizer.zero_grad(set_to_none=True)
    losses["total"].backward()
    if o.grad_clip > 0:
        nn.utils.clip_grad_norm_(model.parameters(), o.grad_clip)
    optimizer.step()
    plain: Any = getattr(model, "module", model)
    if o.average > 0:
        follow(plain.average, plain.depth_net, o.average, step)
    # The discriminator learns from the clips it has just judged.
    if critic and output.clip is not None:
        share = learning_rate(o, step) / o.lr
        losses |= critic.learn(output.clip, step, share)
    return replace(output, losses={name: loss.detach() for name, loss in losses.items()})


def learning_rate(o: OptimConfig, step: int) -> float:
    """Return the rate of a step: linear warm-up, flat, then a cosine down to ``decay_to``."""
    if step < o.warmup_steps:
        return o.lr * (step + 1) / o.warmup_steps
    start = o.decay_from * o.steps
    if step < start:
        return o.lr
    phase = (step - start) / max(1.0, o.steps - start)
    return o.lr * (o.decay_to + (1 - o.decay_to) * (1 + math.cos(math.pi * phase)) / 2)


def check_finite(losses: dict[str, Tensor], step: int, run: Path) -> None:
    """Stop at the first loss that is no number.

    Raises:
        DataError: says where.
    """
    if not bool(torch.isfinite(losses["total"])):
        parts = ", ".join(f"{k} {float(v):.3g}" for k, v in losses.items())
        raise DataError(
            f"{run}: loss is not a number at step {step} ({parts}); the last saved state is "
            "whole: look at the data around it, lower optim.lr or set optim.grad_clip"
        )


def to_device(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Return the batch on ``device``."""
    return {key: value.to(device, non_blocking=True) for key, value in batch.items()}
