"""Triangles with what the shader needs, and the primitives everything is built from.

Local frame of an object: x along the road, y to its left, z up; the origin on the ground.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Material:
    """A texture by number, a tint on it, light given off when lit, gloss, metres per tile.

    ``slot`` 1 and 2 take the first and the second colour of the object that is placed; 0 none.
    """

    texture: int
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    emit: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gloss: float = 0.0
    tile: float = 4.0
    ground: bool = False
    slot: int = 0


@dataclass(frozen=True)
class Mesh:
    """n triangles: corners (n, 3, 3), uv (n, 3, 2), normals per corner (n, 3, 3), and material."""

    corners: Array
    uv: Array
    normals: Array
    texture: NDArray[np.int32]
    tint: Array
    emit: Array
    gloss: Array
    ground: NDArray[np.bool_]
    slot: NDArray[np.int32]

    def placed(self, R: NDArray, t: ArrayLike) -> Mesh:
        """Return the mesh rotated by R (3, 3), then moved by t (3,)."""
        RT = np.asarray(R, np.float32).T
        corners = self.corners @ RT + np.asarray(t, np.float32)
        return replace(self, corners=corners, normals=self.normals @ RT)


def join(meshes: Iterable[Mesh]) -> Mesh:
    """Return one mesh of all the triangles."""
    parts = list(meshes)
    return Mesh(*(np.concatenate([getattr(m, f.name) for m in parts]) for f in fields(Mesh)))


def triangles(
    corners: ArrayLike, uv: ArrayLike, material: Material, normals: ArrayLike | None = None
) -> Mesh:
    """Return a mesh of triangles (n, 3, 3) with uv (n, 3, 2) in tiles; flat normals if none."""
    c = np.asarray(corners, np.float32)
    n = len(c)
    if normals is None:
        flat = np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0])
        flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-12
        normals = np.repeat(flat[:, None], 3, 1)
    return Mesh(
        c,
        np.asarray(uv, np.float32),
        np.asarray(normals, np.float32),
        np.full(n, material.texture, np.int32),
        np.tile(np.array(material.tint, np.float32), (n, 1)),
        np.tile(np.array(material.emit, np.float32), (n, 1)),
        np.full(n, material.gloss, np.float32),
        np.full(n, material.ground),
        np.full(n, material.slot, np.int32),
    )


def quads(corners: ArrayLike, material: Material, uv: ArrayLike | None = None) -> Mesh:
    """Return quads (n, 4, 3), corners in order around; uv (n, 4, 2), else metres / tile."""
    c = np.asarray(corners, np.float32)
    if uv is None:
        w = np.linalg.norm(c[:, 1] - c[:, 0], axis=1) / material.tile
        h = np.linalg.norm(c[:, 3] - c[:, 0], axis=1) / material.tile
        o = np.zeros_like(w)
        uv = np.stack([np.stack(k, 1) for k in ((o, o), (w, o), (w, h), (o, h))], 1)
    uv = np.asarray(uv, np.float32)
    pick = [0, 1, 2, 0, 2, 3]
    return triangles(c[:, pick].reshape(-1, 3, 3), uv[:, pick].reshape(-1, 3, 2), material)


def box(size: ArrayLike, centre: ArrayLike, material: Material, uv_at: float = 0.0) -> Mesh:
    """Return a box without its bottom; uv in metres / tile, shifted by ``uv_at`` tiles."""
    (x, y, z), c = np.asarray(size, np.float32) / 2, np.asarray(centre, np.float32)
    p = [(-x, -y), (x, -y), (x, y), (-x, y)]
    faces = [
        [(*p[i], -z), (*p[(i + 1) % 4], -z), (*p[(i + 1) % 4], z), (*p[i], z)] for i in range(4)
    ]
    faces.append([(*q, z) for q in p])
    mesh = quads(np.asarray(faces, np.float32) + c, material)
    return replace(mesh, uv=mesh.uv + np.float32(uv_at))


def prism(outline: ArrayLike, half: float, material: Material, mid: float = 0.0) -> Mesh:
    """Return the convex outline (n, 2) in x and z, stretched ``half`` either side of y = mid."""
    p = np.asarray(outline, np.float32)
    right, left = (np.insert(p, 1, y, 1) for y in (mid - half, mid + half))
    after = np.roll(np.arange(len(p)), -1)
    rim = quads(np.stack([right, right[after], left[after], left], 1), material)
    fans = [
        triangles(
            np.stack([np.broadcast_to(q[0], q[1:-1].shape), q[1:-1], q[2:]], 1),
            np.stack([np.broadcast_to(p[0], p[1:-1].shape), p[1:-1], p[2:]], 1) / material.tile,
            material,
        )
        for q in (right, left)
    ]
    return join([rim, *fans])


def tube(
    start: ArrayLike,
    end: ArrayLike,
    radius: float,
    material: Material,
    sides: int = 6,
    end_radius: float | None = None,
    caps: bool = False,
) -> Mesh:
    """Return a round tube from start to end, smooth normals."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    axis = (b - a) / np.linalg.norm(b - a)
    side = np.cross(axis, [0, 0, 1.0] if abs(axis[2]) < 0.9 else [1.0, 0, 0])
    side /= np.linalg.norm(side)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * np.cross(axis, side)
    low, high = a + radius * ring, b + (end_radius or radius) * ring
    mesh = quads(np.stack([low[:-1], low[1:], high[1:], high[:-1]], 1), material)
    smooth = np.stack([ring[:-1], ring[1:], ring[1:], ring[:-1]], 1)
    mesh = replace(
        mesh, normals=smooth[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3, 3).astype(np.float32)
    )
    if not caps:
        return mesh
    uv = np.tile(np.array([[0, 0], [0.1, 0], [0, 0.1]], np.float32), (sides, 1, 1))
    ends = [
        triangles(np.stack([np.tile(c, (sides, 1)), r[:-1], r[1:]], 1), uv, material)
        for c, r in ((a, low), (b, high))
    ]
    return join([mesh, *ends])


