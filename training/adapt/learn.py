"""A training run on one's own drives: its configuration, its length, and what comes of it."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import optim

from sdepth.checkpoint import Card, load_depth, load_pose, load_refiner, read_card, save
from sdepth.config import load_config, read_values
from sdepth.files import write_json
from sdepth.models.efficientnet_lite import LITE
from training.adapt.prepare import Material
from training.config import TrainConfig
from training.networks import build_model, parameter_groups
from training.processes import Processes
from training.run_folder import WEIGHTS
from training.trainer import build_critic, load_batches, take_step, train

log = logging.getLogger(__name__)
CONFIG = Path(__file__).parents[1] / "configs" / "adapt.yaml"
PLAN = "plan.json"
FEWEST, TIMES_SEEN = 40, 8
"""Steps of a run at least; and how often it may see a frame."""


@dataclass(frozen=True)
class Budget:
    """How long to train: so many minutes on this machine, or, to repeat a run, steps."""

    minutes: float = 15.0
    steps: int = 0


@dataclass(frozen=True)
class Day:
    """What the night learns from: drives by day, and weights that know them."""

    drives: Path
    weights: Path


def configure(
    start: Path,
    material: Material,
    data: Path,
    day: Day | None = None,
    overrides: Sequence[str] = (),
) -> TrainConfig:
    """Return the run that goes on from the weights at ``start`` on drives written at ``data``.

    Args:
        start: weights with their card.
        material: what is trained on.
        data: folder where it was written.
        day: for a prior (DASP), by night; None for none.
        overrides: KEY=VALUE.

    Raises:
        CheckpointError: the weights cannot be used.
        ConfigError: an override names no key, or has a bad value.
    """
    card = read_card(start)
    frozen = {} if card.depth_architecture in LITE else {"model.frozen_blocks": 0}
    values: dict[str, Any] = {
        "name": f"adapt-{material.mode}",
        "domain": material.mode,
        "data.train": [str(data)],
        "data.size": card.input_size,
        "model.depth": card.depth_architecture,
        "model.pose": card.pose_architecture or "tiny",
        "model.depth_range_m": card.depth_range_m,
        "model.start_depth_m": math.sqrt(math.prod(card.depth_range_m)),
        "model.focal_ratio": card.focal_ratio,
        "model.pose_output_scale": card.pose_output_scale,
        "model.init_from": str(start),
        "refine.features": card.features or "intensity",
        **({"refine.strides": card.feature_strides} if card.features else {}),
        **frozen,
    }
    if not material.has_metres:  # nothing knows better than the pose network
        values["hold.motion_weight"] = 0.0
    if day is not None:  # the night learns from it, as configs/night_dasp.yaml has it
        prior = read_values(CONFIG.with_name("night_dasp.yaml"))["prior"]
        values["prior"] = prior | {"day": [str(day.drives)], "day_weights": str(day.weights)}
    filled = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    return load_config(TrainConfig, CONFIG, [*filled, *overrides])


def run(
    config: TrainConfig,
    folder: Path,
    budget: Budget,
    frames: int,
    command: str,
    processes: Processes,
) -> None:
    """Train in ``folder``, or go on there; the processes that ``follow`` train along.

    Raises:
        CheckpointError: the folder holds another run.
        DataError: the loss stopped being a number.
    """
    seen = frames / processes.count  # by each process
    steps = budget.steps or planned(folder) or fit(config, budget.minutes, seen)
    config = replace(config, optim=replace(config.optim, steps=steps))
    write_json(folder / PLAN, {"steps": steps, "minutes": budget.minutes})
    log.info("%s: %d steps; --steps %d repeats them", folder, steps, steps)
    processes.tell((config, folder))
    train(config, folder, command=command)


def follow(processes: Processes) -> None:
    """Train along with the first process, until it says no more."""
    while order := processes.hear():
        train(*order)


def planned(folder: Path) -> int:
    """Return the steps that a run was begun with, 0 for a new one."""
    path = folder / PLAN
    return int(json.loads(path.read_text())["steps"]) if path.is_file() else 0


def fit(config: TrainConfig, minutes: float, frames: float) -> int:
    """Return how many steps fit into ``minutes``, by the time that a few take here."""
    model = build_model(config)
    optimizer = optim.Adam(parameter_groups(model, config), lr=0.0)
    batches = load_batches(config, 0, 0, 1)
    critic = build_critic(config, torch.device("cpu"), 0, 0, 1)
    still, taken = replace(config.optim, warmup_steps=0, lr=1e-12), list[float]()
    for step in range(4):
        batch, began = next(batches), time.monotonic()
        take_step(model, optimizer, batch, still, step, critic)
        taken.append(time.monotonic() - began)
    most = int(TIMES_SEEN * frames / config.optim.batch)
    return max(FEWEST, min(most, int(60 * minutes / min(taken[1:]))))


def blend(start: Path, run: Path, out: Path, share: float, told: dict[str, Any]) -> Card:
    """Write weights ``share`` of the way from the start to what a run learned; return their card.

    Source: Wortsman et al. 2022 ("Robust fine-tuning"): weights between both keep what the start
    knew of elsewhere.
    """
    learned = run / WEIGHTS
    depth, card = load_depth(start)
    goal = load_depth(learned)[0].state_dict()
    with torch.no_grad():
        for name, value in depth.state_dict().items():
            if value.is_floating_point():
                value.lerp_(goal[name], share)
    refiner = load_refiner(learned)[0] if card.features else None
    card = replace(card, **told)
    save(out, depth, load_pose(learned)[0], card, half=True, refiner=refiner)
    return read_card(out)
