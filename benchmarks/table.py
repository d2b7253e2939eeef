"""How benchmarks print what they timed, and what they keep of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.timing import Timing


def show(
    title: str, found: Mapping[str, Timing], over: Mapping[str, Iterable[str]]
) -> dict[str, Any]:
    """Print a table and return it, for JSON.

    Args:
        title: says what was timed, and of which size.
        found: milliseconds of each way, in the order of the rows.
        over: the ways whose processor time is told as a multiple of another's, by that other;
            runs are compared by these ratios, so less is better.
    """
    bases = {base: [way for way in ways if way in found] for base, ways in over.items()}
    wide = max(map(len, found))
    print(f"\n{title}")
    heads = "  ".join(f"/ {base}" for base in bases)
    print(f"{'':{wide}} {'median':>12} {'p95':>12} {'least CPU':>12}  {heads}")
    for way, timing in found.items():
        ms = " ".join(f"{value:9.2f} ms" for value in asdict(timing).values())
        cells = (
            f"{timing.cpu / found[base].cpu:{len(base) + 2}.3f}"
            if way in ways
            else " " * (len(base) + 2)
            for base, ways in bases.items()
        )
        print(f"{way:{wide}} {ms}  {'  '.join(cells)}".rstrip(), flush=True)
    return {"title": title, "ways": {k: asdict(t) for k, t in found.items()}, "over": bases}
