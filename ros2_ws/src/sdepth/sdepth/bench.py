"""Time every engine and precision that can run a depth network on this machine.

They take turns on one image of the network's size. "load" is a start with all that can be kept
in the cache. "off" is the largest difference of a pixel's depth from PyTorch's in fp32, as a share
of it; of odometry's networks (--part), which odometry_node runs on one thread, the largest
difference of an output, as a share of the largest. What a node does beside its network is not in
here: its diagnostics tell that.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from sdepth import cli
from sdepth.checkpoint import bundled, read_card
from sdepth.cli import one_or_more
from sdepth.depth.daynight import DAY, NIGHT
from sdepth.depth.estimator import pick_device
from sdepth.engines import (
    AUTO,
    DEPTH,
    ENGINES,
    FEATURES,
    POSE,
    Engine,
    Source,
    auto,
    candidates,
    choose,
    golden,
)
from sdepth.engines.source import device_name
from sdepth.errors import ConfigError, SdepthError

PROG = "python -m sdepth.bench"
EXAMPLES = """examples:
  python -m sdepth.bench                              the weights that ship
  python -m sdepth.bench my.safetensors --threads 2   on two cores: the others have other work
  python -m sdepth.bench --again                      engine auto goes by these times from now on
  python -m sdepth.bench --part pose --threads 1      what odometry_node runs for each image
  python -m sdepth.bench --json > speed.json
"""
HEAD = "  engine              load s  median ms   p95 ms  images/s       off"


@dataclass
class Row:
    """An engine with a precision; ``problem`` says why it does not run, and the way out."""

    engine: str
    precision: str
    problem: str | None = None
    load_s: float | None = None
    median_ms: float | None = None
    p95_ms: float | None = None
    best_ms: float | None = None
    off: float | None = None


@dataclass
class Choice:
    """What ``auto`` takes of a precision, by times that an earlier start kept, and today's."""

    precision: str
    takes: str | None
    kept_ms: dict[str, float]
    today_ms: dict[str, float]

    def __str__(self) -> str:
        """Return it in words, and what to do where another is faster by now."""
        today_ms, today = self.today_ms, auto.fastest(self.today_ms)
        if self.takes is None:
            return f"not timed yet; the first start does, and keeps the fastest (today {today})"
        if not self.kept_ms:
            return f"{self.takes}, the only one here"
        text = f"{self.takes}, by what is kept: {auto.in_words(self.kept_ms)}"
        if today_ms[today] < auto.WORTH_IT * today_ms.get(self.takes, float("inf")):
            text += f"; today {today} is faster, --again makes auto take it"
        return text


def load(source: Source, name: str) -> tuple[Row, Engine | None]:
    """Return an engine and how long it took to load, or why it cannot be."""
    row = Row(name, source.precision)
    _say(f"  {name} {source.precision}: compiling or loading ... ")
    since = time.perf_counter()
    try:
        choose(source, name)  # builds what is missing in the cache
        built = time.perf_counter()
        engine, _ = choose(source, name)
    except SdepthError as err:
        row.problem = str(err)
        _say("no\n")
        return row, None
    row.load_s = time.perf_counter() - built
    _say(f"{built - since:.1f} s, then {row.load_s:.1f} s\n")
    row.off = golden.furthest(engine, source)
    return row, engine


def time_all(sources: list[Source], runs: int) -> list[Row]:
    """Return a row for every engine with every precision, those that run with their times."""
    rows, engines = [], {}
    for name, kind in ENGINES.items():
        if sources[0].part not in kind.parts:
            continue
        own = kind.precisions(sources[0].device)
        for source in [s for s in sources if s.precision in own] or sources[:1]:
            row, engine = load(source, name)
            rows.append(row)
            if engine is not None:
                engines[f"{name} {row.precision}"] = engine
    _say(f"  timing {len(engines)} in turns, {runs} images each ...\n")
    times = auto.times_ms(engines, sources[0], runs)
    for row in rows:
        if ms := times.get(f"{row.engine} {row.precision}"):
            row.best_ms = min(ms)
            row.median_ms, row.p95_ms = (float(p) for p in np.percentile(ms, [50, 95]))
    return sorted(rows, key=lambda row: row.median_ms or float("inf"))


