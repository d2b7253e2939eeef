"""A run on disk: config, progress and everything needed to continue it bit for bit."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import torch
import yaml
from torch import Tensor, nn, optim

from sdepth.checkpoint import Card, read_card, read_tensors, save, write_tensors
from sdepth.config import load_config, to_dict
from sdepth.errors import CheckpointError, ConfigError
from sdepth.models.encoder import Encoder
from training.config import TrainConfig
from training.self_supervised import SelfSupervised
from training.supervised import Supervised

STATE, WEIGHTS, CONFIG = "state.safetensors", "weights.safetensors", "config.yaml"

Model = SelfSupervised | Supervised
"""What a training step is; both hold the networks under the same names."""
Learner = tuple[nn.Module, optim.Optimizer]
"""Networks and what changes them."""


def save_state(run: Path, learners: dict[str, Learner], step: int) -> None:
    """Write networks, optimisers and step, atomically."""
    tensors: dict[str, Tensor] = {"step": torch.tensor(step)}
    for name, (module, optimizer) in learners.items():
        tensors |= {f"{name}.{k}": v for k, v in module.state_dict().items()}
        for index, slots in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}_optim.{index}.{slot}": value for slot, value in slots.items()}
    write_tensors(run / STATE, tensors)


def saved_step(run: Path) -> int:
    """Return the step a run continues at, 0 for a new one.

    Raises:
        CheckpointError: the state is damaged.
    """
    path = run / STATE
    return int(read_tensors(path)["step"]) if path.is_file() else 0


def load_state(run: Path, learners: dict[str, Learner]) -> None:
    """Fill networks and optimisers from the run, if it has begun.

    Raises:
        CheckpointError: the state is damaged or of other networks.
    """
    path = run / STATE
    if not path.is_file():
        return
    tensors = read_tensors(path)
    try:
        for name, (module, optimizer) in learners.items():
            module.load_state_dict(_under(tensors, f"{name}."))
            slots: dict[int, dict[str, Tensor]] = {}
            for key, value in _under(tensors, f"{name}_optim.").items():
                index, slot = key.split(".", 1)
                slots.setdefault(int(index), {})[slot] = value
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": slots, "param_groups": groups})
    except (RuntimeError, ValueError) as err:
        raise CheckpointError(f"{path}: not of these networks ({err}); use another --out") from err


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with ``prefix``, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def save_config(run: Path, config: TrainConfig) -> None:
    """Write the resolved configuration, or refuse a run that was made with another.

    Raises:
        CheckpointError: the folder holds a run with another configuration.
    """
    path = run / CONFIG
    if path.is_file() and (run / STATE).is_file() and _read_config(path) != config:
        raise CheckpointError(
            f"{run}: holds a run with another configuration (see {path}); "
            "use another --out, or --overwrite to begin anew"
        )
    run.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(to_dict(config), sort_keys=False))


def _read_config(path: Path) -> TrainConfig | None:
    """Return a run's configuration; None where it has keys that are no more."""
    try:
        return load_config(TrainConfig, path)
    except ConfigError:
        return None


def snapshot(run: Path, step: int) -> Path:
    """Return where the weights of one step are kept."""
    return run / "kept" / f"{step:06d}.safetensors"


def save_weights(path: Path, model: Model, config: TrainConfig, step: int, command: str) -> None:
    """Write the networks with their card."""
    r, before = config.refine, _card(config, model.depth_net.encoder)
    card = replace(
        before,
        command="; ".join(filter(None, (before.command, command))),
        commit=git_commit(),
        step=step,
        features=r.features,
        feature_strides=r.strides if r.features else (),
    )
    depth = model.depth_net if model.average is None else model.average
    save(path, depth, model.pose_net, card, half=False, refiner=model.refiner)


def _card(config: TrainConfig, encoder: Encoder) -> Card:
    """Return what a run's networks are; depth and pose that did not learn keep their card."""
    if config.refine.only and config.model.init_from:
        return read_card(Path(config.model.init_from))
    return Card(
        depth_architecture=config.model.depth,
        pose_architecture=config.model.pose,
        input_size=config.data.size,
        depth_range_m=config.model.depth_range_m,
        metric=max(config.loss.speed_weight, config.truth.weight) > 0 or config.loss.known_motion,
        domain=config.domain,
        training_data=", ".join(config.data.train),
        command="",
        commit="",
        step=0,
        focal_ratio=config.model.focal_ratio,
        pose_output_scale=config.model.pose_output_scale,
        mean=encoder.mean,
        std=encoder.std,
    )


def git_commit() -> str:
    """Return the commit of the code, '+' where files differ from it; 'unknown' without git."""
    here = Path(__file__).parent
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=here, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run.stdout.strip()
