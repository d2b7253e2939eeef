"""Cars: a lofted body, a glazed cabin, wheels and lights."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.synth.mesh import Material, Mesh, box, join, quads, tube

HEAD_EMIT, TAIL_EMIT = (50.0, 47.0, 40.0), (4.0, 0.2, 0.12)
# x / length and top / belt height of the body; x / length of the cabin's foot and roof
_SHAPES = {
    "hatch": (
        [(-0.5, 0.8), (-0.48, 1), (0.2, 1), (0.4, 0.92), (0.49, 0.72), (0.5, 0.5)],
        (-0.49, -0.4, 0.06, 0.25),
        1.0,
    ),
    "sedan": (
        [(-0.5, 0.7), (-0.48, 0.95), (-0.3, 1), (0.18, 1), (0.38, 0.9), (0.49, 0.72), (0.5, 0.5)],
        (-0.36, -0.22, 0.05, 0.22),
        1.0,
    ),
    "estate": (
        [(-0.5, 0.8), (-0.48, 1), (0.2, 1), (0.4, 0.92), (0.49, 0.75), (0.5, 0.5)],
        (-0.495, -0.46, 0.06, 0.23),
        1.02,
    ),
    "suv": (
        [(-0.5, 0.8), (-0.49, 1), (0.22, 1), (0.42, 0.95), (0.49, 0.85), (0.5, 0.5)],
        (-0.49, -0.43, 0.08, 0.24),
        1.2,
    ),
    "van": (
        [(-0.5, 0.9), (-0.495, 1), (0.33, 1), (0.46, 0.9), (0.49, 0.75), (0.5, 0.5)],
        (-0.498, -0.49, 0.25, 0.38),
        1.4,
    ),
}


def make_car(rng: np.random.Generator, materials: dict[str, Material]) -> Mesh:
    """Return a car of random kind and size, driving along +x; slot 1 is its paint.

    The origin is on the ground below its middle.
    """
    kind = rng.choice(list(_SHAPES), p=[0.35, 0.25, 0.15, 0.15, 0.1])
    outline, cabin, tall = _SHAPES[kind]
    length = rng.uniform(3.6, 4.3) if kind == "hatch" else rng.uniform(4.2, 5.0)
    half, belt = rng.uniform(0.82, 0.95), rng.uniform(0.82, 0.95) * (0.5 + 0.5 * tall)
    roof = rng.uniform(1.38, 1.5) * tall
    paint = replace(materials["paint"], slot=1)
    glass = replace(materials["plain"], tint=(0.025, 0.03, 0.03), gloss=0.8)
    parts = [
        *_body(np.array(outline) * [length, belt], half, paint),
        *_cabin(np.array(cabin) * length, half, belt, roof, paint, glass),
        *_wheels(length, half, materials),
        *_lamps(length, half, belt, materials),
    ]
    return join(parts)


def car_colours(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Return the paint of n cars (n, 3): mostly black, greys and white."""
    grey = rng.random(n) < 0.65
    hue = np.where(grey[:, None], 1.0, np.exp(rng.normal(0, 0.9, (n, 3))))
    value = np.where(grey, rng.choice([0.03, 0.12, 0.3, 0.75], n), rng.uniform(0.1, 0.4, n))
    return np.clip(value[:, None] * hue / hue.mean(1, keepdims=True), 0.01, 0.95)


def _body(outline: NDArray, half: float, paint: Material) -> list[Mesh]:
    """Return the lower body: rails along the outline (x, top), bevelled shoulders, end faces."""
    x, top = outline.T
    low, side, shoulder = 0.24, np.maximum(top - 0.14, 0.3), np.maximum(half - 0.13, 0.1)
    taper = half * (1 - 0.1 * (np.abs(x / x.max()) > 0.95))
    y_low, y_top = taper, taper - (half - shoulder)
    right = [
        np.stack([x, s * y, z], 1)
        for s in (1, -1)
        for y, z in ((y_low, np.full_like(x, low)), (y_low, side), (y_top, top))
    ]
    rails = [right[0], right[1], right[2], right[5], right[4], right[3]]
    parts = [quads(np.stack([a[:-1], a[1:], b[1:], b[:-1]], 1), paint) for a, b in pairwise(rails)]
    for end in (0, -1):
        ends = [
            [rails[i][end], rails[i + 1][end], rails[4 - i][end], rails[5 - i][end]]
            for i in range(2)
        ]
        parts.append(quads(np.array(ends), paint))
    return parts