def blob(
    rng: np.random.Generator,
    radii: ArrayLike,
    centre: ArrayLike,
    material: Material,
    rough: float = 0.2,
) -> Mesh:
    """Return a lumpy ellipsoid of 80 triangles with smooth normals."""
    unit = _SPHERE * (1 + rough * rng.uniform(-1, 1, (len(_SPHERE), 1)))
    verts = unit * np.asarray(radii) + np.asarray(centre)
    corners = verts[_FACES]
    normals = _SPHERE[_FACES] + rough * rng.normal(0, 0.5, (len(_FACES), 3, 3))
    around = np.arctan2(unit[:, 1], unit[:, 0])[_FACES]
    around = np.where(around - around[:, :1] > np.pi, around - 2 * np.pi, around)
    around = np.where(around - around[:, :1] < -np.pi, around + 2 * np.pi, around)
    scale = np.asarray(radii, float).mean() / material.tile
    uv = np.stack([around * scale, corners[..., 2] / material.tile], -1)
    return triangles(corners, uv, material, normals)


def _icosphere() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the 42 vertices and 80 faces of an icosahedron subdivided once."""
    g = (1 + 5**0.5) / 2
    verts: list[tuple[float, float, float]] = [(-1, g, 0), (1, g, 0), (-1, -g, 0), (1, -g, 0)]
    verts += [(0, -1, g), (0, 1, g), (0, -1, -g), (0, 1, -g)]
    verts += [(g, 0, -1), (g, 0, 1), (-g, 0, -1), (-g, 0, 1)]
    ico = "0b5 051 017 07a 0ab 159 5b4 ba2 a76 718 394 342 326 368 389 495 24b 62a 867 981"
    points = [np.array(v) / np.hypot(1, g) for v in verts]
    faces, middle = [], {}
    for a, b, c in ([int(x, 16) for x in f] for f in ico.split()):
        mids = []
        for pair in ((a, b), (b, c), (c, a)):
            key = tuple(sorted(pair))
            if key not in middle:
                half = points[key[0]] + points[key[1]]
                middle[key] = len(points)
                points.append(half / np.linalg.norm(half))
            mids.append(middle[key])
        ab, bc, ca = mids
        faces += [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return np.array(points), np.array(faces)


_SPHERE, _FACES = _icosphere()
