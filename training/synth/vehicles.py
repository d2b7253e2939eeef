"""Lorries, vans and buses.

Each function returns a mesh that drives along +x, the origin on the ground below its middle.
Slot 1 is the paint of the cab or body, slot 2 that of the load.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from training.synth.cars import HEAD_EMIT, TAIL_EMIT
from training.synth.mesh import Material, Mesh, box, join, prism, quads, tube
from training.synth.paint import MIXES

Rng = np.random.Generator
Materials = dict[str, Material]


def dark(materials: Materials, value: float = 0.03, gloss: float = 0.0) -> Material:
    """Return a plain dark material: rubber, chassis, or, with gloss, glass."""
    return replace(materials["plain"], tint=(value, value, value * 1.1), gloss=gloss)


def lorry(rng: Rng, materials: Materials) -> Mesh:
    """Return a rigid or articulated lorry with a box, a tarpaulin, a tank or an open bed."""
    long = rng.random() < 0.4
    load = rng.uniform(11, 13.6) if long else rng.uniform(3.6, 7.5)
    cab, gap = rng.uniform(1.7, 2.3), 0.7 if long else 0.12
    half, floor, top = rng.uniform(1.05, 1.27), rng.uniform(0.9, 1.25), rng.uniform(2.9, 4.0)
    length = load + gap + cab
    rear, front = -length / 2, length / 2
    parts = [
        _cab(rng, materials, front, cab, half * 0.97, min(top, rng.uniform(2.3, 3.5))),
        box((length - 0.6, 1.0, 0.3), (-0.2, 0, 0.75), dark(materials)),
        *_load(rng, materials, (rear, load), half, floor, top),
        *_tail(rng, materials, rear, half, floor),
    ]
    axles = [front - 1.0, rear + 1.2] + ([rear + 2.4, rear + 3.6, front - 3.0] if long else [])
    return join([*parts, *wheels(axles, half, rng.uniform(0.42, 0.52), materials)])


def _load(
    rng: Rng, materials: Materials, at: tuple[float, float], half: float, floor: float, top: float
) -> list[Mesh]:
    """Return what stands on the bed, ``at`` its rear end and length."""
    rear, length = at
    mid, kind = (
        rear + length / 2,
        rng.choice(["box", "tarp", "tank", "open"], p=[0.4, 0.3, 0.1, 0.2]),
    )
    side = replace(materials["paint"], slot=2)
    bed = box((length, 2 * half, 0.14), (mid, 0, floor), dark(materials, 0.08))
    if kind == "tank":
        r = min(half, (top - floor) / 2)
        steel = replace(materials["paint"], slot=2, gloss=0.5)
        ends = (rear, 0, floor + r), (rear + length, 0, floor + r)
        return [bed, tube(*ends, r, steel, 14, caps=True)]
    if kind == "open":
        m = materials[f"mix{rng.integers(MIXES)}"]
        high = rng.uniform(0.3, 1.2)
        heap = box(
            (length * 0.8, 1.7 * half, high), (mid, 0, floor + high / 2), replace(m, tile=2)
        )
        board = rng.uniform(0.4, 0.8)
        walls = [
            box((length, 0.05, board), (mid, s * half, floor + board / 2), side) for s in (1, -1)
        ]
        boards = [
            box((0.05, 2 * half, board), (x, 0, floor + board / 2), side)
            for x in (rear, rear + length)
        ]
        return [bed, heap, *walls, *boards]
    if kind == "tarp":
        cloth = (
            materials["paint"] if rng.random() < 0.6 else materials[f"mix{rng.integers(MIXES)}"]
        )
        side = replace(cloth, slot=2, tile=3.0, gloss=0.0)
    body = box((length, 2 * half, top - floor), (mid, 0, (top + floor) / 2), side, rng.random())
    steel = replace(materials["metal"], tint=(0.8, 0.8, 0.8))
    rims = [
        box((0.06, 0.1, top - floor), (rear - 0.01, y, (top + floor) / 2), steel)
        for y in (-half + 0.03, 0.0, half - 0.03)
    ]
    ribs = [
        box((0.06, 2 * half + 0.04, top - floor + 0.02), (x, 0, (top + floor) / 2), side)
        for x in np.arange(rear + 0.8, rear + length, 1.3)
        if kind == "tarp"
    ]
    return [bed, body, *rims, *ribs]


def _cab(
    rng: Rng, materials: Materials, front: float, long: float, half: float, high: float
) -> Mesh:
    """Return a lorry's cab that ends at ``front``."""
    paint, glass = replace(materials["paint"], slot=1), dark(materials, 0.025, 0.8)
    back, slope = front - long, rng.uniform(0.05, 0.3)
    belt = 0.45 * high + 0.45
    outline = [(back, 0.45), (front, 0.45), (front, belt), (front - slope, high), (back, high)]
    low, up, w = belt + 0.05, high - 0.3, half - 0.12
    x = [front - slope * (z - belt) / (high - belt) + 0.015 for z in (low, up)]
    panes = [[(x[0], -w, low), (x[0], w, low), (x[1], w, up), (x[1], -w, up)]]
    for s in (1, -1):
        y = s * (half + 0.01)
        side = [(front - 1.15, low), (front - 0.25, low), (x[1] - 0.2, up), (front - 1.15, up)]
        panes.append([(px, y, pz) for px, pz in side])
    head = replace(materials["plain"], tint=(0.8, 0.8, 0.8), gloss=0.5, emit=HEAD_EMIT)
    lamps = [box((0.08, 0.35, 0.2), (front, s * (half - 0.3), 0.8), head) for s in (1, -1)]
    grille = box((0.05, half, 0.5), (front, 0, 0.5 * belt + 0.3), dark(materials))
    mirrors = [
        box((0.12, 0.22, 0.5), (front - 0.1, s * (half + 0.2), belt + 0.4), dark(materials))
        for s in (1, -1)
    ]
    return join([prism(outline, half, paint), quads(panes, glass), *lamps, grille, *mirrors])