def _cabin(
    x: NDArray, half: float, belt: float, roof: float, paint: Material, glass: Material
) -> list[Mesh]:
    """Return the glazed cabin: feet and roof at the four ``x``."""
    wide, slim = half - 0.1, half - 0.28
    foot = [(x[0], belt), (x[3], belt)]
    head = [(x[1], roof), (x[2], roof)]
    ring = {
        s: [(px, s * wide, z) for px, z in foot] + [(px, s * slim, z) for px, z in head]
        for s in (1, -1)
    }
    a, b = ring[1], ring[-1]
    panes = [
        [a[0], a[1], a[3], a[2]],
        [b[0], b[1], b[3], b[2]],
        [a[0], b[0], b[2], a[2]],
        [a[1], b[1], b[3], a[3]],
    ]
    top = [[a[2], a[3], b[3], b[2]]]
    parts = [quads(panes, glass), quads(top, paint)]
    parts.append(
        box((x[2] - x[1] + 0.1, 2 * slim + 0.05, 0.05), ((x[1] + x[2]) / 2, 0, roof), paint)
    )
    for at in (0.0, 0.5, 1.0):  # pillars
        low, high = x[0] + at * (x[3] - x[0]), x[1] + at * (x[2] - x[1])
        for s in (1, -1):
            parts.append(
                quads(
                    [
                        [
                            (low - 0.05, s * (wide + 0.012), belt),
                            (low + 0.05, s * (wide + 0.012), belt),
                            (high + 0.05, s * (slim + 0.012), roof),
                            (high - 0.05, s * (slim + 0.012), roof),
                        ]
                    ],
                    paint,
                )
            )
    return parts


def _wheels(length: float, half: float, materials: dict[str, Material]) -> list[Mesh]:
    """Return four wheels and the dark below the car."""
    tyre = replace(materials["plain"], tint=(0.025, 0.025, 0.025))
    hub = replace(materials["plain"], tint=(0.35, 0.35, 0.36), gloss=0.3)
    pair = []
    for s in (1, -1):
        y = s * (half + 0.01)
        pair.append(tube((0, y - s * 0.22, 0.32), (0, y, 0.32), 0.32, tyre, 12, caps=True))
        pair.append(tube((0, y, 0.32), (0, y + s * 0.01, 0.32), 0.19, hub, 8, caps=True))
    parts = [join(pair).placed(np.eye(3), (x * length, 0, 0)) for x in (-0.31, 0.31)]
    w, x = half * 0.98, length * 0.49
    dark = replace(materials["plain"], tint=(0.02, 0.02, 0.02))
    floor = [[(-x, -w, z), (x, -w, z), (x, w, z), (-x, w, z)] for z in (0.015, 0.25)]
    return [*parts, quads(floor, dark)]


def _lamps(length: float, half: float, belt: float, materials: dict[str, Material]) -> list[Mesh]:
    """Return head and tail lamps, plates, bumper lines."""
    plain, z, y = materials["plain"], belt * 0.72, half * 0.9 - 0.24
    head = replace(plain, tint=(0.8, 0.8, 0.8), gloss=0.5, emit=HEAD_EMIT)
    tail = replace(plain, tint=(0.45, 0.02, 0.02), gloss=0.3, emit=TAIL_EMIT)
    plate = replace(plain, tint=(0.7, 0.7, 0.6))
    dark = replace(plain, tint=(0.03, 0.03, 0.03))
    parts = []
    for s in (1, -1):
        parts.append(box((0.12, 0.34, 0.15), (length / 2 - 0.05, s * y, z - 0.06), head))
        parts.append(box((0.1, 0.26, 0.2), (-length / 2 + 0.04, s * y, z + 0.02), tail))
        end = s * (length / 2 - 0.03)
        parts.append(box((0.1, 0.5, 0.11), (end, 0, 0.5), plate))
        parts.append(box((0.1, 2 * half * 0.88, 0.16), (end, 0, 0.33), dark))
    return parts
