"""A run on disk: config, progress and everything needed to continue it bit for bit."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn, optim

from sdepth.card import Card
from sdepth.checkpoint import read_card, read_tensors, save, write_tensors
from sdepth.config import read_values, to_dict
from sdepth.errors import CheckpointError, ConfigError
from sdepth.models.encoder import Encoder
from training.config import TrainConfig
from training.feature_alignment import FeatureAlignment
from training.hold import Held
from training.self_supervised import SelfSupervised
from training.supervised import Supervised

_HARMLESS = ("name", "data.workers", "log.", "optim.steps")
"""Keys, or how they begin, that may change from one start of a run to the next."""
STATE, WEIGHTS, CONFIG = "state.safetensors", "weights.safetensors", "config.yaml"

Model = SelfSupervised | Held | Supervised | FeatureAlignment
"""What a training step is; all hold the networks under the same names."""
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

    What changes nothing that was learnt may differ (``_HARMLESS``), and data may have moved.

    Raises:
        CheckpointError: the folder holds a run with another configuration.
    """
    path = run / CONFIG
    if path.is_file() and (run / STATE).is_file():
        differ = _differences(path, config)
        said = ", ".join(f"{key} {was!r} (now {now!r})" for key, (was, now) in differ.items())
        if differ:
            raise CheckpointError(
                f"{run}: holds a run with another configuration: {said}; give the old values to "
                f"go on with it, another --out for a new run, or, where files were renamed, "
                f"write that in {path}"
            )
    run.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(to_dict(config), sort_keys=False))


def _differences(path: Path, config: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """Return the keys that forbid going on with a run, each with its old and new value."""
    try:
        old = _flat(read_values(path))
    except (ConfigError, OSError, ValueError) as err:
        raise CheckpointError(f"{path}: damaged ({err}); mend it, or take another --out") from err
    new, default = _flat(to_dict(config)), _flat(to_dict(TrainConfig()))
    pairs = {key: (old.get(key, default.get(key)), new.get(key)) for key in {**new, **old}}
    return {
        key: (was, now)
        for key, (was, now) in pairs.items()
        if was != now and not key.startswith(_HARMLESS) and not _moved(was, now)
    }


def _moved(was: Any, now: Any) -> bool:
    """Tell whether paths name the same files, there once and here now."""
    if isinstance(was, list) and isinstance(now, list):
        return len(was) == len(now) and all(map(_moved, was, now))
    if not (isinstance(was, str) and isinstance(now, str) and was and now):
        return bool(was == now)
    there, here = Path(was), Path(now)
    if not here.exists() or there.name != here.name:
        return was == now
    return not there.exists() or there.samefile(here)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested mapping's values by ``a.b``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inside = isinstance(value, Mapping)
        flat |= _flat(value, f"{prefix}{key}.") if inside else {f"{prefix}{key}": value}
    return flat


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