def choices(sources: list[Source], rows: list[Row], again: bool) -> Iterator[Choice]:
    """Yield what ``auto`` takes of each precision; ``again``: by today's times from now on."""
    best = {(row.engine, row.precision): row.best_ms for row in rows}
    for source in sources:
        names = candidates(source)
        timed = {label: best.get((name, s.precision)) for label, (s, name) in names.items()}
        today = {label: ms for label, ms in timed.items() if ms is not None}
        if len(names) == 1 and today:
            yield Choice(source.precision, next(iter(names)), {}, today)
        elif today:
            if again:
                auto.keep(source, names, today)
            kept = auto.kept(source, names)
            yield Choice(source.precision, auto.fastest(kept) if kept else None, kept, today)


def bench(checkpoint: Path, options: Namespace) -> dict[str, object]:
    """Time a checkpoint; print it, or return it for JSON."""
    card, device = read_card(checkpoint), pick_device(options.device)
    kinds = [kind for kind in ENGINES.values() if options.part in kind.parts]
    precisions = dict.fromkeys(p for kind in kinds for p in kind.precisions(device))
    if not precisions:
        raise ConfigError(f"device {options.device!r}: no engine runs there; use auto or cpu")
    sources = [
        Source(checkpoint, card, device, precision, options.part) for precision in precisions
    ]
    height, width = sources[0].example_size
    where = f"{device_name(device)}, {torch.get_num_threads()} threads"
    names = {DEPTH: card.depth_architecture, FEATURES: card.features, POSE: card.pose_architecture}
    about = f"{names[options.part]}, {width}x{height}, {where}"
    _say(f"{checkpoint.name}:\n")
    golden.reference(sources[0])
    rows = time_all(sources, options.runs)
    every = [*sources, replace(sources[0], precision=AUTO)]
    chosen = list(choices(every, rows, options.again))
    if not options.json:
        _print(f"{checkpoint.name}: {about}, {options.runs} images each", rows, chosen)
    return {
        "checkpoint": str(checkpoint),
        "about": about,
        "rows": [vars(row) for row in rows],
        "auto": [vars(choice) for choice in chosen],
    }


def _print(title: str, rows: list[Row], chosen: list[Choice]) -> None:
    """Print the table, what is not in it and why, and what ``auto`` takes."""
    print(f"{title}\n{HEAD}")
    for row in rows:
        if row.median_ms is None:
            print(f"! {row.engine:12} {row.precision:5} {row.problem}")
            continue
        print(
            f"  {row.engine:12} {row.precision:5} {row.load_s:7.2f} {row.median_ms:10.1f} "
            f"{row.p95_ms:8.1f} {1e3 / row.median_ms:9.1f} {row.off:9.4%}"
        )
    for choice in chosen:
        print(f"  auto, {choice.precision}: {choice}")
    print(flush=True)


def _say(text: str) -> None:
    """Show how far it is, beside the results."""
    print(text, end="", file=sys.stderr, flush=True)


def command(options: Namespace) -> None:
    """Time the checkpoints.

    Raises:
        SdepthError: one cannot be used, or there is no such device.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    checkpoints = [options.checkpoint] if options.checkpoint else map(bundled, (DAY, NIGHT))
    results = [bench(checkpoint, options) for checkpoint in checkpoints]
    if options.json:
        print(json.dumps(results, indent=2))


def main(args: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = cli.make_parser(PROG, __doc__, EXAMPLES)
    parser.add_argument("checkpoint", nargs="?", type=Path, help="default: day and night's")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (auto)")
    parser.add_argument("--threads", type=one_or_more, help="of each engine (as PyTorch has)")
    parser.add_argument(
        "--runs", type=one_or_more, default=30, help="images each engine sees (30)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parts = (DEPTH, FEATURES, POSE)
    parser.add_argument("--part", choices=parts, default=DEPTH, help="of the checkpoint (depth)")
    parser.add_argument("--again", action="store_true", help="auto goes by today's times")
    options = parser.parse_args(args)
    return cli.run(PROG, lambda: command(options))


if __name__ == "__main__":
    sys.exit(main())
