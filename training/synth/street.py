"""The street of one sequence: everything that stands still, placed along the road."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synth.builder import Builder, clothes, colours, scatter
from training.synth.cars import car_colours
from training.synth.config import SequenceConfig
from training.synth.darkness import lamps_lit
from training.synth.library import OBJECTS, dress, library_of
from training.synth.place import Placed, place
from training.synth.road import CITY, COUNTRY, SUBURB, Road
from training.synth.roadside import divider, motorway_side, overhead, woods
from training.synth.textures import Atlas

_LAMP_POWER = 45.0


@dataclass(frozen=True)
class Street:
    """What does not move: triangles, textures and their hues (n, 3), and street lamps.

    ``lamps`` (n, 6) are position and colour; ``covers`` (n, 8) what keeps the light of the sky
    off, as in ``shade``; ``objects`` counts what stands there by kind.
    """

    mesh: Placed
    atlas: Atlas
    hue: NDArray[np.float64]
    lamps: NDArray[np.float32]
    covers: NDArray[np.float32]
    objects: dict[str, int]


def build_street(cfg: SequenceConfig, road: Road) -> Street:
    """Return the street around ``road``."""
    library = library_of(cfg)
    b = Builder(cfg, road, library)
    for side in (1, -1):
        _buildings(b, side)
        _greens(b, side)
        _furniture(b, side)
        _parked(b, side)
        motorway_side(b, side)
        woods(b, side)
    divider(b)
    overhead(b)
    _street_lamps(b)
    atlas, hue = dress(cfg, library)
    lamps = np.concatenate([np.zeros((0, 6)), *b.lamps]).astype(np.float32)
    covers = np.array(b.covers, np.float32).reshape(-1, 8)
    return Street(place(b.batches, hue), atlas, hue, lamps, covers, b.objects)


def _buildings(b: Builder, side: int) -> None:
    """Line the city with fronts, the suburb with houses behind gardens, dot the country."""
    edge, rng = b.cfg.half_width + b.cfg.pavement, b.stream()
    n = int(np.ptp(b.road.s) / 8) + 1
    wide = rng.uniform(8, 22, n), rng.uniform(8, 14, n)
    gaps = np.full(n, 0.4), rng.uniform(3, 10, n), rng.uniform(40, 150, n)
    back = rng.choice([0.3, 0.3, 2.5], n), rng.uniform(4, 9, n), rng.uniform(8, 40, n)
    at, rows = float(b.road.s[0]) + 5, []
    for i in range(n):
        if at > b.road.s[-1] - 15:
            break
        here = int(b.road.kind(at, side))
        width = wide[0 if here == CITY else 1][i]
        rows.append((at + width / 2, width, back[here][i], here))
        at += width + gaps[here][i]
    s, width, away, kind = np.array(rows).reshape(-1, 4).T
    d, n = side * (edge + away), len(s)
    bent = np.abs(np.interp(s, b.road.s, b.road.curvature)) * width / 2 > 0.12
    keep = (rng.random(n) < b.cfg.density) & ((away > 2) | ~bent) & b.road.clear(s, d)
    keep &= (away > 25) | (not b.cfg.scene.motorway)
    warm = rng.uniform(0.35, 1.6, (n, 1)) * rng.uniform([1, 0.6, 0.3], [1, 0.95, 0.9], (n, 3))
    look, tall = colours(rng, n), rng.uniform(0.9, 1.12, n)
    for name, ask in (("building", kind == CITY), ("house", kind != CITY)):
        m = keep & ask
        numbers = b.draw(rng, name, int(m.sum()))
        own = np.array([b.library.take(name, int(k)).size[0] for k in numbers])
        fit = np.clip((width[m] - 0.3) / np.maximum(own, 1), 0.6, 1.6)
        scale = np.stack([fit, np.ones_like(fit), tall[m]], 1)
        b.put(name, numbers, s[m], d[m], scale=scale, colours=look[m], glow=warm[m])


def _greens(b: Builder, side: int) -> None:
    """Plant street trees, garden and field trees, bushes, hedges, walls and fences."""
    edge, dense = b.cfg.half_width + b.cfg.pavement, b.cfg.density
    rng, s, kind = b.stops(side, 4, 14)
    n = len(s)
    out = np.choose(kind, [np.full(n, -0.8), rng.uniform(0.8, 14, n), rng.uniform(0.5, 45, n)])
    d = side * (edge + out)
    keep = (rng.random(n) < np.array([0.35, 0.6, 0.8])[kind] * dense) & b.road.clear(s, d)
    for name, ask in (("street_tree", kind == CITY), ("tree", kind != CITY)):
        scatter(b, rng, name, s, d, keep & ask)
    rng, s, kind = b.stops(side, 2, 9)
    n = len(s)
    garden = kind == SUBURB
    d = side * (edge + np.where(garden, rng.uniform(0.6, 3.5, n), rng.uniform(0.3, 15, n)))
    keep = (kind != CITY) & (rng.random(n) < 0.6 * dense) & b.road.clear(s, d)
    scatter(b, rng, "bush", s, d, keep)
    rng, s, kind = b.stops(side, 7, 7)
    d = np.full(len(s), side * (edge + 0.4))
    run = np.sin(s / 23.0 + side) + rng.normal(0, 0.3, len(s))
    keep = (kind != CITY) & (run < 2 * dense - 1) & b.road.clear(s, d)
    stretch = (s // rng.uniform(20, 60)).astype(int) % 7
    for name, ask in (("barrier", kind != COUNTRY), ("field_barrier", kind == COUNTRY)):
        m = keep & ask
        numbers = rng.integers(0, OBJECTS[name][0], 7)[stretch[m]]
        look = colours(rng, 7)[stretch[m]]
        b.put(name, numbers, s[m], d[m], colours=look)


def _furniture(b: Builder, side: int) -> None:
    """Put signs, bins, posters, poles and people on the pavement."""
    edge, pavement, dense = b.cfg.half_width, b.cfg.pavement, b.cfg.density
    rng, s, kind = b.stops(side, 6, 30)
    n = len(s)
    turn = np.where((side > 0) == (rng.random(n) < 0.5), np.pi, 0.0)
    m = (rng.random(n) < dense) & ((kind != COUNTRY) | (rng.random(n) < 0.3))
    m &= not b.cfg.scene.motorway
    d = side * (edge + rng.uniform(0.5, 0.8, n))
    b.put("sign", b.draw(rng, "sign", m.sum()), s[m], d[m], turn[m])
    rng, s, kind = b.stops(side, 3, 16)
    n = len(s)
    m = (kind == CITY) & (rng.random(n) < 0.7 * dense)
    d = side * (edge + rng.choice([0.7, max(pavement - 0.7, 0.8)], n))
    look = colours(rng, n, 0.4, 0.4)[m]
    b.put("clutter", b.draw(rng, "clutter", m.sum()), s[m], d[m], colours=look)
    rng, s, kind = b.stops(side, 4, 30)
    n = len(s)
    m = (kind == CITY) & (rng.random(n) < 0.6 * dense)
    d, turn = side * (edge + rng.uniform(0.5, pavement, n)), rng.uniform(0, 6.3, n)
    look = clothes(rng, n)[m]
    b.put("person", b.draw(rng, "person", m.sum()), s[m], d[m], turn[m], colours=look)
    rng, s, _ = b.stops(side, 38, 38)
    if rng.random() < 0.35:
        b.put("pole", np.zeros(len(s)), s, np.full(len(s), side * (edge + 0.5)))


def _parked(b: Builder, side: int) -> None:
    """Park cars along the kerb, facing the traffic of their side."""
    rng, s, kind = b.stops(side, 5.6, 6.6)
    n = len(s)
    full = np.array([0.85, 0.6, 0.08])[kind] * b.cfg.density
    sort = rng.choice(3, n, p=[0.88, 0.1, 0.02])
    d = side * (b.cfg.half_width - 1.15 + rng.normal(0, 0.07, n))
    turn = (np.pi if side * b.cfg.side > 0 else 0.0) + rng.normal(0, 0.02, n)
    m = (np.sin(s / 31.0 + 2 * side) < 1.6 * full - 0.5) & (rng.random(n) < 0.9)
    m &= (b.cfg.parking > 1) & (not b.cfg.scene.motorway)
    m[1:] &= ~((sort[:-1] == 2) & m[:-1])  # a lorry takes two places
    paint = np.stack([car_colours(rng, n), car_colours(rng, n)], 1)
    for k, name in enumerate(("car", "van", "lorry")):
        own = m & (sort == k)
        numbers = b.draw(rng, name, own.sum())
        at = np.where(d > 0, d - 0.2 * (k == 2), d + 0.2 * (k == 2))[own]
        b.put(name, numbers, s[own], at, turn[own], True, colours=paint[own], glow=0.0)


def _street_lamps(b: Builder) -> None:
    """Set street lamps along one or both sides, dark on some stretches."""
    rng, cfg, road = b.stream(), b.cfg, b.road
    warm = np.array([[1.0, 0.62, 0.25], [1.0, 0.86, 0.65], [0.9, 0.95, 1.0]])
    colour = warm[cfg.stream("light").integers(3)]
    number, pitch = int(b.draw(rng, "lamp_post", 1)[0]), rng.uniform(22, 40)
    head = b.library.take("lamp_post", number).lamp_at()
    sides = (1, -1) if rng.random() < 0.5 else (int(rng.choice([1, -1])),)
    phase = rng.uniform(0, 6.3)
    powered = lamps_lit(cfg.night, road.s, cfg.stream("unlit"))
    for side in sides:
        s = np.arange(road.s[0] + 3, road.s[-1] - 3, pitch) + (pitch / 2 if side < 0 else 0)
        n = len(s)
        power = _LAMP_POWER * rng.uniform(0.6, 1.2, n) * head[2] ** 2 / 64
        sparse = (np.arange(n) % 3 > 0) | (cfg.street_lamps < 0.9)
        m = ~((road.kind(s, side) == COUNTRY) & sparse)
        lit = 0.5 + 0.5 * np.sin(s / 45 + phase) < cfg.street_lamps
        lit &= powered[np.clip(np.searchsorted(road.s, s) - 1, 0, len(road.s) - 1)]
        d = np.full(n, side * (cfg.half_width + 0.45))
        glow = lit[:, None] * colour
        b.put("lamp_post", np.full(m.sum(), number), s[m], d[m], glow=glow[m])
        R, t = road.place(s, d, 0.0 if side > 0 else np.pi)
        at = (t + R @ head - [0, 0, 0.1])[m & lit]
        b.lamps.append(np.hstack([at, power[m & lit, None] * colour]))
