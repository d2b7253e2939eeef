"""Run a study, or go on with it: what is finished is skipped, what was stopped continues.

Numbers of finished runs are recorded in training/results; they count as finished on every machine,
with runs/ deleted too, as long as their configuration has not changed.

python -m training.experiments sa4depth --list
python -m training.experiments sa4depth
python -m training.experiments sa4depth --only base D --seeds 0
python -m training.experiments sa4depth --quick --out /tmp/quick     # proves the pipeline
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
from pathlib import Path

from sdepth.cli import make_parser, run
from training.data.drive import find_drives
from training.experiments.records import needed, read_records, status
from training.experiments.report import write_report
from training.experiments.results import collect
from training.experiments.sa4depth import CONFIGURATIONS
from training.experiments.study import Where, execute, plan, seconds_left

RESULTS = Path(__file__).parents[1] / "results"
NAME = "sa4depth.json"

QUICK = ("data.size=[64,96]", "data.workers=0", "optim.batch=2", "optim.steps=4")
"""Overrides that prove the pipeline and nothing else."""


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.experiments", __doc__)
    parser.add_argument("study", choices=["sa4depth"])
    parser.add_argument("--out", type=Path, default=Path("runs/experiments/sa4depth"))
    parser.add_argument(
        "--data", type=Path, default=Path("data/synth/day"), help="training drives"
    )
    parser.add_argument("--test", type=Path, default=Path("data/synth/day_test"))
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
    return run(parser.prog, lambda: study(options))


def study(o: argparse.Namespace) -> None:
    """Do what the options say."""
    where = Where(o.out, o.data, o.test, o.device, tuple(o.extra))
    seeds = o.seeds
    if o.quick:
        where, seeds = _make_quick(where), [0]
    out = o.results or (where.out if o.quick else RESULTS)
    records = {k: r for folder in (RESULTS, out) for k, r in read_records(folder / NAME).items()}
    # All configurations, whatever is asked for now: the report is of the whole study.
    everything = plan(CONFIGURATIONS, where, (), [0] if o.quick else None)
    runs = plan(CONFIGURATIONS, where, o.only, seeds)
    todo = needed(runs, where, records, o.again)
    if o.list:
        made = collect(everything, where, records).made
        for r in runs:
            print(f"{r.name:32} {status(r, where, records)}")
        print(f"{len(runs)} runs; {len(todo)} to do take {_duration(seconds_left(todo, made))}")
        return
    if not o.report:
        find_drives(where.data), find_drives(where.test)  # before hours of training
        for k, r in enumerate(todo, 1):
            left = _duration(seconds_left(todo, collect(everything, where, records).made))
            print(f"run {k} of {len(todo)}: {r.name}; left {left}", flush=True)
            print(f"  {execute(r, where)}", flush=True)
    print(write_report(collect(everything, where, records), where, out))


def _make_quick(where: Where) -> Where:
    """Render two tiny drives to train on and two to test with."""
    from training.synth.config import DatasetConfig
    from training.synth.generate import generate

    data, test = where.out / "data" / "day", where.out / "data" / "day_test"
    generate(data, DatasetConfig("day", 2, 8, 96, 64, 0, 1))
    generate(test, DatasetConfig("day", 2, 8, 96, 64, 1000, 1))
    return Where(where.out, data, test, where.device, (*where.extra, *QUICK))


def _duration(seconds: float) -> str:
    """Return hours and minutes, or that they are not known yet."""
    if math.isnan(seconds):
        return "not known yet"
    return f"about {int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


if __name__ == "__main__":
    sys.exit(main())