def _tail(rng: Rng, materials: Materials, rear: float, half: float, floor: float) -> list[Mesh]:
    """Return the rear of a lorry: lamps, bar, plate, perhaps striped warning boards."""
    plain = materials["plain"]
    red = replace(plain, tint=(0.45, 0.02, 0.02), gloss=0.3, emit=TAIL_EMIT)
    plate = replace(plain, tint=(0.7, 0.7, 0.55))
    parts = [box((0.12, 2 * half - 0.2, 0.14), (rear + 0.15, 0, 0.5), dark(materials))]
    parts += [box((0.1, 0.4, 0.16), (rear, s * (half - 0.35), 0.72), red) for s in (1, -1)]
    parts.append(box((0.06, 0.5, 0.12), (rear, 0, 0.6), plate))
    parts.append(box((0.1, 2 * half, 0.5), (rear + 0.8, 0, 0.6), dark(materials)))
    if rng.random() < 0.4:
        at = np.linspace(-half, half, 11)
        for k, (a, b) in enumerate(pairwise(at)):
            tint = (0.8, 0.55, 0.03) if k % 2 else (0.6, 0.03, 0.03)
            z = floor - 0.15
            corners = [
                (rear - 0.02, y, zz) for y, zz in ((a, z), (b, z), (b, z + 0.16), (a, z + 0.16))
            ]
            parts.append(quads([corners], replace(plain, tint=tint)))
    return parts


def wheels(axles: list[float], half: float, radius: float, materials: Materials) -> list[Mesh]:
    """Return a pair of wheels at each of ``axles``, metres along x."""
    tyre, hub = (
        dark(materials, 0.025),
        replace(materials["plain"], tint=(0.3, 0.3, 0.3), gloss=0.3),
    )
    parts = []
    for s in (1, -1):
        y, z = s * half, radius
        for x in axles:
            parts.append(tube((x, y - s * 0.3, z), (x, y, z), radius, tyre, 12, caps=True))
            parts.append(tube((x, y, z), (x, y + s * 0.01, z), radius * 0.55, hub, 8, caps=True))
    return parts


