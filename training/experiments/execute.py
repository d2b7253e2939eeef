"""How far the runs of a study are, and doing what is missing of one."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from sdepth.checkpoint import read_card
from sdepth.config import load_config
from sdepth.depth.estimator import pick_device
from sdepth.errors import CheckpointError, DataError, SdepthError
from sdepth.files import write_json
from training.config import TrainConfig
from training.experiments.run import Run
from training.run_folder import CONFIG
from training.trainer import train

EVALUATION, FAILED, MADE = "evaluation.json", "failed.txt", "made.json"


def state(run: Run) -> str:
    """Return ``trained``, ``failed: why``, ``other configuration``, ``step N`` or ``to do``."""
    failed = run.trained / FAILED
    if failed.is_file():
        return f"failed: {failed.read_text().strip()}"
    config, written = run.config(), run.trained / CONFIG
    if not written.is_file():
        return "to do"
    if load_config(TrainConfig, written) != config:
        return "other configuration"
    try:
        step = read_card(run.weights).step
    except CheckpointError:
        return "to do"
    return "trained" if step == config.optim.steps else f"step {step}"


def evaluation(run: Run) -> dict[str, Any] | None:
    """Return the evaluation of the run's weights as they are now, or None."""
    path = run.folder / EVALUATION
    if not path.is_file() or state(run) != "trained":
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    same = found["sha256"] == read_card(run.weights).sha256 and run.scored(found)
    return found if same else None


def made(run: Run) -> dict[str, Any]:
    """Return how the run was trained: device, PyTorch, seconds per step; empty if not known."""
    path = run.trained / MADE
    known: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return known


def execute(run: Run, device: str, evaluate: Callable[[Path], dict[str, Any]]) -> str:
    """Train and evaluate what is missing of a run; return its state, ``done`` at best."""
    now = state(run)
    if now.startswith("failed") or now == "other configuration":
        return f"{now} (delete {run.trained} to train it anew)"
    if run.start is not None and not run.start.is_file():
        return "no warm-up to start from"
    try:
        if now != "trained":
            _train(run, device)
    except DataError as err:  # the loss is no number: the same steps would give the same again
        (run.trained / FAILED).write_text(f"{err}\n")
        return f"failed: {err}"
    except SdepthError as err:
        return f"not trained: {err}"
    if run.configuration is None or evaluation(run) is not None:
        return "done"
    try:
        found = evaluate(run.weights)
    except SdepthError as err:
        return f"not evaluated: {err}"
    write_json(run.folder / EVALUATION, found)
    return "done"


def _train(run: Run, device: str) -> None:
    """Train, and note on what, from what and how fast."""
    config, target = run.config(), pick_device(device)
    before = read_card(run.weights).step if state(run).startswith("step") else 0
    since = time.monotonic()
    train(config, run.trained, device, run.command())
    seconds = time.monotonic() - since
    is_gpu = target.type == "cuda"
    note = {
        "device": torch.cuda.get_device_name(target) if is_gpu else f"CPU ({platform.machine()})",
        "torch": torch.__version__,
        "seconds_per_step": seconds / max(1, config.optim.steps - before),
    }
    if run.start is not None:
        note["start"] = read_card(run.start).sha256[:16]
    write_json(run.trained / MADE, note)


def seconds_left(runs: Sequence[Run], known: Sequence[tuple[Run, Mapping[str, Any]]]) -> float:
    """Return how long training the missing steps takes at the speed seen so far; NaN unknown."""
    speeds: dict[str, list[float]] = {}
    for run, note in known:
        speeds.setdefault(run.network, []).append(note["seconds_per_step"])
    everything = [s for network in speeds.values() for s in network]
    total = 0.0
    for run in runs:
        now = state(run)
        if now == "to do" or now.startswith("step"):
            done = int(now.split()[1]) if now.startswith("step") else 0
            seen = speeds.get(run.network) or everything or [float("nan")]
            total += (run.config().optim.steps - done) * sum(seen) / len(seen)
    return total
