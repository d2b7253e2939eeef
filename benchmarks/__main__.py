"""Time the network in every engine and all that the node does beside it; name what got slower.

python -m benchmarks                      # what `make bench` runs
python -m benchmarks --threads 1 --write  # this run becomes the one that others are compared with

Times differ from machine to machine, so what is compared is ratios of medians within one run: an
engine's time over the limit that the same run measured, the node's over its network's. Exit code 1
where a ratio is worse than in benchmarks/results/speed.json by more than --tolerance.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.engines import EAGER, LIMIT, tables
from benchmarks.messages import OURS, messages
from benchmarks.timing import prepare, size_of, timing_parser
from sdepth.cli import run

RESULTS = Path(__file__).parent / "results" / "speed.json"
SLOWER = 1
"""Exit code."""


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """Return what is compared between runs, by name; less is better."""
    named = {}
    for architecture, table in found["engines"].items():
        for way, row in table["ways"].items():
            if way not in (EAGER, LIMIT):  # PyTorch's own speed, and what all is measured by
                named[f"{architecture}, {way}: time over the limit"] = row["it_over_limit"]
    for way, row in found["messages"]["ways"].items():
        if way != OURS:
            named[f"messages: node's time over {way}"] = row["ours_over_it"]
    return named


def slower(found: dict[str, Any], before: dict[str, Any], tolerance: float) -> list[str]:
    """Return a line for each ratio that is worse than before by more than a share of it."""
    now, then = ratios(found), ratios(before)
    return [
        f"{name}: {now[name]:.3f}, was {then[name]:.3f}"
        for name in now.keys() & then.keys()
        if now[name] > (1 + tolerance) * then[name]
    ]


def compare(found: dict[str, Any], path: Path, tolerance: float) -> int:
    """Say what got slower than in the results at ``path``; return how many ratios did."""
    before = json.loads(path.read_text())
    of = {key: (found[key], before[key]) for key in ("size", "threads", "flags")}
    if other := {key: pair for key, pair in of.items() if pair[0] != pair[1]}:
        print(f"\nnot compared with {path.name}, which is of other conditions: {other}")
        return 0
    lines = sorted(slower(found, before, tolerance))
    print(f"\nagainst {path.name} of {before['date']}, tolerance {tolerance:.0%}:")
    print("\n".join(f"slower: {line}" for line in lines) or "nothing got slower")
    return len(lines)


def main(args: list[str] | None = None) -> int:
    """Print tables and comparison; return the exit code."""
    parser = timing_parser("", __doc__)
    parser.add_argument("--tolerance", type=float, default=0.25, help="(default: %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"replace {RESULTS.name}")
    options = parser.parse_args(args)
    worse = 0

    def work() -> None:
        nonlocal worse
        found = prepare(options)
        size, runs = size_of(options), options.runs
        found |= {"engines": tables(size, runs), "messages": messages(size, runs)}
        if options.write:
            RESULTS.write_text(json.dumps(found, indent=2) + "\n")
        else:
            worse = compare(found, RESULTS, options.tolerance)

    return run(parser.prog, work) or (SLOWER if worse else 0)


if __name__ == "__main__":
    sys.exit(main())
