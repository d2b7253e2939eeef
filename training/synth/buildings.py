"""Buildings: city fronts with shops and balconies, houses with saddle roofs.

Each function returns a mesh in the local frame of ``mesh``: the road is at y < 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.synth.mesh import Material, Mesh, box, join, quads, triangles
from training.synth.paint import FACADES, MIXES, WALLS, WINDOWS
from training.synth.props import Materials, Rng, pick


def _faces(
    w: float, depth: float, z0: float, z1: float, du: float, dv: float, m: Material, rng: Rng
) -> Mesh:
    """Return the four walls of a block with windows of du x dv metres, shifted by whole ones."""
    p = [(-w / 2, 0), (w / 2, 0), (w / 2, depth), (-w / 2, depth)]
    corners, uv = [], []
    for i in range(4):
        a, b = p[i], p[(i + 1) % 4]
        wide = round(np.hypot(b[0] - a[0], b[1] - a[1]) / du) / WINDOWS
        u, v = rng.integers(0, WINDOWS, 2) / WINDOWS
        tall = (z1 - z0) / dv / WINDOWS
        corners.append([(*a, z0), (*b, z0), (*b, z1), (*a, z1)])
        uv.append([(u, v), (u + wide, v), (u + wide, v + tall), (u, v + tall)])
    return quads(corners, m, uv)


def building(rng: Rng, materials: Materials, width: float) -> Mesh:
    """Return a city block front ``width`` wide: floors of windows, perhaps shops and balconies.

    Slot 1 is the wall with the windows, slot 2 the rest.
    """
    floors, dv = int(rng.integers(2, 7)), rng.uniform(2.9, 3.5)
    depth, du = rng.uniform(8, 14), width / max(round(width / rng.uniform(2.2, 3.6)), 1)
    facade = replace(pick(rng, materials, "facade", FACADES), gloss=0.35, emit=(1, 1, 1), slot=1)
    base, top = rng.uniform(3.3, 4.2), 0.0
    parts = []
    if rng.random() < 0.5:
        shop = replace(materials["shop"], gloss=0.3, emit=(1.5, 1.5, 1.5))
        u = rng.integers(0, 4) / 4
        p = [(-width / 2, 0), (width / 2, 0), (width / 2, depth), (-width / 2, depth)]
        for i in range(4):
            a, b = p[i], p[(i + 1) % 4]
            k = round(np.hypot(b[0] - a[0], b[1] - a[1]) / 4) / 4
            parts.append(
                quads(
                    [[(*a, 0), (*b, 0), (*b, base), (*a, base)]],
                    shop,
                    [[(u, 0), (u + k, 0), (u + k, 1), (u, 1)]],
                )
            )
        if rng.random() < 0.4:
            cloth = replace(pick(rng, materials, "mix", MIXES), tile=3.0)
            x0, x1, z = -width * 0.4, width * 0.4, base * 0.8
            parts.append(
                quads([[(x0, 0, z), (x1, 0, z), (x1, -1.1, z - 0.4), (x0, -1.1, z - 0.4)]], cloth)
            )
        top = base
    high = top + floors * dv
    parts.append(_faces(width, depth, top, high, du, dv, facade, rng))
    wall = replace(pick(rng, materials, "wall", WALLS), slot=2)
    parts.append(box((width + 0.3, depth + 0.3, 0.5), (0, depth / 2, high + 0.25), wall))
    if rng.random() < 0.25:
        for k in range(1, floors):
            for x in np.arange(-width / 2 + du, width / 2 - du / 2, 2 * du):
                parts.append(box((du * 0.9, 0.9, 1.0), (x, -0.45, top + k * dv + 0.4), wall))
    if rng.random() < 0.4:
        parts.append(
            _gable(width, depth, high + 0.5, rng.uniform(1.5, 4), materials["roof"], wall)
        )
    return join(parts)


def _gable(w: float, depth: float, z: float, rise: float, roof: Material, wall: Material) -> Mesh:
    """Return a saddle roof, ridge along the road."""
    x, y0, y1, ym = w / 2 + 0.3, -0.4, depth + 0.4, depth / 2
    slopes = [
        [(-x, y0, z), (x, y0, z), (x, ym, z + rise), (-x, ym, z + rise)],
        [(-x, y1, z), (x, y1, z), (x, ym, z + rise), (-x, ym, z + rise)],
    ]
    ends = [[(s * w / 2, 0, z), (s * w / 2, depth, z), (s * w / 2, ym, z + rise)] for s in (1, -1)]
    uv = np.array([[[0, 0], [depth, 0], [depth / 2, rise]]] * 2) / wall.tile
    return join([quads(slopes, roof), triangles(ends, uv, wall)])


def house(rng: Rng, materials: Materials, width: float) -> Mesh:
    """Return a house of one or two floors with a saddle roof and a chimney; slots as above."""
    floors, dv, depth = int(rng.integers(1, 3)), rng.uniform(2.6, 3.0), rng.uniform(7, 10)
    du = width / max(round(width / rng.uniform(2.4, 3.8)), 1)
    facade = replace(pick(rng, materials, "facade", FACADES), gloss=0.3, emit=(1, 1, 1), slot=1)
    wall, high = replace(pick(rng, materials, "wall", WALLS), slot=2), floors * dv + 0.3
    parts = [
        _faces(width, depth, 0, high, du, dv, facade, rng),
        _gable(width, depth, high, rng.uniform(1.8, 4), materials["roof"], wall),
        box((0.7, 0.7, 3.0), (rng.uniform(-0.3, 0.3) * width, depth * 0.6, high + 2.5), wall),
    ]
    door = replace(materials["paint"], tint=tuple(rng.uniform(0.02, 0.4, 3)))
    x = rng.uniform(-0.3, 0.3) * width
    parts.append(
        quads([[(x, -0.03, 0), (x + 1, -0.03, 0), (x + 1, -0.03, 2.1), (x, -0.03, 2.1)]], door)
    )
    if rng.random() < 0.4:
        parts.append(box((2.2, 1.2, 2.6), (x + 0.5, -0.6, 1.3), wall))
    return join(parts)
