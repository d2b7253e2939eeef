"""What spans or lines a road: bridges, gantries, rails, noise walls.

Frames are those of ``mesh``: x along the road, the origin on its surface; pieces that line it
have it at y < 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.synth.mesh import Material, Mesh, box, join, prism, quads, tube
from training.synth.paint import WALLS

Rng = np.random.Generator
Materials = dict[str, Material]
PIECE_M = 7.0
"""Length of a piece of rail or wall."""


def guard_rail(rng: Rng, materials: Materials) -> Mesh:
    """Return a steel rail on posts, one side or both."""
    steel = replace(materials["metal"], tint=(0.9, 0.9, 0.95), gloss=0.15)
    high, rows = rng.uniform(0.65, 0.85), 2 if rng.random() < 0.3 else 1
    posts = [box((0.1, 0.12, high), (x, 0.05, high / 2), steel) for x in (-2.6, 0.0, 2.6)]
    rails = []
    for y in (-0.09, 0.19) if rng.random() < 0.5 else (-0.09,):
        for k in range(rows):
            z = high - 0.16 - 0.4 * k
            rails.append(box((PIECE_M, 0.05, 0.13), (0, y, z + 0.09), steel))
            rails.append(box((PIECE_M, 0.05, 0.13), (0, y, z - 0.09), steel))
            rails.append(box((PIECE_M, 0.02, 0.3), (0, y + 0.03, z), steel))
    return join(posts + rails)


def jersey(rng: Rng, materials: Materials) -> Mesh:
    """Return a concrete barrier, wide at its foot."""
    m, h = replace(materials["concrete"], slot=1), rng.uniform(0.8, 1.15)
    y = [-0.3, -0.18, -0.09, 0.09, 0.18, 0.3]
    z = [0.0, 0.28, h, h, 0.28, 0.0]
    low, high = ([(x, *p) for p in zip(y, z, strict=True)] for x in (-PIECE_M / 2, PIECE_M / 2))
    faces = [[low[i], high[i], high[i + 1], low[i + 1]] for i in range(5)]
    return quads(np.array(faces), m)


def noise_wall(rng: Rng, materials: Materials) -> Mesh:
    """Return a noise wall of boards, concrete or glass between posts."""
    high, kind = rng.uniform(1.8, 5.5), rng.random()
    wall = materials["concrete"] if kind < 0.5 else materials[f"wall{rng.integers(WALLS)}"]
    panel = replace(wall, slot=1)
    if kind > 0.9:
        panel = replace(materials["plain"], tint=(0.12, 0.16, 0.16), gloss=0.5)
    post = replace(materials["metal"], slot=2)
    posts = [box((0.2, 0.24, high + 0.15), (x, 0.2, high / 2), post) for x in (-PIECE_M / 2, 0.0)]
    return join([box((PIECE_M, 0.16, high), (0, 0.2, high / 2), panel, rng.random()), *posts])


def gantry(rng: Rng, materials: Materials, low: float, high: float, facing: int) -> Mesh:
    """Return a gantry from d = ``low`` to ``high`` with boards for traffic going ``facing``."""
    steel, z = materials["metal"], rng.uniform(5.8, 6.8)
    parts = [tube((0, d, 0), (0, d, z + 1.2), 0.2, steel, 7) for d in (low, high)]
    for dz in (0.0, 1.0):
        a, b = z + dz, z + dz + 0.2
        beam = [(-0.12, a), (0.12, a), (0.12, b), (-0.12, b)]
        parts.append(prism(beam, (high - low) / 2, steel, (low + high) / 2))
    at = low + rng.uniform(0.5, 2)
    blue = [(0.02, 0.1, 0.4), (0.01, 0.2, 0.08), (0.6, 0.6, 0.6), (0.02, 0.02, 0.02)]
    colour = blue[rng.choice(4, p=[0.4, 0.35, 0.1, 0.15])]
    while at < high - 2:
        wide, tall = rng.uniform(2, 5), rng.uniform(1.4, 3.2)
        if at + wide < high and rng.random() < 0.75:
            parts.append(
                _board(rng, materials, -0.3 * facing, (at, wide), (z - 0.6, tall), colour)
            )
        at += wide + rng.uniform(0.4, 3)
    return join(parts)


def _board(rng: Rng, materials: Materials, x: float, y: tuple, z: tuple, colour: tuple) -> Mesh:
    """Return a sign of lines of letters; y and z its start and size."""
    plain = materials["plain"]
    parts = [
        box((0.08, y[1], z[1]), (x, y[0] + y[1] / 2, z[0] + z[1] / 2), replace(plain, tint=colour))
    ]
    ink = replace(plain, tint=(0.75, 0.75, 0.75) if max(colour) < 0.5 else (0.02, 0.02, 0.02))
    front = x + 0.05 * np.sign(x)
    for row in np.arange(z[0] + 0.25, z[0] + z[1] - 0.3, 0.55):
        a = y[0] + 0.25
        while a < y[0] + y[1] * rng.uniform(0.6, 0.9):
            w = rng.uniform(0.1, 0.3)
            parts.append(
                quads(
                    [
                        [
                            (front, a, row),
                            (front, a + w, row),
                            (front, a + w, row + 0.3),
                            (front, a, row + 0.3),
                        ]
                    ],
                    ink,
                )
            )
            a += w + 0.1
    return join(parts)


def bridge(
    rng: Rng,
    materials: Materials,
    clear: float,
    long: float,
    high: float,
    walled: bool,
    median: float,
) -> Mesh:
    """Return a bridge over the road.

    Args:
        rng: random stream.
        materials: of the street.
        clear: half the free width below it, metres.
        long: its extent along the road.
        high: free height below it.
        walled: it stands on walls rather than piers before sloping banks.
        median: width of the median, on which piers may stand.
    """
    m, x = materials["concrete"], long / 2
    thick, rail = rng.uniform(0.7, 1.6), rng.uniform(0.8, 1.3)
    reach = clear + (1.5 if walled else 2 + 1.6 * high)
    deck = [(-x, high), (x, high), (x, high + thick), (-x, high + thick)]
    parts = [prism(deck, reach + 0.5, replace(m, tint=(0.8, 0.8, 0.8)))]
    for k in np.arange(-x + 0.6, x - 0.2, 1.9) if rng.random() < 0.6 else []:
        beam = [(k - 0.25, high - 0.6), (k + 0.25, high - 0.6), (k + 0.25, high), (k - 0.25, high)]
        parts.append(prism(beam, reach, m))
    kerb = materials["metal"] if rng.random() < 0.5 else m
    for s in (1, -1):
        at = (s * (x - 0.1), 0, high + thick + rail / 2)
        if rng.random() < 0.5:
            parts.append(box((0.2, 2 * reach + 40, rail), at, kerb))
        else:
            for f in (0.35, 0.7, 1.0):
                bar = (at[0], 0, high + thick + rail * f)
                parts.append(box((0.06, 2 * reach + 40, 0.07), bar, kerb))
            posts = np.arange(-reach - 18, reach + 18, 2.0)
            parts += [box((0.06, 0.06, rail), (at[0], d, at[2]), kerb) for d in posts]
        bank = replace(materials["grass"], ground=False)
        top, foot = high + thick, reach + (0.5 if walled else 0.0)
        slope = [(-x - 2 * top, 0), (x + 2 * top, 0), (x, top), (-x, top)]
        parts.append(prism(slope, 35, bank, s * (foot + 35)))
        if walled:
            wall = [(-x, -0.5), (x, -0.5), (x, high), (-x, high)]
            brick = m if rng.random() < 0.6 else materials[f"wall{rng.integers(WALLS)}"]
            parts.append(prism(wall, 0.75, brick, s * (clear + 0.75)))
        else:
            a, b = clear + 2, clear + 2 + 1.6 * high
            parts.append(
                quads([[(-x, s * a, 0), (x, s * a, 0), (x, s * b, high), (-x, s * b, high)]], m)
            )
    if not walled:
        rows = [-clear - 1.2, clear + 1.2] + ([0.0] if median > 1.5 else [])
        thin = rng.uniform(0.3, 0.6)
        for d in rows:
            for k in np.linspace(-x + 1, x - 1, max(int(long / 5), 1)):
                parts.append(tube((k, d, -0.3), (k, d, high), thin, m, 10))
    return join(parts)
