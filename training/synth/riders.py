"""Motorcycles and bicycles with their riders, driving along +x.

Slot 1 is the paint of the frame, slot 2 the rider's coat.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from training.synth.cars import HEAD_EMIT, TAIL_EMIT
from training.synth.mesh import Mesh, blob, box, join, tube
from training.synth.vehicles import Materials, Rng, dark


def motorcycle(rng: Rng, materials: Materials) -> Mesh:
    """Return a motorcycle or scooter with its rider."""
    paint, tyre = replace(materials["paint"], slot=1), dark(materials)
    head = replace(materials["plain"], tint=(0.8, 0.8, 0.8), emit=HEAD_EMIT)
    red = replace(materials["plain"], tint=(0.45, 0.02, 0.02), emit=TAIL_EMIT)
    parts = [
        tube((x, -0.07, 0.31), (x, 0.07, 0.31), 0.31, tyre, 10, caps=True) for x in (-0.68, 0.68)
    ]
    parts.append(box((0.9, 0.32, 0.4), (0.1, 0, 0.62), paint))
    parts.append(box((0.7, 0.28, 0.16), (-0.45, 0, 0.8), tyre))
    parts.append(tube((0.68, 0, 0.31), (0.45, 0, 0.95), 0.05, tyre, 5))
    parts.append(tube((0.42, -0.36, 1.02), (0.42, 0.36, 1.02), 0.03, tyre, 5))
    parts.append(box((0.12, 0.16, 0.16), (0.62, 0, 0.88), head))
    parts.append(box((0.06, 0.16, 0.08), (-0.82, 0, 0.82), red))
    parts.append(
        box((0.02, 0.2, 0.14), (-0.86, 0, 0.62), replace(materials["plain"], tint=(0.7, 0.7, 0.6)))
    )
    if rng.random() < 0.5:
        parts.append(box((0.35, 0.4, 0.32), (-0.78, 0, 1.08), dark(materials, 0.05)))
    return join([*parts, *_rider(rng, materials, 0.85, 0.35, helmet=True)])


def bicycle(rng: Rng, materials: Materials) -> Mesh:
    """Return a bicycle with its rider."""
    frame, tyre = replace(materials["paint"], slot=1), dark(materials)
    angle = np.linspace(0, 2 * np.pi, 11)
    parts = []
    for x in (-0.5, 0.52):
        rim = np.stack([x + 0.33 * np.cos(angle), 0 * angle, 0.34 + 0.33 * np.sin(angle)], 1)
        parts += [tube(a, b, 0.025, tyre, 4) for a, b in pairwise(rim)]
    bars = [
        ((-0.5, 0.34), (-0.08, 0.3)), ((-0.08, 0.3), (-0.22, 0.85)), ((-0.08, 0.3), (0.38, 0.78)),
        ((-0.2, 0.78), (0.38, 0.8)), ((-0.5, 0.34), (-0.22, 0.8)), ((0.52, 0.34), (0.36, 0.98)),
    ]  # fmt: skip
    parts += [tube((a, 0, b), (c, 0, d), 0.022, frame, 5) for (a, b), (c, d) in bars]
    parts.append(tube((0.36, -0.28, 1.0), (0.36, 0.28, 1.0), 0.02, tyre, 4))
    parts.append(box((0.26, 0.14, 0.06), (-0.24, 0, 0.9), tyre))
    red = replace(materials["plain"], tint=(0.45, 0.02, 0.02), emit=TAIL_EMIT)
    parts.append(box((0.04, 0.06, 0.06), (-0.4, 0, 0.78), red))
    return join(
        [*parts, *_rider(rng, materials, 0.92, 0.5 * rng.uniform(0.2, 1.0), rng.random() < 0.5)]
    )


def _rider(rng: Rng, materials: Materials, seat: float, lean: float, helmet: bool) -> list[Mesh]:
    """Return somebody who sits ``seat`` metres high and leans forward."""
    coat = replace(materials["paint"], slot=2)
    legs = replace(materials["paint"], tint=tuple(rng.uniform(0.02, 0.2, 3)))
    tone = rng.uniform(0.15, 0.5) * np.array([1, 0.7, 0.55])
    top = replace(
        materials["paint"], tint=tuple(rng.uniform(0.02, 0.8, 3) if helmet else tone * 0.3)
    )
    hip, neck = (-0.25, 0, seat), (-0.25 + lean, 0, seat + 0.55)
    parts = [tube(hip, neck, 0.17, coat, 8, 0.2, caps=True)]
    for s, down in ((1, 0.3), (-1, 0.5)):
        knee = (0.15, s * 0.16, seat - 0.45 + 0.4 * down)
        parts.append(tube((-0.22, s * 0.1, seat), knee, 0.085, legs, 5, 0.06))
        parts.append(tube(knee, (0.0, s * 0.13, down), 0.06, legs, 5))
        hand = (0.38, s * 0.26, 1.03)
        parts.append(tube((neck[0], s * 0.2, neck[2] - 0.06), hand, 0.055, coat, 5))
    at = (neck[0] + 0.06, 0, neck[2] + 0.2)
    return [*parts, blob(rng, (0.13, 0.12, 0.15) if helmet else (0.1, 0.09, 0.13), at, top, 0.04)]
