"""The street of one sequence: everything that stands still, placed along the road."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synth import buildings, things
from training.synth.cars import make_car
from training.synth.config import SequenceConfig
from training.synth.mesh import Material, Mesh, join
from training.synth.night import lamps_lit
from training.synth.paint import paint_town
from training.synth.road import CITY, COUNTRY, SUBURB, Road
from training.synth.textures import Atlas, pack

_TILES = {"grass": 8.0, "field": 16.0, "hills": 30.0, "kerb": 2.0, "bark": 2.0, "plain": 1.0}
_GROUND = ("road", "pavement", "grass", "field")
_LAMP_POWER = 45.0


@dataclass(frozen=True)
class Town:
    """What does not move: triangles, textures, and street lamps (n, 6): position, colour."""

    mesh: Mesh
    atlas: Atlas
    materials: dict[str, Material]
    lamps: NDArray[np.float32]


class _Builder:
    """Collects the objects of a town; one random stream per kind of object."""

    def __init__(self, cfg: SequenceConfig, road: Road, materials: dict[str, Material]) -> None:
        self.cfg, self.road, self.materials = cfg, road, materials
        self.meshes: list[Mesh] = [road.mesh(materials)]
        self.lamps: list[NDArray] = []
        seeds = cfg.stream("town").integers(0, 2**62, 32)
        self.streams = iter(np.random.default_rng(s) for s in seeds)
        light = cfg.stream("light")
        warm = np.array([[1.0, 0.62, 0.25], [1.0, 0.86, 0.65], [0.9, 0.95, 1.0]])
        self.lamp_colour = warm[light.integers(3)]

    def add(self, mesh: Mesh, s: float, d: float, turn: float = 0.0) -> None:
        """Place ``mesh`` with its road side (y < 0) towards the road."""
        self.meshes.append(mesh.placed(*self.road.place(s, d, turn + (0 if d > 0 else np.pi))))

    def walk(self, side: int, step: Callable[[np.random.Generator], float]) -> list:
        """Return (stream, s, kind) at random steps along one side."""
        rng, s, stops = next(self.streams), float(self.road.s[0]) + 5, []
        while (s := s + step(rng)) < self.road.s[-1] - 5:
            stops.append((rng, s, self.road.kind(s, side)))
        return stops


def build_town(cfg: SequenceConfig, road: Road) -> Town:
    """Return the street around ``road``."""
    textures = paint_town(cfg)
    materials = {
        name: Material(
            i,
            tile=_TILES.get(name, 4.0),
            ground=name in _GROUND,
            gloss=0.12 if name == "paint" else 0.0,
        )
        for i, name in enumerate(textures)
    }
    b = _Builder(cfg, road, materials)
    for side in (1, -1):
        _buildings(b, side)
        _greens(b, side)
        _furniture(b, side)
        _parked(b, side)
    _street_lamps(b)
    lamps = np.array(b.lamps, np.float32).reshape(-1, 6)
    return Town(join(b.meshes), pack(list(textures.values())), materials, lamps)


def _buildings(b: _Builder, side: int) -> None:
    """Line the city with fronts, the suburb with houses behind gardens, dot the country."""
    edge = b.cfg.half_width + b.cfg.pavement
    rng, s = next(b.streams), float(b.road.s[0]) + 5
    while s < b.road.s[-1] - 15:
        kind = b.road.kind(s, side)
        width = rng.uniform(8, 22) if kind == CITY else rng.uniform(8, 14)
        gap = {CITY: 0.4, SUBURB: rng.uniform(3, 10), COUNTRY: rng.uniform(40, 150)}[kind]
        back = {
            CITY: rng.choice([0.3, 0.3, 2.5]),
            SUBURB: rng.uniform(4, 9),
            COUNTRY: rng.uniform(8, 40),
        }[kind]
        at, d = s + width / 2, side * (edge + back)
        warm = rng.uniform(0.35, 1.6) * np.array(
            [1.0, rng.uniform(0.6, 0.95), rng.uniform(0.3, 0.9)]
        )
        make = buildings.building if kind == CITY else buildings.house
        bent = abs(float(np.interp(at, b.road.s, b.road.curvature))) * width / 2 > 0.12
        mesh = make(rng, b.materials, width, tuple(warm))
        if rng.random() < b.cfg.density and b.road.clear(at, d) and (back > 2 or not bent):
            b.add(mesh, at, d)
        s += width + gap


def _greens(b: _Builder, side: int) -> None:
    """Plant street trees, garden and field trees, bushes, hedges, walls and fences."""
    edge, dense = b.cfg.half_width + b.cfg.pavement, b.cfg.density
    for rng, s, kind in b.walk(side, lambda r: r.uniform(4, 14)):
        out = {CITY: -0.8, SUBURB: rng.uniform(0.8, 14), COUNTRY: rng.uniform(0.5, 45)}[kind]
        chance = {CITY: 0.35, SUBURB: 0.6, COUNTRY: 0.8}[kind] * dense
        mesh = things.tree(rng, b.materials, kind == CITY)
        d = side * (edge + out)
        if rng.random() < chance and b.road.clear(s, d):
            b.add(mesh, s, d, rng.uniform(0, 6.3))
    for rng, s, kind in b.walk(side, lambda r: r.uniform(2, 9)):
        d = side * (edge + (rng.uniform(0.6, 3.5) if kind == SUBURB else rng.uniform(0.3, 15)))
        mesh = things.bush(rng, b.materials)
        if kind != CITY and rng.random() < 0.6 * dense and b.road.clear(s, d):
            b.add(mesh, s, d, rng.uniform(0, 6.3))
    for rng, s, kind in b.walk(side, lambda r: 7.0):
        run = np.sin(s / 23.0 + side) + rng.normal(0, 0.3)
        mesh = things.barrier(rng, b.materials, 7.0, kind == COUNTRY)
        if kind != CITY and run < 2 * dense - 1 and b.road.clear(s, side * (edge + 0.4)):
            b.add(mesh, s, side * (edge + 0.4))


def _furniture(b: _Builder, side: int) -> None:
    """Put signs, bins, posters, poles and people on the pavement."""
    edge, pavement = b.cfg.half_width, b.cfg.pavement
    for rng, s, kind in b.walk(side, lambda r: r.uniform(6, 30)):
        mesh, turned = things.sign(rng, b.materials), rng.random() < 0.5
        turn = np.pi if (side > 0) == turned else 0.0
        if rng.random() < b.cfg.density and (kind != COUNTRY or rng.random() < 0.3):
            b.add(mesh, s, side * (edge + rng.uniform(0.5, 0.8)), turn)
    for rng, s, kind in b.walk(side, lambda r: r.uniform(3, 16)):
        mesh = things.clutter(rng, b.materials)
        if kind == CITY and rng.random() < 0.7 * b.cfg.density:
            b.add(mesh, s, side * (edge + rng.choice([0.7, max(pavement - 0.7, 0.8)])))
    for rng, s, kind in b.walk(side, lambda r: r.uniform(4, 30)):
        mesh = things.person(rng, b.materials)
        if kind == CITY and rng.random() < 0.6 * b.cfg.density:
            b.add(mesh, s, side * (edge + rng.uniform(0.5, pavement)), rng.uniform(0, 6.3))
    metal = b.materials["bark"]
    if next(b.streams).random() < 0.35:  # telegraph poles
        for _, s, _ in b.walk(side, lambda r: 38.0):
            b.add(things.tube((0, 0, 0), (0, 0, 8.5), 0.14, metal, 7, 0.1), s, side * (edge + 0.5))
    else:
        next(b.streams)


def _parked(b: _Builder, side: int) -> None:
    """Park cars along the kerb, facing the traffic of their side."""
    for rng, s, kind in b.walk(side, lambda r: r.uniform(5.6, 6.6)):
        car = make_car(rng, b.materials)
        full = {CITY: 0.85, SUBURB: 0.6, COUNTRY: 0.08}[kind] * b.cfg.density
        d = side * (b.cfg.half_width - 1.15 + rng.normal(0, 0.07))
        turn = (np.pi if side * b.cfg.side > 0 else 0.0) + rng.normal(0, 0.02)
        run = np.sin(s / 31.0 + 2 * side) < 1.6 * full - 0.5
        if b.cfg.parking > 1 and run and rng.random() < 0.9:
            R, t = b.road.place(s, d, turn)
            b.meshes.append(car.mesh.placed(R, t))


def _street_lamps(b: _Builder) -> None:
    """Set street lamps along one or both sides, dark on some stretches."""
    rng = next(b.streams)
    high, reach, pitch = rng.uniform(6, 9), rng.uniform(0.8, 2.2), rng.uniform(22, 40)
    sides = (1, -1) if rng.random() < 0.5 else (int(rng.choice([1, -1])),)
    phase = rng.uniform(0, 6.3)
    powered = lamps_lit(b.cfg.night, b.road.s, b.cfg.stream("unlit"))
    for side in sides:
        for k, s in enumerate(np.arange(b.road.s[0] + 3, b.road.s[-1] - 3, pitch)):
            rural = b.road.kind(s, side) == COUNTRY
            power = _LAMP_POWER * rng.uniform(0.6, 1.2) * high**2 / 64
            at = s + (pitch / 2 if side < 0 else 0)
            lit = 0.5 + 0.5 * np.sin(s / 45 + phase) < b.cfg.street_lamps
            lit = lit and powered[np.searchsorted(b.road.s, at) - 1]
            emit = tuple(40 * b.lamp_colour) if lit else (0.0, 0.0, 0.0)
            mesh = things.lamp_post(rng, b.materials, high, reach, emit)
            if rural and (k % 3 or b.cfg.street_lamps < 0.9):
                continue
            b.add(mesh, at, side * (b.cfg.half_width + 0.45))
            if lit:
                d = side * (b.cfg.half_width + 0.45 - reach)
                head = b.road.point(at, d)
                head[2] = b.road.ground(at, side * (b.cfg.half_width + 0.45)) + high - 0.15
                b.lamps.append(np.concatenate([head, power * b.lamp_colour]))
