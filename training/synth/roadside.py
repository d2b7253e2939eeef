"""What lines motorways and country roads, and what spans roads."""

from __future__ import annotations

import numpy as np

from training.synth.builder import Builder, colours, scatter
from training.synth.library import MATERIALS, OBJECTS
from training.synth.place import batch
from training.synth.road import COUNTRY
from training.synth.structures import PIECE_M, bridge, gantry


def motorway_side(b: Builder, side: int) -> None:
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
    scatter(b, rng, "tree", at, far, keep)


def woods(b: Builder, side: int) -> None:
    """Plant woods along the country, near the road and dense."""
    rng, s, kind = b.stops(side, 1.5, 5)
    d = side * (b.cfg.half_width + b.cfg.pavement + 1 + rng.exponential(7, len(s)))
    keep = (kind == COUNTRY) & (rng.random(len(s)) < b.cfg.scene.woods) & b.road.clear(s, d)
    scatter(b, rng, "tree", s, d, keep & (not b.cfg.scene.motorway))


def divider(b: Builder) -> None:
    """Divide the carriageways of a motorway."""
    rng, s, _ = b.stops(1, PIECE_M, PIECE_M)
    kind = b.cfg.scene.divider
    if kind == "hedge":
        near = np.repeat(s, 4) + rng.uniform(0, PIECE_M, 4 * len(s))
        scatter(b, rng, "bush", near, np.zeros(len(near)), np.ones(len(near), bool))
    elif kind:
        number = int(rng.integers(OBJECTS[kind][0]))
        b.put(kind, np.full(len(s), number), s, np.zeros(len(s)), colours=colours(rng, 1, 0.3))


def overhead(b: Builder) -> None:
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
