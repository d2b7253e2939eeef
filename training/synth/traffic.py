"""Who else is on the road: queues of vehicles in every lane, cyclists, people who walk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synth.builder import clothes
from training.synth.cars import car_colours
from training.synth.config import FRAME_PERIOD_S, SequenceConfig
from training.synth.library import OBJECTS, Library
from training.synth.motion import Ego
from training.synth.road import COUNTRY, Road

_KINDS = ("car", "van", "lorry", "bus", "motorcycle")
_ODDS = {
    "street": (0.74, 0.11, 0.07, 0.04, 0.04),
    "motorway": (0.62, 0.13, 0.21, 0.02, 0.02),
    "jam": (0.55, 0.15, 0.2, 0.07, 0.03),
}
_SIGHT_M, _MOST = 140.0, 45
Rng = np.random.Generator
Track = NDArray[np.floating]


@dataclass(frozen=True)
class Mover:
    """Somebody in traffic: at (s, d) at each tick, turned by ``turn`` radians from the road.

    ``kind`` and ``number`` name the object in the library; ``colours`` (2, 3) are its slots'.
    """

    kind: str
    number: int
    colours: NDArray[np.floating]
    s: Track
    d: Track
    turn: float


def traffic(cfg: SequenceConfig, road: Road, ego: Ego, library: Library) -> list[Mover]:
    """Return everybody who moves, the nearest ``_MOST`` of them."""
    rng = cfg.stream("traffic")
    rng.uniform(size=8)
    own = [m for lane in range(cfg.lanes) for m in _own_lane(cfg, rng, ego, library, lane)]
    met = [m for lane in range(cfg.lanes) for m in _oncoming(cfg, rng, ego, library, lane)]
    people = [] if cfg.scene.motorway else _cyclists(cfg, rng, ego) + _walkers(cfg, road, ego)
    seen = [m for m in own + met + people if _distance(m, ego) < _SIGHT_M]
    return sorted(seen, key=lambda m: _distance(m, ego))[:_MOST]


def _distance(mover: Mover, ego: Ego) -> float:
    """Return how near a mover comes ahead of the camera, metres along the road."""
    ahead = mover.s - ego.place[:, 0]
    return float(np.abs(ahead[ahead > -25]).min(initial=1e9))


def _queue(
    cfg: SequenceConfig, rng: Rng, library: Library, span: tuple[float, float], gap: tuple
) -> list[tuple[str, int, float]]:
    """Return vehicles (kind, number, s of the middle) one behind the other within ``span``."""
    scene, found, at = cfg.scene, [], span[0]
    odds = _ODDS["jam" if scene.jam else "motorway" if scene.motorway else "street"]
    while at < span[1]:
        kind = str(rng.choice(_KINDS, p=odds))
        number = int(rng.integers(OBJECTS[kind][0]))
        length = float(library.take(kind, number).size[0])
        found.append((kind, number, at + length / 2))
        at += length + rng.uniform(*gap)
    return found


def _colours(rng: Rng, kind: str) -> NDArray[np.float64]:
    """Return the two colours of a vehicle; lorries' loads are often white, riders wear coats."""
    paint = car_colours(rng, 2)
    if kind in ("lorry", "van", "bus") and rng.random() < 0.45:
        paint[1] = rng.uniform(0.5, 0.85)
    if kind == "van" and rng.random() < 0.5:
        paint[0] = rng.uniform(0.6, 0.85)
    if kind in ("motorcycle", "bicycle"):
        paint[1] = clothes(rng, 1)[0, 0]
    return paint


