"""Time what runs for every frame, and the training; name what got slower.

python -m benchmarks                          # what `make bench` runs
python -m benchmarks --only engines loader    # some sections
python -m benchmarks --threads 1 --write      # this run becomes the one others are compared with

By the processor time it needs, some four minutes on two idle cores, five on one. --runs 9 took 5
and 13 minutes, with one and two threads, on two cores busy with other work. Times differ from
machine to machine, so what is compared is ratios within one run: an engine's time over the limit
that the same run measured, ours over the plain way. Times are the least processor time of a call,
which other work on the machine changes least: of 44 ratios measured twice with one thread on a
busy machine none moved by more than 12 %, while of medians by the clock one moved by 73 %. With
two threads waiting for each other counts, too: of 42 ratios two got worse, by 48 and 79 %, so
measure those on an idle machine. Every kind of CPU and number of threads has its own results to be
compared with, benchmarks/results/speed-CPU-THREADS.json. Exit code 1 where a ratio is worse than
there by more than --tolerance.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import engines, loader, messages, refine, train_step
from benchmarks.compare import compare
from benchmarks.timing import prepare, size_of, timing_parser
from sdepth.cli import not_negative, run
from sdepth.files import write_json

RESULTS = Path(__file__).parent / "results"
Tables = Callable[[tuple[int, int], int], dict[str, Any]]
SECTIONS: dict[str, tuple[str, Tables]] = {
    "engines": ("depth networks, in every engine and precision there is", engines.tables),
    "messages": ("what depth_node does beside its network", messages.tables),
    "refine": ("pose refinement, as odometry_node runs it", refine.tables),
    "loader": ("images for training", loader.tables),
    "train_step": ("a training step", train_step.tables),
}
SLOWER = 1
"""Exit code."""


def results(about: Mapping[str, object]) -> Path:
    """Return the file of the results that are committed for such a CPU and number of threads."""
    kind = str(about["flags"]).lower().replace(" ", "-")
    return RESULTS / f"speed-{kind}-{about['threads']}.json"


def read(path: Path) -> dict[str, Any]:
    """Return the sections of a file, none where there is no file."""
    return json.loads(path.read_text()) if path.is_file() else {}  # type: ignore[no-any-return]


def main(args: list[str] | None = None) -> int:
    """Print tables and comparison; return the exit code."""
    parser = timing_parser("", __doc__)
    add = parser.add_argument
    add("--only", nargs="+", choices=SECTIONS, default=[*SECTIONS], help="sections (all)")
    add("--tolerance", type=not_negative, default=0.25, help="(default: %(default)s)")
    add("--write", action="store_true", help="put these sections in the place of the committed")
    options = parser.parse_args(args)
    worse = 0

    def work() -> None:
        nonlocal worse
        about, found = prepare(options), {}
        path = results(about)
        before = read(path)
        for number, name in enumerate(options.only, 1):
            heading, tables = SECTIONS[name]
            print(f"\n[{number}/{len(options.only)}] {name}: {heading}", flush=True)
            found[name] = {"of": about, "tables": tables(size_of(options), options.runs)}
            if options.write:  # each as it comes: what is measured is kept, whatever comes next
                write_json(path, before | found, 2)
        if options.write:
            print(f"\n{path}")
            return
        lines, worse = compare(found, before, options.tolerance)
        print("", f"against {path.name}:", *lines, sep="\n")

    return run(parser.prog, work) or (SLOWER if worse else 0)


if __name__ == "__main__":
    sys.exit(main())
