"""Which engine is the fastest on a machine: timed in turns, and kept for later starts."""

from __future__ import annotations

import json
import time
from collections.abc import Container, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from sdepth.engines.engine import Engine
from sdepth.engines.golden import golden_inputs
from sdepth.engines.source import Source
from sdepth.files import write_json

ROUNDS, _WARM_UP = 7, 2
"""Images each engine is timed on, and those before."""
WORTH_IT = 0.9
"""Share of another engine's time above which one is no gain over it."""
WORTH_LOADING_MS = 2.0
"""What an engine must save of every image where no other network has loaded its library: that
takes 20 to 50 MB and up to 0.4 s of the start."""


def times_ms(
    engines: Mapping[str, Engine], source: Source, rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """Return what each engine took for the golden frame of a source, milliseconds.

    They take turns: what else the machine does meanwhile, all share.
    """
    inputs = golden_inputs(source)
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds + _WARM_UP):
        for name, engine in engines.items():
            since = time.perf_counter()
            engine.run(*inputs)
            times[name].append(1e3 * (time.perf_counter() - since))
    return {name: values[_WARM_UP:] for name, values in times.items()}


def fastest(times: Mapping[str, float], unloaded: Container[str] = ()) -> str:
    """Return the engine of the shortest time; PyTorch, unless another is clearly faster.

    Args:
        times: of each engine, milliseconds.
        unloaded: engines that must be ``WORTH_LOADING_MS``.
    """
    times = {k: ms + WORTH_LOADING_MS * (k in unloaded) for k, ms in times.items()}
    first = min(times, key=times.__getitem__)
    plain = next((label for label in times if label in ("torch", "torch fp32")), first)
    return first if times[first] < WORTH_IT * times[plain] else plain


def kept(source: Source, names: Iterable[str]) -> dict[str, float]:
    """Return what engines took when a node first started, milliseconds; {} where none did."""
    path = _path(source, names)
    times: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}
    return times


def keep(source: Source, names: Iterable[str], times: Mapping[str, float]) -> None:
    """Keep what engines took, milliseconds: starts with the same ``names`` go by it."""
    write_json(_path(source, names), dict(times), None)


def in_words(times: Mapping[str, float]) -> str:
    """Return times, the shortest first."""
    ranked = sorted(times.items(), key=lambda item: item[1])
    return ", ".join(f"{name} {ms:.1f} ms" for name, ms in ranked)


def _path(source: Source, names: Iterable[str]) -> Path:
    """Return where times are kept; another version or number of threads is timed by itself."""
    versions = (f"{name} {_version(name.split()[0])}" for name in names)
    return source.cached("json", *versions, f"{torch.get_num_threads()} threads")


def _version(name: str) -> str:
    """Return the version of a package, "" where it was not installed by pip."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
