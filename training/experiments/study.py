"""What a study is, and its runs in the order they are done."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdepth.config import from_dict, read_values
from sdepth.errors import ConfigError
from training.config import TrainConfig
from training.run_folder import WEIGHTS
from training.synth.config import Domain

if TYPE_CHECKING:
    from training.experiments.claims import Claim
    from training.experiments.results import Results

CONFIGS = Path("training/configs")
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Drives:
    """Drives a study uses.

    Attributes:
        option: of the command, without ``--``; dashes are underscores in overrides.
        default: folder.
        domain: what ``--quick`` renders in their place, and from which seed.
        seed: likewise.
        scored_as: key of an evaluation that names them; "" if nothing is scored on them.
    """

    option: str
    default: Path
    domain: Domain
    seed: int
    scored_as: str = ""

    @property
    def name(self) -> str:
        """As overrides call them."""
        return self.option.replace("-", "_")


@dataclass(frozen=True)
class Network:
    """What configurations are made of, and how long they are trained.

    Attributes:
        depth: network.
        pose: network.
        warmup_steps: shared by all configurations of a seed; those of ``warm_up``, if it is given.
        steps: of each configuration after it.
        warm_up: the network of the study whose warm-up it continues; "" for its own.
    """

    depth: str
    pose: str
    warmup_steps: int
    steps: int
    warm_up: str = ""


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
class Study:
    """Paired runs: each (network, seed) has one warm-up, which every configuration continues.

    Attributes:
        name: of the command, the results and the base configuration in training/configs.
        title: of the report.
        drives: by the order of the command's options.
        networks: by name.
        warm_up: overrides of the warm-up; braces name drives: ``data.train=[{day}]``.
        shared: overrides of every configuration; ``{warm_up}`` is the warm-up's weights.
        configurations: in order of importance.
        claims: what is to be shown.
        evaluate: numbers of weights, with ``sha256`` and what ``Drives.scored_as`` names.
        material: what was trained and tested on, in words, given one evaluation.
        protocol: of the report, in words.
        report: its tables and plots as Markdown; plots are written to the folder.
    """

    name: str
    title: str
    drives: tuple[Drives, ...]
    networks: Mapping[str, Network]
    warm_up: tuple[str, ...]
    shared: tuple[str, ...]
    configurations: tuple[Configuration, ...]
    claims: tuple[Claim, ...]
    evaluate: Callable[[Path, Where], dict[str, Any]]
    material: Callable[[Mapping[str, Any], Where], str]
    protocol: str
    report: Callable[[Results, Where, Path], list[str]]

    @property
    def config(self) -> Path:
        """Its base configuration."""
        return CONFIGS / f"{self.name}.yaml"


@dataclass(frozen=True)
class Where:
    """A study, its folders, and what all its runs share beside the base configuration."""

    study: Study
    out: Path
    drives: Mapping[str, Path]
    device: str = "auto"
    extra: tuple[str, ...] = ()

    def scored(self, found: Mapping[str, Any]) -> bool:
        """Return whether an evaluation is of these drives."""
        asked = {d.scored_as: str(self.drives[d.name]) for d in self.study.drives if d.scored_as}
        return all(found.get(key) == folder for key, folder in asked.items())


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        where: the study it belongs to.
        configuration: None for a warm-up.
        network: key of the study's networks.
        seed: of everything.
        folder: of the run, and of its evaluation.
        overrides: that make it.
        start: the warm-up's weights; None for what needs none.
        trained: the folder of its weights, which is its own unless it only scores the warm-up.
    """

    where: Where
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

    def values(self) -> dict[str, Any]:
        """Return what it is set to: the study's configuration, and the overrides."""
        return read_values(_ROOT / self.where.study.config, self.overrides)

    def config(self) -> TrainConfig:
        """Return the resolved configuration."""
        return from_dict(TrainConfig, self.values(), self.name)

    def command(self) -> str:
        """Return the command that makes the same run."""
        sets = [part for o in self.overrides for part in ("--set", o)]
        words = [str(self.where.study.config), "--out", str(self.trained), *sets]
        return "python -m training.train " + shlex.join(words)


def plan(where: Where, only: Sequence[str] = (), seeds: Sequence[int] | None = None) -> list[Run]:
    """Return the runs in order: group by group, seed by seed, a warm-up before what needs it.

    Args:
        where: the study and its folders.
        only: names of configurations to keep; all if empty.
        seeds: to keep; None for all.

    Raises:
        ConfigError: ``only`` names what is not there.
    """
    configurations = where.study.configurations
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
                nets = where.study.networks[line.network]
                first = _warm_up(nets.warm_up or line.network, seed, where)
                runs.setdefault(first.folder, first)
                run = _continue(line, seed, first, where)
                runs[run.folder] = run
    return list(runs.values())


def _warm_up(network: str, seed: int, where: Where) -> Run:
    """Return the run all configurations of a network and seed start from."""
    folder = where.out / "warmup" / network.replace(", ", "-").replace(" ", "-") / f"seed{seed}"
    steps = where.study.networks[network].warmup_steps
    own = (f"optim.steps={steps}", "optim.decay_from=1.0", *_filled(where.study.warm_up, where))
    overrides = (*_identity("warmup", network, seed, where), *own, *where.extra)
    return Run(where, None, network, seed, folder, overrides, None, folder)


def _continue(line: Configuration, seed: int, first: Run, where: Where) -> Run:
    """Return the run of a configuration."""
    folder = where.out / line.name / f"seed{seed}"
    if not line.trains:
        overrides, start = first.overrides, first.weights
        return Run(where, line, line.network, seed, folder, overrides, start, first.folder)
    steps = where.study.networks[line.network].steps
    overrides = (
        *_identity(line.name, line.network, seed, where),
        f"model.init_from={first.weights}",
        f"optim.steps={steps}",
        *_filled(where.study.shared, where, warm_up=first.weights),
        *_filled(line.overrides, where),
        *where.extra,
    )
    return Run(where, line, line.network, seed, folder, overrides, first.weights, folder)


def _identity(name: str, network: str, seed: int, where: Where) -> tuple[str, ...]:
    """Return the overrides that say which run this is."""
    nets = where.study.networks[network]
    return (
        f"name={name}",
        f"seed={seed}",
        f"data.train=[{where.drives['data']}]",
        f"model.depth={nets.depth}",
        f"model.pose={nets.pose}",
        "log.save_every=200",
    )


def _filled(overrides: Sequence[str], where: Where, **more: Path) -> tuple[str, ...]:
    """Return overrides with the folders they name in braces."""
    return tuple(o.format(**where.drives, **more) for o in overrides)
