"""One training run of a study: its configuration file, its overrides and its folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdepth.config import from_dict, read_values
from training.config import TrainConfig
from training.run_folder import WEIGHTS

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Configuration:
    """What is trained after the warm-up.

    Attributes:
        name: unique; folder and row of the report.
        group: decides table and order: what comes first in a study runs first, for all its seeds.
        network: key of the study's networks.
        seeds: of the warm-up, the batches and the new layers.
        overrides: of the study's configuration.
        trains: False for the warm-up itself, evaluated like any other.
    """

    name: str
    group: str
    network: str
    seeds: tuple[int, ...]
    overrides: tuple[str, ...] = ()
    trains: bool = True


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        base: configuration file that the overrides change.
        out: folder of this run and all it belongs with.
        scored_on: what its evaluation must name, by key: the drives it is scored on.
        configuration: None for a warm-up.
        network: key of the study's networks.
        seed: of everything.
        folder: of the run, and of its evaluation.
        overrides: that make it.
        start: the warm-up's weights; None for what needs none.
        trained: the folder of its weights, which is its own unless it only scores the warm-up.
    """

    base: Path
    out: Path
    scored_on: Mapping[str, str]
    configuration: Configuration | None
    network: str
    seed: int
    folder: Path
    overrides: tuple[str, ...]
    start: Path | None
    trained: Path

    @property
    def name(self) -> str:
        """How the run is called on screen."""
        what = self.configuration.name if self.configuration else f"warm-up ({self.network})"
        return f"{what}, seed {self.seed}"

    @property
    def weights(self) -> Path:
        """What the run leaves."""
        return self.trained / WEIGHTS

    def scored(self, found: Mapping[str, Any]) -> bool:
        """Return whether an evaluation is of the drives this run is scored on."""
        return all(found.get(key) == folder for key, folder in self.scored_on.items())

    def values(self) -> dict[str, Any]:
        """Return what it is set to: the base configuration, and the overrides."""
        return read_values(_ROOT / self.base, self.overrides)

    def config(self) -> TrainConfig:
        """Return the resolved configuration."""
        return from_dict(TrainConfig, self.values(), self.name)

    def drives(self) -> tuple[str, ...]:
        """Return the folders of drives it is trained on."""
        config = self.config()
        return (*config.data.train, *(config.prior.day if config.prior.weight > 0 else ()))

    def command(self) -> str:
        """Return the command that makes the same run."""
        sets = [part for o in self.overrides for part in ("--set", o)]
        words = [str(self.base), "--out", str(self.trained), *sets]
        return "python -m training.train " + shlex.join(words)
