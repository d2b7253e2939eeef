"""The numbers of a run as rows of text, for the page, the sheet and the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from demo.run import DemoRun
from demo.scores import LIGHTS, OURS, Scores
from sdepth.metrics.trajectory import TrajectoryErrors


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; ``ours`` are the product's rows, ``groups`` start a group."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ours: frozenset[int] = frozenset()
    groups: frozenset[int] = frozenset()


def depth_table(scores: Scores) -> Table:
    """Return the depth errors: a group of rows per light, a row per predictor."""
    head = ("light", "answer", "frames", "AbsRel", "δ<1.25", "scaled AbsRel", "scaled δ<1.25")
    rows: list[tuple[str, ...]] = []
    ours: set[int] = set()
    groups: set[int] = set()
    for light in LIGHTS:
        groups.add(len(rows))
        for score in (s for s in scores.depth if s.light == light):
            if score.predictor in OURS:
                ours.add(len(rows))
            errors = (score.metric, score.scaled)
            values = [v for e in errors for v in (f"{e.abs_rel:.3f}", f"{e.delta1:.1%}")]
            rows.append((light, score.predictor, str(score.frames), *values))
    return Table("Depth", head, tuple(rows), frozenset(ours), frozenset(groups))


def trajectory_table(scores: Scores) -> Table:
    """Return the errors of the odometry and of going straight ahead."""
    head = ("trajectory", "ATE, m", "aligned ATE, m", "scale", "turn error, °/frame")
    rows = (
        ("odometry node", *_trajectory(scores.odometry)),
        ("straight ahead", *_trajectory(scores.straight)),
    )
    return Table("Trajectory", head, rows, frozenset({0}))


def runtime_table(run: DemoRun) -> Table:
    """Return what became of the frames and how long they took, from the nodes' diagnostics."""
    head = ("node", "in", "out", "dropped", "bad", "p50, ms", "p95, ms")
    keys = ("frames in", "frames out", "frames dropped", "frames bad", "latency p50 ms",
            "latency p95 ms")  # fmt: skip
    rows = (
        (f"{node} node", *(values.get(key, "-") for key in keys))
        for node, values in sorted(run.counters.items())
    )
    return Table("Runtime", head, tuple(rows))


def path_length(run: DemoRun) -> float:
    """Return the length of the true path, metres."""
    p = np.array([frame.T_odom_base[:3, 3] for frame in run.frames])
    return float(np.linalg.norm(np.diff(p, axis=0), axis=1).sum())


def to_html(table: Table) -> str:
    """Return a table as HTML."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    body = "".join(
        f'<tr class="{_classes(table, i)}">{_cells(row)}</tr>' for i, row in enumerate(table.rows)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _classes(table: Table, row: int) -> str:
    """Return the CSS classes of a row."""
    names = ("ours" if row in table.ours else "", "group" if row in table.groups else "")
    return " ".join(filter(None, names))


def _cells(row: Sequence[str]) -> str:
    """Return the cells of a row as HTML."""
    return "".join(f"<td>{escape(cell)}</td>" for cell in row)


def _trajectory(errors: dict[str, TrajectoryErrors] | None) -> tuple[str, ...]:
    """Return a row of trajectory errors."""
    if errors is None:
        return ("-",) * 4
    raw, fitted = errors["none"], errors["7dof"]
    return (f"{raw.ate_m:.2f}", f"{fitted.ate_m:.2f}", f"{fitted.scale:.2f}", f"{raw.rpe_deg:.3f}")
