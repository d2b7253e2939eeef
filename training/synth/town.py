"""The street of one sequence: everything that stands still, placed along the road."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.synth.cars import car_colours
from training.synth.config import SequenceConfig
from training.synth.library import MATERIALS, OBJECTS, Library, dress, library_of
from training.synth.night import lamps_lit
from training.synth.place import Batch, Placed, batch, place
from training.synth.road import CITY, COUNTRY, SUBURB, Road
from training.synth.structures import PIECE_M, bridge, gantry
from training.synth.textures import Atlas

_LAMP_POWER = 45.0
Rng = np.random.Generator


@dataclass(frozen=True)
class Town:
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


class Builder:
    """Collects the objects of a town; one random stream per call of ``stream``."""

    def __init__(self, cfg: SequenceConfig, road: Road, library: Library) -> None:
        """Start with the ground."""
        self.cfg, self.road, self.library = cfg, road, library
        self.batches: list[Batch] = [
            batch([road.mesh(MATERIALS)], np.eye(3)[None], np.zeros((1, 3)))
        ]
        self.lamps: list[NDArray] = []
        self.covers: list[list[float]] = []
        self.objects: dict[str, int] = {}
        seeds = cfg.stream("town").integers(0, 2**62, 64)
        self._streams = iter(np.random.default_rng(s) for s in seeds)

    def stream(self) -> Rng:
        """Return the next random stream."""
        return next(self._streams)

    def stops(self, side: int, low: float, high: float) -> tuple[Rng, NDArray, NDArray]:
        """Return a stream, places s (n,) in steps of low to high metres, and the kind there."""
        rng, first, last = self.stream(), self.road.s[0] + 5, self.road.s[-1] - 5
        s = first + np.cumsum(rng.uniform(low, high, int((last - first) / low) + 1))
        s = s[s < last]
        return rng, s, self.road.kind(s, side)

    def put(
        self,
        kind: str,
        numbers: NDArray,
        s: NDArray,
        d: NDArray | float,
        turn: ArrayLike = 0.0,
        follow: bool = False,
        **looks: NDArray | float,
    ) -> None:
        """Place objects of the library; ``looks`` are scale, colours and glow as in ``batch``.

        They turn their road side (y < 0) to the road, or, if they ``follow`` it, drive along it.
        """
        d = np.broadcast_to(np.asarray(d, float), s.shape)
        turn = np.asarray(turn, float) + (0.0 if follow else np.where(d > 0, 0.0, np.pi))
        free = np.ones(len(s), bool)
        for o in self.cfg.scene.overhead if kind not in _LOW else ():
            free &= (np.abs(s - o.ahead) > o.long / 2 + _MARGINS.get(kind, 1.5)) | (
                o.kind == "gantry"
            )
        if not free.any():
            return
        turn = np.broadcast_to(turn, s.shape)
        R, t = self.road.place(s[free], d[free], turn[free], follow)
        meshes = [self.library.take(kind, int(k)).mesh for k in numbers[free]]
        sized = {
            k: v[free] if isinstance(v, np.ndarray) and len(v) == len(s) else v
            for k, v in looks.items()
        }
        self.batches.append(batch(meshes, R, t, **sized))
        self.objects[kind] = self.objects.get(kind, 0) + len(meshes)

    def draw(self, rng: Rng, kind: str, n: int) -> NDArray[np.int64]:
        """Return n random numbers of objects of ``kind``, from the few this street has."""
        few = rng.permutation(OBJECTS[kind][0])[:_FEW]
        return few[rng.integers(0, len(few), n)]


_LOW = ("car", "van", "lorry", "guard_rail", "jersey", "noise_wall", "person", "clutter", "bush")
_MARGINS = {"building": 14.0, "house": 12.0, "tree": 6.0, "street_tree": 4.0}
"""What may stand below a bridge, and how far from it the rest stays."""
_FEW = 14
"""Of one kind in one street: neighbours look alike, and less has to be made."""


def build_town(cfg: SequenceConfig, road: Road) -> Town:
    """Return the street around ``road``."""
    library = library_of(cfg)
    b = Builder(cfg, road, library)
    for side in (1, -1):
        _buildings(b, side)
        _greens(b, side)
        _furniture(b, side)
        _parked(b, side)
        _motorway_side(b, side)
        _woods(b, side)
    _divider(b)
    _overhead(b)
    _street_lamps(b)
    atlas, hue = dress(cfg, library)
    lamps = np.concatenate([np.zeros((0, 6)), *b.lamps]).astype(np.float32)
    covers = np.array(b.covers, np.float32).reshape(-1, 8)
    return Town(place(b.batches, hue), atlas, hue, lamps, covers, b.objects)


def colours(rng: Rng, n: int, spread: float = 0.25, hue: float = 0.1) -> NDArray[np.float64]:
    """Return colours (n, 2, 3) about white, to vary objects with."""
    return np.exp(rng.normal(0, spread, (n, 2, 1)) + rng.normal(0, hue, (n, 2, 3))).clip(0, 1.8)


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
        _scatter(b, rng, name, s, d, keep & ask)
    rng, s, kind = b.stops(side, 2, 9)
    n = len(s)
    garden = kind == SUBURB
    d = side * (edge + np.where(garden, rng.uniform(0.6, 3.5, n), rng.uniform(0.3, 15, n)))
    keep = (kind != CITY) & (rng.random(n) < 0.6 * dense) & b.road.clear(s, d)
    _scatter(b, rng, "bush", s, d, keep)
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


def _scatter(
    b: Builder, rng: Rng, name: str, s: NDArray, d: NDArray, keep: NDArray[np.bool_]
) -> None:
    """Place plants where ``keep``, turned and sized at random."""
    n = int(keep.sum())
    size = np.exp(rng.normal(0, 0.15, (n, 1)) + rng.normal(0, 0.08, (n, 3)))
    look = colours(rng, n, 0.2)
    b.put(
        name,
        b.draw(rng, name, n),
        s[keep],
        d[keep],
        rng.uniform(0, 6.3, n),
        scale=size,
        colours=look,
    )


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


def clothes(rng: Rng, n: int) -> NDArray[np.float64]:
    """Return the colours of coats and legs (n, 2, 3)."""
    return rng.uniform(0.02, [[0.5], [0.2]], (n, 2, 3))


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


def _motorway_side(b: Builder, side: int) -> None:
    """Line a motorway with rails or concrete, noise walls, and trees behind them."""
    rng, s, _ = b.stops(side, PIECE_M, PIECE_M)
    scene, edge = b.cfg.scene, b.cfg.half_width
    if not scene.motorway:
        return
    wave, phase = rng.uniform(25, 80, 2), rng.uniform(0, 6.3, 2)
    railed, walled = (
        0.5 + 0.5 * np.sin(s / wave[k] + phase[k]) < (scene.edge_share, scene.wall_share)[k]
        for k in range(2)
    )
    n, look = len(s), colours(rng, 1, 0.3)
    number = int(rng.integers(OBJECTS[scene.edge][0]))
    b.put(scene.edge, np.full(railed.sum(), number), s[railed], side * (edge + 0.4), colours=look)
    number, d = int(rng.integers(OBJECTS["noise_wall"][0])), side * (edge + rng.uniform(1.2, 6))
    m = walled & b.road.clear(s, np.full(n, d))
    b.put("noise_wall", np.full(m.sum(), number), s[m], d, colours=colours(rng, 1, 0.4, 0.2))
    far = side * (edge + rng.uniform(5, 45, 4 * n))
    at = rng.uniform(s[0], s[-1], 4 * n)
    keep = (rng.random(4 * n) < rng.uniform(0, 0.6)) & b.road.clear(at, far)
    _scatter(b, rng, "tree", at, far, keep)


def _woods(b: Builder, side: int) -> None:
    """Plant woods along the country, near the road and dense."""
    rng, s, kind = b.stops(side, 1.5, 5)
    d = side * (b.cfg.half_width + b.cfg.pavement + 1 + rng.exponential(7, len(s)))
    keep = (kind == COUNTRY) & (rng.random(len(s)) < b.cfg.scene.woods) & b.road.clear(s, d)
    _scatter(b, rng, "tree", s, d, keep & (not b.cfg.scene.motorway))


def _divider(b: Builder) -> None:
    """Divide the carriageways of a motorway."""
    rng, s, _ = b.stops(1, PIECE_M, PIECE_M)
    kind = b.cfg.scene.divider
    if kind == "hedge":
        near = np.repeat(s, 4) + rng.uniform(0, PIECE_M, 4 * len(s))
        _scatter(b, rng, "bush", near, np.zeros(len(near)), np.ones(len(near), bool))
    elif kind:
        number = int(rng.integers(OBJECTS[kind][0]))
        b.put(kind, np.full(len(s), number), s, np.zeros(len(s)), colours=colours(rng, 1, 0.3))


def _overhead(b: Builder) -> None:
    """Span the road with bridges, underpasses and gantries."""
    rng, cfg, road = b.stream(), b.cfg, b.road
    for o in cfg.scene.overhead:
        if not road.s[0] < o.ahead < road.s[-1]:
            continue
        s = np.array([o.ahead])
        R, t = road.place(s, np.zeros(1), np.zeros(1), True)
        if o.kind == "gantry":
            out = -cfg.side * (cfg.half_width + 0.9)
            low, high = sorted((out, -out if rng.random() < 0.5 else 0.0))
            mesh = gantry(rng, MATERIALS, low, high, 1)
        else:
            bend = max(float(np.abs(np.interp(o.ahead, road.s, road.curvature))), 1e-5)
            long, walled = min(o.long, np.sqrt(6.4 / bend)), o.kind == "underpass"
            clear = cfg.half_width + cfg.pavement + rng.uniform(0.3, 4)
            high = rng.uniform(4.6, 6) if walled else rng.uniform(4.8, 9)
            walled |= rng.random() < 0.4
            mesh = bridge(rng, MATERIALS, clear, long, high, walled, cfg.scene.median)
            ahead = R[0, :2, 0] / np.linalg.norm(R[0, :2, 0])
            dim = 0.02 if walled else 0.2
            b.covers.append([*t[0, :2], *ahead, long / 2, clear + 2, t[0, 2] + high - 0.1, dim])
        b.batches.append(batch([mesh], R, t))
        b.objects[o.kind] = b.objects.get(o.kind, 0) + 1


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
