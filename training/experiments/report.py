"""A study's report: what was made, claims, tables and plots, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sdepth.markdown import table
from training.experiments.records import read_records, write_records
from training.experiments.results import Results, summary
from training.experiments.study import StudyContext

Column = tuple[str, str]
"""Head of a column, and the key of its number."""


def write_report(results: Results, context: StudyContext, out: Path) -> Path:
    """Write the study's .md, .json and plots to ``out``; return the first.

    Records of runs that are not among the results, say of another configuration, stay in the file.
    """
    study = context.study
    out.mkdir(parents=True, exist_ok=True)
    claims = [(claim, claim.check(results)) for claim in study.claims]
    rows = [[c.id, c.text, v.verdict, v.numbers] for c, v in claims]
    parts = [f"# {study.title}", _made_of(results, context), study.protocol]
    parts += ["## Claims", "A claim holds if it does in every seed run."]
    parts += [table(["id", "claim", "verdict", "numbers"], rows)]
    parts += study.report(results, context, out)
    parts += ["## Missing", _missing(results, study.name)]
    path = out / f"{study.name}.md"
    path.write_text("\n\n".join(parts) + "\n")
    json_path = path.with_suffix(".json")
    records = {**read_records(json_path), **results.records}
    told = [{"id": c.id, "claim": c.text, **vars(v)} for c, v in claims]
    write_records(json_path, records, claims=told)
    return path


def seeds_of(results: Results, name: str) -> str:
    """Return how many of a configuration's seeds have numbers, as ``2 of 3``."""
    asked = {c.name: len(c.seeds) for c in results.configurations}
    return f"{len(results.found.get(name, {}))} of {asked[name]}"


def means(
    results: Results,
    names: Sequence[str],
    columns: Sequence[Column],
    more: Sequence[Sequence[str]] = (),
) -> str:
    """Return a table of configurations, mean ± standard deviation over seeds, and more rows."""
    rows = []
    for name in names:
        cells = [summary([*results.values(name, key).values()]) for _, key in columns]
        rows.append([name, seeds_of(results, name), *cells])
    return table(["configuration", "seeds", *(head for head, _ in columns)], [*rows, *more])


def differences(
    results: Results, names: Sequence[str], base: str, columns: Sequence[Column]
) -> str:
    """Return a table of paired differences to ``base``, and in how many seeds they are below 0."""
    rows = []
    for name in names:
        cells = []
        for _, key in columns:
            change = [p.mine - p.other for p in results.pairs(name, key, base)]
            fewer = f"({sum(d < 0 for d in change)} of {len(change)})"
            cells.append(f"{np.mean(change):+.3f} {fewer}" if change else "")
        rows.append([name, *cells])
    return table(["configuration", *(head for head, _ in columns)], rows)


def tried(report: str) -> list[str]:
    """Return tried.md beside a study's ``report`` (its file), for the claims that do not hold."""
    text = Path(report).with_name("tried.md").read_text().rstrip()
    return ["## What was tried where claims do not hold", text]


def images(titles: dict[str, str]) -> list[str]:
    """Return pictures by file name and title."""
    return [f"![{title}]({name})" for name, title in titles.items()]


def _made_of(results: Results, context: StudyContext) -> str:
    """Return what was trained and scored on what, how fast, and where pairs are not exact."""
    lines = [f"Made by `python -m training.experiments {context.study.name}`.", ""]
    first = next((found for seeds in results.found.values() for found in seeds.values()), None)
    if first is not None:
        lines += [f"- {context.study.material(first, context)}"]
    seen: dict[str, list[float]] = {}
    starts: dict[tuple[str, int], set[str]] = {}
    for run, made in results.made:
        config = run.config()
        width, height = config.data.size[::-1]
        what = "warm-up" if run.configuration is None else "configurations"
        text = (
            f"{run.network}, {what}: {config.optim.steps} steps of {config.optim.batch} at "
            f"{width}x{height}, {made['device']}, PyTorch {made['torch']}"
        )
        seen.setdefault(text, []).append(made["seconds_per_step"])
        if run.configuration is not None:
            pair = run.network, run.seed
            starts.setdefault(pair, set()).add(made.get("start", "one not recorded"))
    lines += [
        f"- {text}; runs: {len(s)}, {np.median(s):.2f} s a step (median)"
        for text, s in seen.items()
    ]
    lines += [
        f"- {network}, seed {seed}: runs start from {len(s)} trainings of the same warm-up; pairs "
        "are exact only as far as these gave the same weights"
        for (network, seed), s in starts.items()
        if len(s) > 1
    ]
    return "\n".join(lines)


def _missing(results: Results, study: str) -> str:
    """Return what has no numbers, and the command that gives them."""
    if not results.missing:
        return "Nothing."
    seeds: dict[tuple[str, str], list[str]] = {}
    for run, said in results.missing:
        if run.configuration:
            seeds.setdefault((run.configuration.name, said), []).append(str(run.seed))
    rows = [f"- {name}, seed {', '.join(s)}: {said}" for (name, said), s in seeds.items()]
    names = dict.fromkeys(name for name, _ in seeds)
    command = f"python -m training.experiments {study} --only {' '.join(names)}"
    return "\n".join([*rows, "", f"`{command}`"])
