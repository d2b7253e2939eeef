"""Many objects placed in the world at once, as the shader takes them."""
# ruff: noqa: ANN001, ANN202 - the compiler infers the types

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from training.synth.mesh import Mesh, join

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Placed:
    """n triangles in the world, uv affine on each: uv = uv0 (n, 2) + grad (n, 2, 3) @ p."""

    corners: Array
    normals: Array
    uv0: Array
    grad: Array
    texture: NDArray[np.int32]
    tint: Array
    emit: Array
    gloss: Array
    ground: NDArray[np.bool_]

    def shaded(self) -> tuple[NDArray[Any], ...]:
        """Return the arrays as ``shade`` takes them: all but the corners."""
        return _arrays(self)[1:]


@dataclass(frozen=True)
class Batch:
    """n objects: meshes, rotations R (n, 3, 3), places t (n, 3), sizes scale (n, 3).

    ``colours`` (n, 2, 3) are those of the slots 1 and 2; ``glow`` (n, 3) multiplies their light.
    """

    meshes: list[Mesh]
    R: NDArray
    t: NDArray
    scale: NDArray
    colours: NDArray
    glow: NDArray


def batch(
    meshes: list[Mesh],
    R: NDArray,
    t: NDArray,
    scale: ArrayLike = 1.0,
    colours: ArrayLike = 1.0,
    glow: ArrayLike = 1.0,
) -> Batch:
    """Return a batch; scale, colours and glow as whatever broadcasts to their shapes."""
    n = len(meshes)
    shapes = ((n, 3), (n, 2, 3), (n, 3))
    wide = [np.broadcast_to(a, s) for a, s in zip((scale, colours, glow), shapes, strict=True)]
    return Batch(meshes, R, t, *wide)


def place(batches: list[Batch], hue: NDArray) -> Placed:
    """Return the triangles of all objects; ``hue`` (textures, 3) tints each texture."""
    meshes = [m for b in batches for m in b.meshes]
    unique = list({id(m): m for m in meshes}.values())
    number = {id(m): i for i, m in enumerate(unique)}
    which = np.array([number[id(m)] for m in meshes], np.int64)
    count = np.array([len(m.texture) for m in unique], np.int64)
    rows = tuple(
        np.concatenate([np.asarray(getattr(b, f.name), np.float32) for b in batches])
        for f in fields(Batch)[1:]
    )
    n, f32 = int(count[which].sum()), np.float32
    sides = ((3, 3), (3, 3), (2,), (2, 3), (), (3,), (3,), (), ())
    kinds = (f32, f32, f32, f32, np.int32, f32, f32, f32, np.bool_)
    out = Placed(*(np.empty((n, *s), k) for s, k in zip(sides, kinds, strict=True)))
    mesh = _arrays(join(unique))
    _place(mesh, np.cumsum(count) - count, count, which, rows, hue.astype(f32), _arrays(out))
    return out


def _arrays(of: Mesh | Placed) -> tuple[NDArray[Any], ...]:
    """Return the arrays of triangles in order."""
    return tuple(getattr(of, f.name) for f in fields(of))


@njit(cache=True, nogil=True)
def _place(mesh, first, count, which, rows, hue, out):
    """Write every object's triangles to ``out``."""
    corners, uv, normals, texture, tint, emit, gloss, ground, slot = mesh
    R, t, scale, colours, glow = rows
    at = 0
    for i in range(len(which)):
        for k in range(first[which[i]], first[which[i]] + count[which[i]]):
            for v in range(3):
                for c in range(3):
                    p, q = t[i, c], np.float32(0)
                    for a in range(3):
                        p += R[i, c, a] * scale[i, a] * corners[k, v, a]
                        q += R[i, c, a] / scale[i, a] * normals[k, v, a]
                    out[0][at, v, c] = p
                    out[1][at, v, c] = q
            for c in range(3):
                out[5][at, c] = tint[k, c] * hue[texture[k], c]
                if slot[k] > 0:
                    out[5][at, c] *= colours[i, slot[k] - 1, c]
                out[6][at, c] = emit[k, c] * glow[i, c]
            out[4][at], out[7][at], out[8][at] = texture[k], gloss[k], ground[k]
            _uv_gradient(out[0][at], uv[k], out[2][at], out[3][at])
            at += 1


@njit(cache=True, nogil=True)
def _uv_gradient(corners, uv, uv0, grad):
    """Write uv0 (2,) and grad (2, 3) with uv = uv0 + grad @ p on the triangle (3, 3)."""
    a = b = d = 0.0
    for c in range(3):
        e1, e2 = corners[1, c] - corners[0, c], corners[2, c] - corners[0, c]
        a += e1 * e1
        b += e1 * e2
        d += e2 * e2
    det = max(a * d - b * b, 1e-12)
    for j in range(2):
        u1, u2 = uv[1, j] - uv[0, j], uv[2, j] - uv[0, j]
        base = float(uv[0, j])
        for c in range(3):
            e1, e2 = corners[1, c] - corners[0, c], corners[2, c] - corners[0, c]
            g = (u1 * (d * e1 - b * e2) + u2 * (a * e2 - b * e1)) / det
            grad[j, c] = g
            base -= g * corners[0, c]
        uv0[j] = base