def _own_lane(cfg: SequenceConfig, rng: Rng, ego: Ego, library: Library, lane: int) -> list[Mover]:
    """Return the vehicles of one lane of the ego's direction."""
    t = np.arange(len(ego.speed)) * FRAME_PERIOD_S
    mine = abs(cfg.lane(lane) - ego.place[0, 1]) < cfg.lane_width / 2
    sway = rng.uniform(0.2, 0.7) * np.sin(t * rng.uniform(0.2, 0.6) + rng.uniform(0, 6))
    drift = sway - sway[0]
    if cfg.scene.jam:
        first = rng.uniform(2.5, 8) if mine else rng.uniform(-14, -4)
        gap = (1.2, 6.0)
        drift = drift + (0.0 if mine else rng.uniform(-1, 1)) * t
    elif mine:
        first = rng.uniform(6, 30) if cfg.lead_car else rng.uniform(40, 110)
        gap = (8.0, 70.0)
    else:
        first, gap = rng.uniform(-25, 30), (10.0, 90.0 if cfg.scene.motorway else 150.0)
        drift = drift + rng.uniform(-4, 4) * t
    rows = _queue(cfg, rng, library, (first, _SIGHT_M), gap)
    s, d = ego.place[:, 0] + drift, cfg.lane(lane) + 0.1 * np.sin(t)
    return [
        Mover(kind, number, _colours(rng, kind), s + at, d + rng.normal(0, 0.12), 0.0)
        for kind, number, at in rows
    ]


def _oncoming(cfg: SequenceConfig, rng: Rng, ego: Ego, library: Library, lane: int) -> list[Mover]:
    """Return the vehicles of one lane of the other direction."""
    t, scene = np.arange(len(ego.speed)) * FRAME_PERIOD_S, cfg.scene
    stuck = scene.jam and scene.jam_both
    speed = rng.uniform(0, 3) if stuck else rng.uniform(5, 14)
    if scene.motorway and not stuck:
        speed = rng.uniform(18, 33)
    gap = (1.5, 8.0) if stuck else (12.0, rng.uniform(30, 160))
    end = float(ego.place[-1, 0]) + speed * t[-1] + _SIGHT_M
    rows = _queue(cfg, rng, library, (rng.uniform(-15, 60), end), gap)
    d = np.full(len(t), -cfg.lane(lane))
    return [
        Mover(kind, number, _colours(rng, kind), at - speed * t, d + rng.normal(0, 0.12), np.pi)
        for kind, number, at in rows
    ]


def _cyclists(cfg: SequenceConfig, rng: Rng, ego: Ego) -> list[Mover]:
    """Return cyclists along the outer edge of the outer lanes, of both directions."""
    t, found = np.arange(len(ego.speed)) * FRAME_PERIOD_S, []
    edge = cfg.side * (cfg.lanes * cfg.lane_width - 0.1)
    for _ in range(int(rng.integers(1, 5)) if rng.random() < 0.4 else 0):
        ahead, start = rng.random() < 0.6, rng.uniform(4, 70)
        speed, number = rng.uniform(3, 7), int(rng.integers(OBJECTS["bicycle"][0]))
        s = start + (speed if ahead else -speed) * t
        d = np.full(len(t), -edge if ahead else edge)
        colours = _colours(rng, "bicycle")
        found.append(Mover("bicycle", number, colours, s, d, 0.0 if ahead else np.pi))
    return found


def _walkers(cfg: SequenceConfig, road: Road, ego: Ego) -> list[Mover]:
    """Return people who walk along the pavements, and at times across the road."""
    rng, t = cfg.stream("walkers"), np.arange(len(ego.speed)) * FRAME_PERIOD_S
    found = []
    for _ in range(int(rng.integers(0, 14))):
        side, ahead = rng.choice([1, -1]), rng.random() < 0.5
        start, speed = rng.uniform(0, float(ego.place[-1, 0]) + 60), rng.uniform(0.8, 1.8)
        number, coat = int(rng.integers(OBJECTS["walker"][0])), clothes(rng, 1)[0]
        d = np.full(len(t), side * (cfg.half_width + rng.uniform(0.5, cfg.pavement)))
        if road.kind(start, side) != COUNTRY:
            s = start + (speed if ahead else -speed) * t
            found.append(Mover("walker", number, coat, s, d, 0.0 if ahead else np.pi))
    if rng.random() < 0.3 and not cfg.scene.jam and not cfg.lead_car:
        at, side = float(ego.place[-1, 0]) + rng.uniform(6, 30), rng.choice([1, -1])
        d = side * (rng.uniform(-1, 1) * cfg.half_width + 1.3 * (t - t[-1] / 2))
        number, coat = int(rng.integers(OBJECTS["walker"][0])), clothes(rng, 1)[0]
        found.append(Mover("walker", number, coat, np.full(len(t), at), d, side * np.pi / 2))
    return found
