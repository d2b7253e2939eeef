"""Draw the committed speeds, a row per kind of CPU: the figure of docs/speed.md.

python -m benchmarks.plot        # benchmarks/results/speed-*-2.json become speed.png beside them
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.__main__ import RESULTS
from benchmarks.engines import EAGER, LIMIT
from benchmarks.messages import OURS
from sdepth.cli import make_parser, one_or_more, run
from sdepth.errors import DataError

COLOURS = {"fp32": "#1f6fb4", "bf16": "#7a5aa6", "int8": "#d9601a", "fp16": "#3a9a5b"}
GREY = "#999999"
CUT = 2.0
"""Bars end at so many times the time of ``EAGER``; their number is written all the same."""
BUSY = 0.5
"""Load per core above which milliseconds say more about the other programs."""


def milliseconds(value: float) -> str:
    """Return a time as a bar is labelled with it: three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def bars(axis: Any, ways: dict[str, dict[str, float]], colours: list[str], end: float) -> None:
    """Draw the median of each way, cut at ``end``, and a thin line to the 95th percentile."""
    for place, (row, colour) in enumerate(zip(ways.values(), colours, strict=True)):
        median = row["median"]
        axis.plot([0, min(row["p95"], end)], [place, place], color="0.3", linewidth=1, zorder=0)
        axis.barh(place, min(median, end), color=colour, height=0.75)
        if median > end:
            axis.plot(end, place, ">", color=colour, clip_on=False, markersize=11)
        at = (1.22, place)
        side = axis.get_yaxis_transform()  # right of the axis, beside the bar
        axis.text(*at, f"{milliseconds(median)} ms", transform=side, ha="right", va="center")
    axis.set_yticks(range(len(ways)), [*ways])
    axis.invert_yaxis()
    axis.set(xlabel="milliseconds, median (thin line: 95th percentile)", xlim=(0, end))
    axis.spines[["top", "right"]].set_visible(False)


def engines(axis: Any, table: dict[str, Any]) -> None:
    """Draw one network in every engine, and the limit."""
    ways = {way: row for way, row in table["ways"].items() if way != LIMIT}
    colours = [COLOURS.get(way.rsplit(", ")[-1], GREY) for way in ways]
    bars(axis, ways, colours, CUT * ways[EAGER]["median"])
    limit = table["ways"][LIMIT]["median"]
    axis.axvline(limit, color="black", linestyle="--", linewidth=1)
    title = f"{table['title']}\ndashed: the limit of fp32 here, {milliseconds(limit)} ms"
    axis.set_title(title, fontsize=10)


def messages(axis: Any, table: dict[str, Any]) -> None:
    """Draw what the node does beside its network, the plain ways and the network."""
    ways = table["ways"]
    colours = [COLOURS["fp32"] if way == OURS else GREY for way in ways]
    bars(axis, ways, colours, 1.1 * max(row["median"] for row in ways.values()))
    title = f"the node beside its network, and that network\n{table['title'].split('; ')[0]}"
    axis.set_title(title, fontsize=10)


def about(of: dict[str, Any]) -> str:
    """Return what the numbers were measured on, in a line."""
    threads = f"{of['threads']} thread{'s' if of['threads'] > 1 else ''}"
    where = f"{threads} of {of['cpu']}, {of['cores']} cores, {of['flags']}, torch {of['torch']}"
    busy = "; busy with other work: compare bars, not milliseconds"
    when = f"{of['date']}, {of['runs']} rounds, load {of['load']}"
    return f"{where}; {when}{busy if of['load'] > BUSY * of['cores'] else ''}"


def draw(found: list[dict[str, Any]], png: Path) -> None:
    """Write the figure of files' sections."""
    figure = Figure(figsize=(17, 4 * len(found)), layout="constrained")
    rows = figure.subfigures(len(found), squeeze=False)[:, 0]
    for row, sections in zip(rows, found, strict=True):
        row.suptitle(about(sections["engines"]["of"]), fontsize=11)
        axes = row.subplots(1, 3)
        for axis, table in zip(axes, sections["engines"]["tables"].values(), strict=False):
            engines(axis, table)
        messages(axes[2], sections["messages"]["tables"]["node"])
    figure.savefig(png, dpi=100)


def main(args: list[str] | None = None) -> int:
    """Write the figure; return the exit code."""
    parser = make_parser("python -m benchmarks.plot", __doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder (%(default)s)")
    parser.add_argument(
        "--threads", type=one_or_more, default=2, help="of the files (%(default)s)"
    )
    options = parser.parse_args(args)
    folder, name = options.results, f"speed-*-{options.threads}.json"

    def work() -> None:
        files = sorted(folder.glob(name))
        found = [json.loads(path.read_text()) for path in files]
        drawn = [sections for sections in found if {"engines", "messages"} <= sections.keys()]
        if not drawn:
            raise DataError(
                f"{folder}: no {name} with engines and messages; "
                "python -m benchmarks --write makes one"
            )
        draw(drawn, folder / "speed.png")
        print(folder / "speed.png")

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
