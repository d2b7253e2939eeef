"""What stands beside the road: trees, hedges, fences, lamps, signs, bins, people.

Each function returns a mesh in the local frame of ``mesh``: the road is at y < 0, so that y grows
away from it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.synth.mesh import Material, Mesh, blob, box, join, quads, tube
from training.synth.paint import LEAVES, MIXES, WALLS

Rng = np.random.Generator
Materials = dict[str, Material]


def pick(rng: Rng, materials: Materials, name: str, count: int) -> Material:
    """Return one of the numbered materials, a little tinted."""
    tint = np.clip(rng.uniform(0.65, 1.2) * np.exp(rng.normal(0, 0.06, 3)), 0, 1.4)
    return replace(materials[f"{name}{rng.integers(count)}"], tint=tuple(tint))


def tree(rng: Rng, materials: Materials, street: bool = False) -> Mesh:
    """Return a tree: trunk and lumpy crown with loose leaves, or a conifer; high if ``street``."""
    leaf, bark = pick(rng, materials, "leaf", LEAVES), materials["bark"]
    leaf = replace(leaf, tile=rng.uniform(2.0, 4.0), slot=1)
    if rng.random() < 0.25:
        return _young_tree(rng, leaf, bark)
    high, trunk = rng.uniform(4.5, 11), rng.uniform(0.09, 0.25)
    if rng.random() < 0.2 and not street:
        wide = high * rng.uniform(0.16, 0.28)
        cones = [
            tube(
                (0, 0, z * high),
                (0, 0, (z + 0.42) * high),
                wide * (1.15 - z),
                leaf,
                9,
                end_radius=0.02,
            )
            for z in (0.12, 0.3, 0.48, 0.62)
        ]
        return join([tube((0, 0, -0.3), (0, 0, high * 0.3), trunk, bark), *cones])
    wide, foot = high * rng.uniform(0.2, 0.36), high * rng.uniform(0.25, 0.42)
    foot = max(foot, 2.6) if street else foot
    crown = high - foot
    parts = [tube((0, 0, -0.3), (0, 0, foot + 0.4 * crown), trunk, bark, 6, trunk * 0.6)]
    for _ in range(int(rng.integers(3, 7))):
        at = rng.uniform(-0.55, 0.55, 3) * [wide, wide, crown * 0.5] + [0, 0, foot + crown / 2]
        size = rng.uniform(0.45, 0.75) * np.array([wide, wide, crown * 0.55])
        parts.append(blob(rng, size, at, leaf, 0.3))
    return join([*parts, _leaves(rng, 50, (wide, wide, crown / 2), foot + crown / 2, leaf)])


def _young_tree(rng: Rng, leaf: Material, bark: Material) -> Mesh:
    """Return a thin tree that one sees through, perhaps between stakes."""
    high, trunk = rng.uniform(3.0, 7.5), rng.uniform(0.03, 0.08)
    wide, foot = high * rng.uniform(0.13, 0.25), high * rng.uniform(0.3, 0.5)
    middle, radii = (high + foot) / 2, (wide, wide, (high - foot) / 2)
    top = 0.85 * high
    parts = [tube((0, 0, -0.3), (0, 0, top), trunk, bark, 5, 0.3 * trunk)]
    for _ in range(int(rng.integers(3, 7))):
        z, (x, y) = rng.uniform(foot, top), 0.8 * wide * rng.normal(0, 0.6, 2)
        parts.append(tube((0, 0, z - 0.5), (x, y, z + 0.3), 0.4 * trunk, bark, 4, 0.01))
    for size, depth in ((0.2, 1.0), (0.12, 0.6)):
        count = int(rng.integers(40, 110))
        parts.append(_leaves(rng, count, tuple(depth * r for r in radii), middle, leaf, size))
    if rng.random() < 0.4:
        stake, turn = rng.uniform(1.2, 2.2), rng.uniform(0, 6.3)
        for angle in turn + np.arange(3) * 2 * np.pi / 3:
            x, y = 0.45 * np.cos(angle), 0.45 * np.sin(angle)
            parts.append(tube((x, y, -0.2), (0.6 * x, 0.6 * y, stake), 0.04, bark, 4))
    return join(parts)


def _leaves(
    rng: Rng, n: int, radii: tuple[float, ...], z: float, leaf: Material, size: float = 0.35
) -> Mesh:
    """Return n loose twigs of leaves around an ellipsoid."""
    out = rng.normal(0, 1, (n, 3))
    out *= rng.uniform(0.75, 1.02, (n, 1)) / np.linalg.norm(out, axis=1, keepdims=True)
    a, b = rng.normal(0, size, (2, n, 1, 3)) * np.array([1, 1, 0.8])
    mid = (out * np.array(radii) + [0, 0, z])[:, None]
    mesh = quads(np.concatenate([mid - a - b, mid + a - b, mid + a + b, mid - a + b], 1), leaf)
    normals = np.repeat(np.repeat(out, 2, 0)[:, None], 3, 1) + np.array([0, 0, 0.3])
    normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
    return replace(mesh, normals=normals.astype(np.float32))


def bush(rng: Rng, materials: Materials) -> Mesh:
    """Return a bush of a few lumps."""
    leaf = replace(pick(rng, materials, "leaf", LEAVES), tile=1.5, slot=1)
    size = rng.uniform(0.4, 1.3)
    lumps = [
        blob(
            rng,
            size * rng.uniform(0.6, 1, 3),
            (*rng.normal(0, 0.5 * size, 2), size * 0.5),
            leaf,
            0.3,
        )
        for _ in range(3)
    ]
    return join(lumps)


def barrier(rng: Rng, materials: Materials, length: float, country: bool) -> Mesh:
    """Return a hedge, a wall, a board fence, or (in the country) posts with rails or a rail."""
    kind = rng.choice(["hedge", "wall", "fence", "rail"], p=[0.35, 0.3, 0.2, 0.15])
    if kind == "hedge":
        leaf = replace(pick(rng, materials, "leaf", LEAVES), tile=2.0, slot=1)
        high, wide = rng.uniform(0.8, 2.2), rng.uniform(0.6, 1.2)
        mesh = box((length, wide, high), (0, 0, high / 2), leaf, rng.random())
        jitter = mesh.normals + rng.normal(0, 0.4, mesh.normals.shape)
        return replace(mesh, normals=jitter.astype(np.float32))
    if kind == "wall":
        high = rng.uniform(0.5, 2.2)
        m = replace(pick(rng, materials, "wall", WALLS), slot=1)
        cap = box((length, 0.4, 0.12), (0, 0, high + 0.06), materials["kerb"])
        return join([box((length, 0.28, high), (0, 0, high / 2), m, rng.random()), cap])
    if kind == "fence" and not country:
        m = replace(pick(rng, materials, "mix" if rng.random() < 0.3 else "wall", WALLS), slot=1)
        return box((length, 0.06, rng.uniform(0.9, 1.9)), (0, 0, 0.8), m, rng.random())
    n = max(int(length / 2.5), 1)
    posts = [
        box((0.12, 0.12, 1.1), (x, 0, 0.55), materials["bark"])
        for x in np.linspace(-length / 2, length / 2, n + 1)
    ]
    rail = materials["metal"] if kind == "rail" else materials["bark"]
    levels = [(0.32, 0.6)] if kind == "rail" else [(0.1, 0.45), (0.1, 0.95)]
    return join(posts + [box((length, 0.06, h), (0, -0.08, z), rail) for h, z in levels])


def lamp_post(materials: Materials, high: float, reach: float) -> Mesh:
    """Return a street lamp reaching over the road (towards -y); its light comes with the place."""
    metal = materials["metal"]
    glass = replace(materials["plain"], tint=(0.7, 0.7, 0.65), emit=(40, 40, 40))
    head = (0, -reach, high)
    return join(
        [
            tube((0, 0, 0), (0, 0, high - 0.1), 0.09, metal, 6, 0.06),
            tube((0, 0, high - 0.1), head, 0.05, metal, 5),
            box((0.3, 0.7, 0.14), (0, -reach, high + 0.05), metal),
            box((0.24, 0.6, 0.1), (0, -reach, high - 0.05), glass),
        ]
    )


def pole(materials: Materials, high: float) -> Mesh:
    """Return a wooden pole."""
    return tube((0, 0, 0), (0, 0, high), 0.14, materials["bark"], 7, 0.1)


def sign(rng: Rng, materials: Materials) -> Mesh:
    """Return a sign on a post, facing along the road; sometimes a large board."""
    big = rng.random() < 0.15
    w, h = (rng.uniform(1.5, 3), rng.uniform(1, 2)) if big else (0.7, 0.7)
    z, (u, v) = rng.uniform(1.9, 2.5), rng.integers(0, 4, 2) / 4
    face = [[(0, -w / 2, z), (0, w / 2, z), (0, w / 2, z + h), (0, -w / 2, z + h)]]
    uv = [[(u, v), (u + 0.25, v), (u + 0.25, v + 0.25), (u, v + 0.25)]]
    back = [[(0.03, y, zz) for _, y, zz in face[0]]]
    posts = [(-w / 3,), (w / 3,)] if big else [(0,)]
    return join(
        [
            quads(face, materials["sign"], uv),
            quads(back, materials["metal"]),
            *(tube((0.06, y, 0), (0.06, y, z + h), 0.04, materials["metal"], 5) for (y,) in posts),
        ]
    )


def clutter(rng: Rng, materials: Materials) -> Mesh:
    """Return a bin, box, bollard, kiosk or poster stand."""
    kind = rng.integers(0, 5)
    m = pick(rng, materials, "mix", MIXES)
    paint = replace(materials["paint"], tint=tuple(rng.uniform(0.03, 0.5, 3)), slot=1)
    if kind == 0:
        return tube((0, 0, 0), (0, 0, 1.0), 0.28, paint, 8, caps=True)
    if kind == 1:
        size = rng.uniform([0.6, 0.5, 0.9], [1.8, 1.1, 1.4])
        return box(size, (0, 0, size[2] / 2), paint)
    if kind == 2:
        return tube((0, 0, 0), (0, 0, 0.9), 0.08, paint, 6, caps=True)
    if kind == 3:
        return box((0.25, 1.3, 2.0), (0, 0, 1.2), replace(m, tile=2.0), rng.random())
    size = rng.uniform([1.5, 1.2, 2.0], [3.0, 2.0, 2.6])
    return box(size, (0, 0, size[2] / 2), replace(m, tile=3.0), rng.random())


def person(rng: Rng, materials: Materials, stride: float = 0.0) -> Mesh:
    """Return somebody 1.55 to 1.9 m tall who steps along +x; slot 1 the coat, slot 2 the legs."""
    tall = rng.uniform(0.88, 1.06)
    coat, legs = (replace(materials["paint"], slot=k) for k in (1, 2))
    tone = tuple(rng.uniform(0.15, 0.5) * np.array([1, 0.7, 0.55]))
    skin = replace(materials["paint"], tint=tone)
    mesh = join(
        [
            tube((stride, 0.1, 0), (0, 0.09, 0.85), 0.08, legs, 6, 0.1),
            tube((0.1 - stride, -0.1, 0), (0, -0.09, 0.85), 0.08, legs, 6, 0.1),
            tube((0, 0, 0.8), (0, 0, 1.45), 0.18, coat, 8, 0.21, caps=True),
            tube((-stride, 0.26, 0.8), (0, 0.2, 1.42), 0.06, coat, 5),
            tube((0.1 + stride, -0.26, 0.8), (0, -0.2, 1.42), 0.06, coat, 5),
            blob(rng, (0.11, 0.1, 0.14), (0, 0, 1.62), skin, 0.05),
        ]
    )
    return replace(mesh, corners=mesh.corners * np.float32(tall))
