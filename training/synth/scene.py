"""What kind of place a sequence shows: street or motorway, jam, woods, bridges, corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOTORWAY_SHARE, JAM_SHARE, CORNER_SHARE = 0.18, 0.18, 0.12
Rng = np.random.Generator


@dataclass(frozen=True)
class Overhead:
    """Something that spans the road ``ahead`` metres from its start, ``long`` metres along it.

    ``kind`` is "bridge" (open below, on piers or walls), "underpass" (closed walls) or "gantry".
    """

    kind: str
    ahead: float
    long: float


@dataclass(frozen=True)
class Scene:
    """The place of one sequence.

    Attributes:
        motorway: no houses near, several lanes, fast.
        jam: traffic stands or creeps, 2 to 8 m apart.
        jam_both: on the other side too.
        median: metres between the carriageways, 0 on a street.
        divider: library object along the median, "" for none.
        edge: library object along the edges of a motorway; ``edge_share`` of its length.
        wall_share: share of a motorway's length behind noise walls.
        woods: chance of a tree every few metres where no town is.
        overhead: what spans the road.
        corner: radius of a right-angled bend against half the road's width, 0 for none; its sign
            is that of the bend. ``corner_at`` metres ahead of the start.
    """

    motorway: bool
    jam: bool
    jam_both: bool
    median: float
    divider: str
    edge: str
    edge_share: float
    wall_share: float
    woods: float
    overhead: tuple[Overhead, ...]
    corner: float
    corner_at: float


def draw_scene(rng: Rng) -> Scene:
    """Return the draws of one place."""
    u = rng.random(12)
    motorway, jam = bool(u[0] < MOTORWAY_SHARE), bool(u[1] < JAM_SHARE)
    corner = 0.0 if motorway or jam or u[2] > CORNER_SHARE else rng.uniform(1.2, 2.0)
    median = rng.uniform(1.0, 5.0) if motorway else 0.0
    divider = str(rng.choice(["jersey", "guard_rail", "guard_rail", "hedge"])) if motorway else ""
    return Scene(
        motorway=motorway,
        jam=jam,
        jam_both=bool(u[3] < 0.35),
        median=median,
        divider="guard_rail" if divider == "hedge" and median < 2 else divider,
        edge="guard_rail" if u[4] < 0.7 else "jersey",
        edge_share=rng.choice([0.0, 0.5, 1.0], p=[0.2, 0.4, 0.4]),
        wall_share=rng.uniform(0.3, 1.0) if u[5] < 0.45 else 0.0,
        woods=rng.uniform(0.3, 1.0) if u[6] < 0.35 else 0.0,
        overhead=_draw_overhead(rng, motorway, 0.0 if corner else 0.22 + 0.2 * motorway),
        corner=corner * (1 if u[7] < 0.5 else -1),
        corner_at=rng.uniform(14, 45),
    )


def _draw_overhead(rng: Rng, motorway: bool, chance: float) -> tuple[Overhead, ...]:
    """Return bridges and underpasses, and the gantries of a motorway."""
    found = []
    if rng.random() < chance:
        ahead = rng.uniform(2, 90)
        if rng.random() < 0.6:
            found.append(Overhead("bridge", ahead, rng.uniform(3, 14)))
        else:
            found.append(Overhead("underpass", ahead, rng.uniform(12, 60)))
    if motorway and rng.random() < 0.6:
        first, pitch = rng.uniform(10, 150), rng.uniform(90, 250)
        found += [Overhead("gantry", first + k * pitch, 0.5) for k in range(3)]
    return tuple(found)
