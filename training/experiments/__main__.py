"""Run a study, or go on with it: what is finished is skipped, what was stopped continues.

Numbers of finished runs are recorded in training/results; they count as finished on every machine,
with runs/ deleted too, as long as their configuration has not changed.

python -m training.experiments sa4depth --list
python -m training.experiments sa4depth
python -m training.experiments sa4depth --only base D --seeds 0
python -m training.experiments dasp --quick --out /tmp/quick     # proves the pipeline
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sdepth.cli import make_parser, run
from sdepth.errors import ConfigError
from training.data.open_drive import find_drives
from training.experiments.dasp.study import STUDY as DASP
from training.experiments.execute import execute, seconds_left
from training.experiments.records import needed, read_records, status
from training.experiments.report import write_report
from training.experiments.results import collect
from training.experiments.sa4depth.study import STUDY as SA4DEPTH
from training.experiments.study import StudyContext, plan

STUDIES = {study.name: study for study in (SA4DEPTH, DASP)}
RESULTS = Path(__file__).parents[1] / "results"

QUICK = (
    *("data.size=[64,96]", "data.workers=0"),
    *("optim.batch=2", "optim.steps=4", "log.scalars_every=2"),
)
"""Overrides that prove the pipeline and nothing else."""


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.experiments", __doc__, _defaults())
    parser.add_argument("study", choices=[*STUDIES])
    parser.add_argument("--out", type=Path, help="of the runs (runs/experiments/STUDY)")
    for option in dict.fromkeys(d.option for study in STUDIES.values() for d in study.drives):
        parser.add_argument(f"--{option}", type=Path, metavar="DRIVES", help="see below")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="see --list")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="extra",
        help="for every run, as data.workers=0; --list and --report need the same",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="only say what is done")
    parser.add_argument("--again", action="store_true", help="train what is only recorded, too")
    parser.add_argument("--report", action="store_true", help="only write the report again")
    parser.add_argument("--results", type=Path, help="of the report (default: training/results)")
    parser.add_argument("--quick", action="store_true", help="tiny drives, four steps, one seed")
    options = parser.parse_args(args)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    return run(parser.prog, lambda: work(options))


def work(o: argparse.Namespace) -> None:
    """Do what the options say."""
    context, seeds = _context(o), o.seeds
    if o.quick:
        context, seeds = _make_quick(context), [0]
    out = o.results or (context.out if o.quick else RESULTS)
    file = f"{o.study}.json"
    records = {k: r for folder in (RESULTS, out) for k, r in read_records(folder / file).items()}
    # All configurations, whatever is asked for now: the report is of the whole study.
    everything = plan(context, (), [0] if o.quick else None)
    runs = plan(context, o.only, seeds)
    todo = needed(runs, records, o.again)
    if o.list:
        left = _duration(seconds_left(todo, collect(everything, records).made))
        for r in runs:
            print(f"{r.name:32} {status(r, records)}")
        print(f"{len(runs)} runs; training the {len(todo)} to do takes {left}")
        return
    if not o.report:

        def evaluate(weights: Path) -> dict[str, Any]:
            return context.study.evaluate(weights, context)

        roots = {root for r in todo for root in r.drives()} | {*context.scored_on.values()}
        for root in roots if todo else ():
            find_drives(Path(root))  # before hours of training
        for k, r in enumerate(todo, 1):
            left = _duration(seconds_left(todo, collect(everything, records).made))
            print(f"run {k} of {len(todo)}: {r.name}; left {left}", flush=True)
            print(f"  {execute(r, context.device, evaluate)}", flush=True)
    print(write_report(collect(everything, records), context, out))


def _context(o: argparse.Namespace) -> StudyContext:
    """Return the study and its folders.

    Raises:
        ConfigError: drives are given that the study has no use for.
    """
    study, drives = STUDIES[o.study], {}
    for other in STUDIES.values():
        for d in other.drives:
            if getattr(o, d.name) is not None and d.name not in [m.name for m in study.drives]:
                raise ConfigError(f"--{d.option}: {study.name} uses no such drives; see --help")
    for d in study.drives:
        drives[d.name] = getattr(o, d.name) or d.default
    out = o.out or Path("runs/experiments") / study.name
    return StudyContext(study, out, drives, o.device, tuple(o.extra))


def _make_quick(context: StudyContext) -> StudyContext:
    """Render two tiny drives in the place of each set of drives."""
    from training.synth.config import DatasetConfig
    from training.synth.generate import generate

    drives = {}
    for d in context.study.drives:
        drives[d.name] = context.out / "data" / d.name
        generate(drives[d.name], DatasetConfig(d.domain, 2, 8, 96, 64, d.seed, 1))
    return replace(context, drives=drives, extra=(*context.extra, *QUICK))


def _defaults() -> str:
    """Return which drives each study uses, for --help."""
    lines = ["drives:"]
    for study in STUDIES.values():
        lines += [f"  {study.name:10} --{d.option:9} {d.default}" for d in study.drives]
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    """Return hours and minutes, or that they are not known yet."""
    if math.isnan(seconds):
        return "not known yet"
    return f"about {int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


if __name__ == "__main__":
    sys.exit(main())