def van(rng: Rng, materials: Materials) -> Mesh:
    """Return a delivery van or minibus."""
    length, half, top = rng.uniform(4.6, 6.6), rng.uniform(0.9, 1.02), rng.uniform(1.9, 2.7)
    paint, glass = replace(materials["paint"], slot=1), dark(materials, 0.025, 0.8)
    rear, front = -length / 2, length / 2
    nose, foot = front - rng.uniform(0.7, 1.0), rng.uniform(1.0, 1.15)
    peak = nose - rng.uniform(0.5, 0.9)
    outline = [(rear, 0.35), (front, 0.35), (front, 0.75), (nose, foot), (peak, top), (rear, top)]
    f = np.array([0.08, 0.8])
    x, z = nose + (peak - nose) * f + 0.02, foot + (top - foot) * f + 0.02
    w = half - 0.1
    panes = [[(x[0], -w, z[0]), (x[0], w, z[0]), (x[1], w, z[1]), (x[1], -w, z[1])]]
    rows = [(peak - 0.9, peak + 0.15)]
    if rng.random() < 0.4:  # a minibus
        rows += [(a, a + 0.95) for a in np.arange(rear + 0.3, peak - 2.0, 1.1)]
    for s in (1, -1):
        y, up = s * (half + 0.01), min(z[1], 1.85)
        panes += [
            [(a, y, foot + 0.1), (b, y, foot + 0.1), (b, y, up), (a, y, up)] for a, b in rows
        ]
    if rng.random() < 0.6:
        for s in (1, -1):
            a, b, low, up = s * 0.08, s * (half - 0.15), 1.15, min(top - 0.25, 1.9)
            back = rear - 0.01
            panes.append([(back, a, low), (back, b, low), (back, b, up), (back, a, up)])
    plain = materials["plain"]
    red = replace(plain, tint=(0.45, 0.02, 0.02), gloss=0.3, emit=TAIL_EMIT)
    head = replace(plain, tint=(0.8, 0.8, 0.8), gloss=0.5, emit=HEAD_EMIT)
    parts = [prism(outline, half, paint), quads(panes, glass)]
    for s in (1, -1):
        parts.append(box((0.06, 0.14, 0.5), (rear, s * (half - 0.08), 1.0), red))
        parts.append(box((0.08, 0.32, 0.2), (front - 0.02, s * (half - 0.25), 0.72), head))
    parts.append(box((0.1, 1.9 * half, 0.2), (rear, 0, 0.42), dark(materials)))
    parts.append(box((0.1, 1.9 * half, 0.25), (front, 0, 0.42), dark(materials)))
    parts.append(box((0.04, 0.02, top - 0.7), (rear, 0, top / 2 + 0.2), dark(materials)))
    parts.append(
        box((0.05, 0.5, 0.11), (rear - 0.02, 0, 0.75), replace(plain, tint=(0.7, 0.7, 0.55)))
    )
    floor = box((length * 0.98, 1.9 * half, 0.3), (0, 0, 0.35), dark(materials, 0.02))
    return join([*parts, floor, *wheels([rear + 0.9, front - 0.85], half, 0.34, materials)])


def bus(rng: Rng, materials: Materials) -> Mesh:
    """Return a city bus or a coach, some with two decks."""
    length, half = rng.uniform(8.5, 12.5), rng.uniform(1.2, 1.28)
    decks = 2 if rng.random() < 0.2 else 1
    top = rng.uniform(2.8, 3.4) if decks == 1 else rng.uniform(4.1, 4.4)
    paint, glass = replace(materials["paint"], slot=1), dark(materials, 0.03, 0.8)
    rear, front = -length / 2, length / 2
    outline = [(rear, 0.3), (front, 0.3), (front, top - 0.15), (front - 0.25, top), (rear, top)]
    panes = [
        [
            (front + 0.01, y, z)
            for y, z in (
                (-half + 0.1, 1.0),
                (half - 0.1, 1.0),
                (half - 0.1, 2.5),
                (-half + 0.1, 2.5),
            )
        ],
        [
            (rear - 0.01, y, z)
            for y, z in (
                (-half + 0.25, 1.5),
                (half - 0.25, 1.5),
                (half - 0.25, 2.4),
                (-half + 0.25, 2.4),
            )
        ],
    ]
    step, low = rng.uniform(1.1, 1.7), rng.uniform(1.1, 1.4)
    for deck in range(decks):
        z0, z1 = (low, low + 1.05) if deck == 0 else (top - 1.5, top - 0.5)
        for a in np.arange(rear + 0.3, front - step, step):
            for s in (1, -1):
                y = s * (half + 0.01)
                panes.append(
                    [(a, y, z0), (a + step - 0.1, y, z0), (a + step - 0.1, y, z1), (a, y, z1)]
                )
    stripe = replace(materials["paint"], slot=2)
    plain = materials["plain"]
    red = replace(plain, tint=(0.45, 0.02, 0.02), gloss=0.3, emit=TAIL_EMIT)
    head = replace(plain, tint=(0.8, 0.8, 0.8), gloss=0.5, emit=HEAD_EMIT)
    board = replace(plain, tint=(0.02, 0.02, 0.02))
    parts = [prism(outline, half, paint), quads(panes, glass)]
    parts.append(box((length + 0.02, 2 * half + 0.02, 0.25), (0, 0, low - 0.3), stripe))
    parts.append(box((0.04, 1.4, 0.3), (front, 0, top - 0.35), board))
    for s in (1, -1):
        parts.append(box((0.06, 0.18, 0.4), (rear, s * (half - 0.15), 1.0), red))
        parts.append(box((0.06, 0.35, 0.2), (front, s * (half - 0.3), 0.7), head))
    parts.append(box((0.08, 1.9 * half, 0.3), (rear, 0, 0.5), dark(materials)))
    return join([*parts, *wheels([rear + 2.4, front - 2.2], half, 0.48, materials)])
