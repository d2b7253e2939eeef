"""What got slower between two runs: ratios within each, section by section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Sections = Mapping[str, Mapping[str, Any]]
"""By name: ``of``, machine and size, and ``tables`` by name, as ``table.show`` returns them."""
CONDITIONS = ("size", "threads", "flags", "gpu")
"""Ratios differ between these, and are not compared."""


def ratios(tables: Mapping[str, Any]) -> dict[str, float]:
    """Return how many times another's processor time each way takes, by name."""
    return {
        f"{name}: {way} / {base}": table["ways"][way]["cpu"] / table["ways"][base]["cpu"]
        for name, table in tables.items()
        for base, ways in table["over"].items()
        for way in ways
    }


def compare(found: Sections, before: Sections, tolerance: float) -> tuple[list[str], int]:
    """Return a line for all that is to be said, and how many ratios got worse.

    Args:
        found: sections of this run.
        before: those of another.
        tolerance: share by which a ratio may be greater than it was.
    """
    lines, worse, compared = [], 0, 0
    for section, made in found.items():
        if section not in before:
            lines.append(f"new: {section}")
            continue
        if other := differences(made["of"], before[section]["of"]):
            lines.append(f"not compared: {section}, of other conditions: {other}")
            continue
        now, then = ratios(made["tables"]), ratios(before[section]["tables"])
        slower = [n for n in now if n in then and now[n] > (1 + tolerance) * then[n]]
        lines += [f"new: {section}, {name}" for name in now if name not in then]
        lines += [f"not measured now: {section}, {name}" for name in then if name not in now]
        lines += [f"slower: {section}, {n}: {now[n]:.3f}, was {then[n]:.3f}" for n in slower]
        worse, compared = worse + len(slower), compared + len(now.keys() & then.keys())
    lines.append(f"{worse or 'none'} of {compared} ratios got worse by more than {tolerance:.0%}")
    return lines, worse


def differences(now: Mapping[str, Any], then: Mapping[str, Any]) -> str:
    """Return which conditions are not the same, in words."""
    pairs = {key: (now.get(key), then.get(key)) for key in CONDITIONS}
    return ", ".join(f"{key} {a}, was {b}" for key, (a, b) in pairs.items() if a != b)
