"""Runs of a study: what they are, how far they are, and doing what is missing, in order."""

from __future__ import annotations

import json
import platform
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from sdepth.checkpoint import read_card
from sdepth.config import load_config
from sdepth.errors import CheckpointError, ConfigError, DataError, SdepthError
from sdepth.estimator import pick_device
from training.config import TrainConfig
from training.evaluate_motion import evaluate_motion
from training.experiments.sa4depth import NETWORKS, NONE, Configuration
from training.state import CONFIG, WEIGHTS
from training.trainer import train

BASE_CONFIG = Path(__file__).parents[1] / "configs" / "sa4depth.yaml"
EVALUATION, FAILED, MADE = "evaluation.json", "failed.txt", "made.json"


@dataclass(frozen=True)
class Where:
    """Folders of the study, and what all its runs share beside the base configuration."""

    out: Path
    data: Path
    test: Path
    device: str = "auto"
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One training run; ``configuration`` is None for a warm-up, ``start`` for what needs none."""

    configuration: Configuration | None
    network: str
    seed: int
    folder: Path
    overrides: tuple[str, ...]
    start: Path | None = None

    @property
    def name(self) -> str:
        """How the run is called on screen."""
        what = self.configuration.name if self.configuration else f"warm-up ({self.network})"
        return f"{what}, seed {self.seed}"

    @property
    def weights(self) -> Path:
        """What the run leaves."""
        return self.folder / WEIGHTS

    def with_overrides(self, overrides: tuple[str, ...]) -> Run:
        """Return the run as other overrides would make it."""
        return replace(self, overrides=overrides)

    def config(self) -> TrainConfig:
        """Return the resolved configuration."""
        return load_config(TrainConfig, BASE_CONFIG, self.overrides)

    def command(self) -> str:
        """Return the command that makes the same run."""
        sets = [part for o in self.overrides for part in ("--set", o)]
        config = ["training/configs/sa4depth.yaml", "--out", str(self.folder)]
        return "python -m training.train " + shlex.join([*config, *sets])


def plan(
    configurations: Sequence[Configuration],
    where: Where,
    only: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
) -> list[Run]:
    """Return the runs in order: group by group, seed by seed, a warm-up before what needs it.

    Args:
        configurations: in order of importance.
        where: the study's folders.
        only: names to keep; all if empty.
        seeds: to keep; None for all.

    Raises:
        ConfigError: ``only`` names what is not there.
    """
    known = [c.name for c in configurations]
    if unknown := sorted(set(only) - set(known)):
        raise ConfigError(f"--only {' '.join(unknown)}: not a configuration; known: {known}")
    runs: dict[Path, Run] = {}
    for group in dict.fromkeys(c.group for c in configurations):
        lines = [c for c in configurations if c.group == group and (not only or c.name in only)]
        for seed in sorted({s for c in lines for s in c.seeds}):
            if seeds is not None and seed not in seeds:
                continue
            for line in (c for c in lines if seed in c.seeds):
                first = _warm_up(line.network, seed, where)
                runs.setdefault(first.folder, first)
                run = _continue(line, seed, first, where)
                runs[run.folder] = run
    return list(runs.values())


def _warm_up(network: str, seed: int, where: Where) -> Run:
    """Return the run all configurations of a network and seed start from."""
    folder = where.out / "warmup" / network.replace(", ", "-").replace(" ", "-") / f"seed{seed}"
    steps = NETWORKS[network].warmup_steps
    own = (f"optim.steps={steps}", "optim.decay_from=1.0", *NONE)
    overrides = (*_shared("warmup", network, seed, where), *own, *where.extra)
    return Run(None, network, seed, folder, overrides)


def _continue(line: Configuration, seed: int, first: Run, where: Where) -> Run:
    """Return the run of a configuration."""
    own = (f"model.init_from={first.weights}", f"optim.steps={NETWORKS[line.network].steps}")
    overrides = (
        *_shared(line.name, line.network, seed, where),
        *own,
        *line.overrides,
        *where.extra,
    )
    folder = where.out / line.name / f"seed{seed}"
    return Run(line, line.network, seed, folder, overrides, first.weights)


def _shared(name: str, network: str, seed: int, where: Where) -> tuple[str, ...]:
    """Return the overrides that say which run this is."""
    nets = NETWORKS[network]
    return (
        f"name={name}",
        f"seed={seed}",
        f"data.train=[{where.data}]",
        f"model.depth={nets.depth}",
        f"model.pose={nets.pose}",
        "log.save_every=200",
    )


def state(run: Run) -> str:
    """Return ``trained``, ``failed: why``, ``other configuration``, ``step N`` or ``to do``."""
    failed = run.folder / FAILED
    if failed.is_file():
        return f"failed: {failed.read_text().strip()}"
    config, written = run.config(), run.folder / CONFIG
    if not written.is_file():
        return "to do"
    if load_config(TrainConfig, written) != config:
        return "other configuration"
    try:
        step = read_card(run.weights).step
    except CheckpointError:
        return "to do"
    return "trained" if step == config.optim.steps else f"step {step}"


def evaluation(run: Run, where: Where) -> dict[str, Any] | None:
    """Return the evaluation of the run's weights as they are now, or None."""
    path = run.folder / EVALUATION
    if not path.is_file() or state(run) != "trained":
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    same = found["sha256"] == read_card(run.weights).sha256 and found["data"] == str(where.test)
    return found if same else None


def execute(run: Run, where: Where) -> str:
    """Train and evaluate what is missing of a run; return its state, ``done`` at best."""
    now = state(run)
    if now.startswith("failed") or now == "other configuration":
        return f"{now} (delete {run.folder} to train it anew)"
    if run.start is not None and not run.start.is_file():
        return "no warm-up to start from"
    try:
        if now != "trained":
            _train(run, where)
    except DataError as err:  # the loss is no number: the same steps would give the same again
        (run.folder / FAILED).write_text(f"{err}\n")
        return f"failed: {err}"
    except SdepthError as err:
        return f"not trained: {err}"
    if run.configuration is None or evaluation(run, where) is not None:
        return "done"
    try:
        found = evaluate_motion(run.weights, where.test, where.device)
    except SdepthError as err:
        return f"not evaluated: {err}"
    _write(run.folder / EVALUATION, found)
    return "done"


def _train(run: Run, where: Where) -> None:
    """Train, and note on what and how fast."""
    config, made = run.config(), run.folder / MADE
    before = read_card(run.weights).step if state(run).startswith("step") else 0
    since = time.monotonic()
    train(config, run.folder, where.device, run.command())
    seconds, device = time.monotonic() - since, pick_device(where.device)
    is_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if is_gpu else f"CPU ({platform.machine()})"
    per_step = seconds / max(1, config.optim.steps - before)
    _write(made, {"device": name, "torch": torch.__version__, "seconds_per_step": per_step})


def seconds_left(runs: Sequence[Run], made: Sequence[tuple[Run, dict[str, Any]]]) -> float:
    """Return how long training the missing steps takes at the speed seen so far; NaN unknown."""
    speeds: dict[str, list[float]] = {}
    for run, known in made:
        speeds.setdefault(run.network, []).append(known["seconds_per_step"])
    everything = [s for network in speeds.values() for s in network]
    total = 0.0
    for run in runs:
        now = state(run)
        if now == "to do" or now.startswith("step"):
            done = int(now.split()[1]) if now.startswith("step") else 0
            seen = speeds.get(run.network) or everything or [float("nan")]
            total += (run.config().optim.steps - done) * sum(seen) / len(seen)
    return total


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.replace(path)
