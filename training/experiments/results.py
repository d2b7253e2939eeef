"""What a study has found so far, and how to ask for one number of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from training.experiments.records import RECORDED, Record, finished, key, status
from training.experiments.run import Configuration, Run


@dataclass(frozen=True)
class Results:
    """Evaluations by configuration and seed, and what is known about their making.

    Attributes:
        configurations: all of the study, finished or not.
        found: evaluations, ``found[name][seed]``.
        networks: what the tensors of depth and pose networks are, ``networks[name][seed]``.
        made: device, PyTorch version and seconds per step of each trained run.
        missing: run and its state, for what has no evaluation.
        records: of all finished runs, by key.
    """

    configurations: tuple[Configuration, ...]
    found: dict[str, dict[int, dict[str, Any]]]
    networks: dict[str, dict[int, str]]
    made: list[tuple[Run, dict[str, Any]]]
    missing: list[tuple[Run, str]]
    records: dict[str, Record]

    def of(self, names: Mapping[str, str]) -> Results:
        """Return the results of configurations ``names`` alone, each called as ``names`` says."""

        def kept(found: Mapping[str, Any]) -> dict[str, Any]:
            return {new: found[old] for old, new in names.items() if old in found}

        configurations = [replace(c, name=names[c.name]) for c in self.configurations
                          if c.name in names]  # fmt: skip
        return replace(
            self,
            configurations=tuple(configurations),
            found=kept(self.found),
            networks=kept(self.networks),
        )

    def value(self, name: str, seed: int, key: str) -> float:
        """Return one number, as ``odometry.refined.ate_m``; NaN where there is none."""
        here: Any = self.found.get(name, {}).get(seed, {})
        for part in key.split("."):
            here = here.get(part, {})
        return float(here) if isinstance(here, int | float) else math.nan

    def values(self, name: str, key: str) -> dict[int, float]:
        """Return a number per seed, of the seeds that have it."""
        every = {seed: self.value(name, seed, key) for seed in sorted(self.found.get(name, {}))}
        return {seed: v for seed, v in every.items() if not math.isnan(v)}

    def pairs(self, name: str, key: str, other: str, other_key: str = "") -> list[Pair]:
        """Return the number of two configurations for each seed that both have."""
        mine, others = self.values(name, key), self.values(other, other_key or key)
        return [Pair(s, mine[s], others[s]) for s in mine if s in others]


@dataclass(frozen=True)
class Pair:
    """A number of a configuration and of what it is compared with, of one seed."""

    seed: int
    mine: float
    other: float


def collect(runs: Sequence[Run], records: Mapping[str, Record]) -> Results:
    """Return what is finished of the runs, on disk or recorded, and what is not."""
    results = Results((), {}, {}, [], [], {})
    configurations: dict[str, Configuration] = {}
    for run in runs:
        configuration = run.configuration
        if configuration is not None:
            configurations[configuration.name] = configuration
        known, said = finished(run), status(run, records)
        if known is None and said == RECORDED:
            known = records[key(run)], records[key(run)].evaluation
        if known is None:
            if configuration is not None:
                results.missing.append((run, said))
            continue
        record, found = known
        results.records[key(run)] = record
        if record.made and run.folder == run.trained:
            results.made.append((run, record.made))
        if configuration is not None:
            results.found.setdefault(configuration.name, {})[run.seed] = found
            results.networks.setdefault(configuration.name, {})[run.seed] = record.networks
    return replace(results, configurations=tuple(configurations.values()))


def summary(values: Sequence[float], digits: int = 3) -> str:
    """Return mean and, of several, their standard deviation (of a sample); nothing of none."""
    if not values:
        return ""
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"
