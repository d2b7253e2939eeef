"""What a study is, and its runs in the order they are done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdepth.errors import ConfigError
from training.experiments.claims import Claim
from training.experiments.results import Results
from training.experiments.run import Configuration, Run
from training.synth.config import Domain

CONFIGS = Path("training/configs")


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
        own: overrides of all its runs, after the study's and before a configuration's.
        first: further overrides of its warm-up.
    """

    depth: str
    pose: str
    warmup_steps: int
    steps: int
    warm_up: str = ""
    own: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


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
    evaluate: Callable[[Path, StudyContext], dict[str, Any]]
    material: Callable[[Mapping[str, Any], StudyContext], str]
    protocol: str
    report: Callable[[Results, StudyContext, Path], list[str]]

    @property
    def config(self) -> Path:
        """Its base configuration."""
        return CONFIGS / f"{self.name}.yaml"


@dataclass(frozen=True)
class StudyContext:
    """A study, its folders, and what all its runs share beside the base configuration."""

    study: Study
    out: Path
    drives: Mapping[str, Path]
    device: str = "auto"
    extra: tuple[str, ...] = ()

    @property
    def scored_on(self) -> dict[str, str]:
        """Return the drives an evaluation is of, as it names them."""
        return {d.scored_as: str(self.drives[d.name]) for d in self.study.drives if d.scored_as}


def plan(
    context: StudyContext, only: Sequence[str] = (), seeds: Sequence[int] | None = None
) -> list[Run]:
    """Return the runs in order: group by group, seed by seed, a warm-up before what needs it.

    Args:
        context: the study and its folders.
        only: names of configurations to keep; all if empty.
        seeds: to keep; None for all.

    Raises:
        ConfigError: ``only`` names what is not there.
    """
    configurations = context.study.configurations
    known = [c.name for c in configurations]
    if unknown := sorted(set(only) - set(known)):
        raise ConfigError(f"--only {' '.join(unknown)}: not a configuration; known: {known}")
    runs: dict[Path, Run] = {}
    for group in dict.fromkeys(c.group for c in configurations):
        kept = [c for c in configurations if c.group == group and (not only or c.name in only)]
        for seed in sorted({s for c in kept for s in c.seeds}):
            if seeds is not None and seed not in seeds:
                continue
            for configuration in (c for c in kept if seed in c.seeds):
                nets = context.study.networks[configuration.network]
                first = _warm_up(nets.warm_up or configuration.network, seed, context)
                runs.setdefault(first.folder, first)
                run = _continue(configuration, seed, first, context)
                runs[run.folder] = run
    return list(runs.values())


def _warm_up(network: str, seed: int, context: StudyContext) -> Run:
    """Return the run all configurations of a network and seed start from."""
    folder = context.out / "warmup" / network.replace(", ", "-").replace(" ", "-") / f"seed{seed}"
    nets = context.study.networks[network]
    own = (
        f"optim.steps={nets.warmup_steps}",
        "optim.decay_from=1.0",
        *_filled((*context.study.warm_up, *nets.own, *nets.first), context),
    )
    overrides = (*_identity("warmup", network, seed, context), *own, *context.extra)
    return Run(*_common(context), None, network, seed, folder, overrides, None, folder)


def _continue(c: Configuration, seed: int, first: Run, context: StudyContext) -> Run:
    """Return the run of a configuration."""
    folder = context.out / c.name / f"seed{seed}"
    if not c.trains:
        overrides, start = first.overrides, first.weights
        return Run(*_common(context), c, c.network, seed, folder, overrides, start, first.folder)
    nets = context.study.networks[c.network]
    overrides = (
        *_identity(c.name, c.network, seed, context),
        f"model.init_from={first.weights}",
        f"optim.steps={nets.steps}",
        *_filled(context.study.shared, context, warm_up=first.weights),
        *_filled((*nets.own, *c.overrides), context),
        *context.extra,
    )
    start = first.weights
    return Run(*_common(context), c, c.network, seed, folder, overrides, start, folder)


def _common(context: StudyContext) -> tuple[Path, Path, dict[str, str]]:
    """Return what all runs have in common: base configuration, folder, drives scored on."""
    return context.study.config, context.out, context.scored_on


def _identity(name: str, network: str, seed: int, context: StudyContext) -> tuple[str, ...]:
    """Return the overrides that say which run this is."""
    nets = context.study.networks[network]
    return (
        f"name={name}",
        f"seed={seed}",
        f"data.train=[{context.drives['data']}]",
        f"model.depth={nets.depth}",
        f"model.pose={nets.pose}",
        "log.save_every=200",
    )


def _filled(overrides: Sequence[str], context: StudyContext, **more: Path) -> tuple[str, ...]:
    """Return overrides with the folders they name in braces."""
    return tuple(o.format(**context.drives, **more) for o in overrides)
