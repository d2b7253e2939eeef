"""Textures, compiled: bilinear taps of mip levels along the footprint of a sample.

The compiler's cache of ``shade`` notices changes of its own file only: touch that after one here.
"""
# ruff: noqa: ANN001, ANN201 - the compiler infers the types

from __future__ import annotations

import math

import numpy as np
from numba import njit

MAX_TAPS = 6
_BLUNT = 1.4
"""How much longer than wide the footprint of one tap may be."""
_jit = njit(cache=True, fastmath=True, nogil=True)


@_jit
def bilinear(data, offset, h, w, u, v, out):
    """Add one bilinear tap at (u, v), tiles, of one mip level to ``out`` (4,)."""
    x, y = u * w - np.float32(0.5), v * h - np.float32(0.5)
    fx, fy = math.floor(x), math.floor(y)
    ax, ay = np.float32(x - fx), np.float32(y - fy)
    x0, y0 = int(fx) & (w - 1), int(fy) & (h - 1)
    x1, y1 = (x0 + 1) & (w - 1), (y0 + 1) & (h - 1)
    a, b = offset + y0 * w, offset + y1 * w
    w00, w01 = (1 - ax) * (1 - ay), ax * (1 - ay)
    w10, w11 = (1 - ax) * ay, ax * ay
    for c in range(4):
        out[c] += (
            w00 * data[a + x0, c]
            + w01 * data[a + x1, c]
            + w10 * data[b + x0, c]
            + w11 * data[b + x1, c]
        )


@_jit
def texture(atlas, tex, u, v, diff, tap, out):
    """Write the filtered texture at (u, v) to ``out`` (4,), rgb linear.

    ``diff`` (2, 2) is the change of (u, v) over one sample to the right and one down.
    """
    data, table, levels = atlas[0], atlas[1], atlas[2]
    ux, vx, uy, vy = diff[0, 0], diff[0, 1], diff[1, 0], diff[1, 1]
    h, w = table[tex, 0, 1], table[tex, 0, 2]
    ax, bx, ay, by = ux * w, vx * h, uy * w, vy * h
    lx, ly = math.sqrt(ax * ax + bx * bx), math.sqrt(ay * ay + by * by)
    if lx > ly:
        major, minor, du, dv = lx, ly, ux, vx
    else:
        major, minor, du, dv = ly, lx, uy, vy
    # area over the longer axis is the width across it
    minor = max(min(minor, abs(ax * by - ay * bx) / max(major, 1e-6)), 1e-3)
    taps = min(MAX_TAPS, max(1, math.ceil(major / (_BLUNT * max(minor, 1.0)) - 0.01)))
    lod = math.log2(max(max(minor, major / taps), 1.0))
    level = min(int(lod), levels[tex] - 1)
    mix = np.float32(min(lod - level, 1.0))
    if level + 1 >= levels[tex]:
        mix = np.float32(0)
    for c in range(4):
        out[c] = 0
    for part in range(2):
        weight = (1 - mix if part == 0 else mix) / np.float32(taps * 255.0)
        if weight < 1e-5:
            continue
        at = level + part
        o, h, w = table[tex, at, 0], table[tex, at, 1], table[tex, at, 2]
        for c in range(4):
            tap[c] = 0
        for k in range(taps):
            f = np.float32((k + 0.5) / taps - 0.5)
            bilinear(data, o, h, w, u + f * du, v + f * dv, tap)
        for c in range(4):
            out[c] += weight * tap[c]
    for c in range(3):
        out[c] *= out[c]
