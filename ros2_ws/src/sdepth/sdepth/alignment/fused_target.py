"""What ``Problem`` makes of a target, compiled for one core, and how the search is compiled.

The compiler's cache notices changes of a function's own file alone. Compiled files therefore call
nothing compiled of other files, and get constants as arguments, the numbers of ``Limits``.
Features are (h, w, C), so that a core reads all channels of a pixel at once. Their number is the
length of the tuple ``lanes``: the compiler knows lengths of tuples, and unrolls what it knows.
"""
# ruff: noqa: ANN001, ANN201, ANN202 - the compiler infers the types
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
UPPER = 21  # entries of a symmetric 6 x 6 matrix, row by row from the diagonal
_REORDER = {"reassoc", "contract", "arcp", "nsz"}  # sums in any order; NaN and infinity stay


def jit(function: Callable[..., Any]) -> Any:
    """Return the function, compiled at its first call; kept on disk where that can be written."""
    try:
        return njit(cache=True, nogil=True, fastmath=_REORDER)(function)
    except RuntimeError:  # no folder to write to: each process compiles
        return njit(nogil=True, fastmath=_REORDER)(function)


class Limits(NamedTuple):
    """Constants of ``residual``: its margin (pixels), the least depth (metres), and what is 0."""

    margin: float
    min_z: float
    tiny: float


class Pixels(NamedTuple):
    """The M pixels of a target that count, with all that no motion changes.

    Attributes:
        points: (M, 3), metres, float64; z = 0 where depth is not known.
        maps: (M, 3, C), float32, as all below: features, and their change along u and v.
        J: (12, M): change of u, then of v, with the motion.
        JtJ: (21, M): upper triangle.
        confidence: (M,).
        K: fx, fy, cx, cy, pixels.
    """

    points: Array
    maps: Array
    J: Array
    JtJ: Array
    confidence: Array
    K: tuple[float, float, float, float]


@jit
def prepare(target, confidence, depth, K, cell, limits, lanes):
    """Return the ``Pixels`` of a target (h, w, C): of each cell the most telling one.

    Confidence and depth are (h, w), K is (fx, fy, cx, cy).
    """
    h, w = depth.shape
    fx, fy, cx, cy = K
    columns = w // cell
    count = h // cell * columns
    points = np.zeros((count, 3))
    maps = np.zeros((count, 3, len(lanes)), np.float32)
    J, JtJ = np.zeros((12, count), np.float32), np.zeros((UPPER, count), np.float32)
    trust = np.zeros(count, np.float32)
    telling = _telling(target, confidence, depth, limits.min_z, lanes) if cell > 1 else depth
    along = np.zeros((2, 6), np.float32)
    for i in range(count):
        top, left = i // columns * cell, i % columns * cell
        u, v = left, top
        for y in range(top, top + cell):
            for x in range(left, left + cell):
                if telling[y, x] > telling[v, u]:
                    u, v = x, y
        if not _known(depth, v, u, limits.min_z):
            continue
        uu, uv, vv = np.float32(0), np.float32(0), np.float32(0)
        z, x_z, y_z = float(depth[v, u]), (u - cx) / fx, (v - cy) / fy
        points[i, 0], points[i, 1], points[i, 2], trust[i] = z * x_z, z * y_z, z, confidence[v, u]
        J_u = (fx / z, 0.0, -fx / z * x_z, -fx * x_z * y_z, fx * (1 + x_z * x_z), -fx * y_z)
        J_v = (0.0, fy / z, -fy / z * y_z, -fy * (1 + y_z * y_z), fy * x_z * y_z, fy * x_z)
        for c in range(len(lanes)):
            du = np.float32(0.5) * (target[v, u + 1, c] - target[v, u - 1, c])
            dv = np.float32(0.5) * (target[v + 1, u, c] - target[v - 1, u, c])
            maps[i, 0, c], maps[i, 1, c], maps[i, 2, c] = target[v, u, c], du, dv
            uu, uv, vv = uu + du * du, uv + du * dv, vv + dv * dv
        for a in range(6):
            J[a, i], J[6 + a, i] = J_u[a], J_v[a]
            along[0, a], along[1, a] = uu * J_u[a] + uv * J_v[a], uv * J_u[a] + vv * J_v[a]
        k = 0
        for a in range(6):
            for b in range(a, 6):
                JtJ[k, i] = J_u[a] * along[0, b] + J_v[a] * along[1, b]
                k += 1
    return Pixels(points, maps, J, JtJ, trust, K)


@jit
def _telling(target, confidence, depth, min_z, lanes):
    """Return how much features change at each pixel (h, w), 0 where its depth is not known."""
    h, w = depth.shape
    C = len(lanes)
    found = np.zeros((h, w), np.float32)
    squares = np.empty((w - 2) * C, np.float32)
    for v in range(1, h - 1):
        row = target[v].reshape(-1)  # flat: long loops fill a core's vectors
        left, right = row[: -2 * C], row[2 * C :]
        above, below = target[v - 1].reshape(-1)[C:-C], target[v + 1].reshape(-1)[C:-C]
        for k in range(len(squares)):
            du, dv = right[k] - left[k], below[k] - above[k]
            squares[k] = du * du + dv * dv
        for u in range(1, w - 1):
            if _known(depth, v, u, min_z):
                total = np.float32(0)
                for c in range(C):
                    total += squares[(u - 1) * C + c]
                found[v, u] = total * confidence[v, u]
    return found


@jit
def _known(depth, v, u, min_z):
    """Return whether a pixel has depth and neighbours."""
    inner = 0 < v < depth.shape[0] - 1 and 0 < u < depth.shape[1] - 1
    return inner and min_z < depth[v, u] < np.inf
