"""Drive from day into night through the real nodes: render, replay, record, score, show."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from bags.write import BagConfig, write_bag
from demo.config import DemoConfig, shown
from demo.nodes import run_nodes
from demo.report import write_report
from demo.run import read_run
from demo.scores import score_run
from demo.sheet import write_sheet
from demo.tables import Table, depth_table, runtime_table, trajectory_table
from sdepth.cli import make_parser, one_or_more, positive, run
from sdepth.errors import SdepthError
from training.data.open_drive import read_drive
from training.synth.generate import generate

_EXAMPLES = """examples:
  python -m demo                     the whole of it, into demo/
  python -m demo --rate 0.5          replay at half speed, for a slow machine
  python -m demo --from report       score and draw the last recording again
  python -m demo --out /tmp/demo --frames 60 --seed 6435
"""
_STEPS = ("render", "nodes", "report")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = _parse(args)
    config = DemoConfig(
        out=options.out,
        frames=options.frames,
        seed=options.seed,
        rate=options.rate,
        day_weights=options.day_weights,
        night_weights=options.night_weights,
    )
    return run("demo", lambda: _run(config, _STEPS.index(options.first), Console()))


def _run(config: DemoConfig, first: int, console: Console) -> None:
    """Do the steps from ``first`` on."""
    started_s = time.monotonic()
    config.out.mkdir(parents=True, exist_ok=True)
    if first <= _STEPS.index("render"):
        console.rule("1/4  a drive from day into night")
        _render(config)
        console.rule("2/4  the drive as a ROS 2 bag")
        write_bag(read_drive(config.sequence), config.bag, BagConfig(overwrite=True))
    if first <= _STEPS.index("nodes"):
        console.rule("3/4  the nodes, over DDS")
        run_nodes(config, console)
    console.rule("4/4  scores and report")
    drive = read_run(config.result, config.sequence)
    scores = score_run(drive, config.near_m, config.max_m)
    write_report(config.out / "report.html", drive, scores, config)
    write_sheet(config.out / "sheet.png", drive, scores, config)
    for table in (depth_table(scores), trajectory_table(scores), runtime_table(drive)):
        console.print(_rich(table))
    result = shown(config.result)
    console.print(
        f"AbsRel and δ: in metres as published; scaled: after median scaling of each image.\n"
        f"\n[bold]Open {shown(config.out / 'report.html')}[/] in a browser (it works offline).\n"
        f"The recording {result}/ opens in Foxglove; or play it beside RViz:\n"
        f"  ros2 bag play {result} --clock\n"
        f"  rviz2 -d rviz/sdepth.rviz --ros-args -p use_sim_time:=true\n"
        f"Done in {time.monotonic() - started_s:.0f} s."
    )


def _render(config: DemoConfig) -> None:
    """Render what is missing of the drive; another drive that stands there goes."""
    workers = os.cpu_count() or 1
    try:
        generate(config.drive, config.dataset, workers)
    except SdepthError:  # made with other arguments
        shutil.rmtree(config.drive)
        generate(config.drive, config.dataset, workers)


def _rich(table: Table) -> RichTable:
    """Return a table for the terminal."""
    drawn = RichTable(title=table.title, title_justify="left")
    for i, name in enumerate(table.head):
        drawn.add_column(name, justify="left" if i == 0 else "right", no_wrap=i < 2)
    for i, row in enumerate(table.rows):
        if i in table.groups and i:
            drawn.add_section()
        drawn.add_row(*row, style="bold" if i in table.ours else None)
    return drawn


def _parse(args: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    defaults = DemoConfig()
    parser = make_parser("demo", __doc__, _EXAMPLES)
    add = parser.add_argument
    add("--out", type=Path, default=defaults.out, help="folder to write (%(default)s)")
    add(
        "--frames",
        type=one_or_more,
        default=defaults.frames,
        help="length of the drive (%(default)s)",
    )
    add("--seed", type=int, default=defaults.seed, help="of the street (%(default)s)")
    add("--rate", type=positive, default=defaults.rate, help="speed of the replay (%(default)s)")
    add("--day-weights", default="", metavar="FILE", help="instead of those that ship")
    add("--night-weights", default="", metavar="FILE", help="instead of those that ship")
    add("--from", dest="first", choices=_STEPS, default=_STEPS[0],
        help="take what stands there from before this step (%(default)s)")  # fmt: skip
    return parser.parse_args(args)


if __name__ == "__main__":
    sys.exit(main())
