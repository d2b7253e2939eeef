"""What the dark of one sequence is like: lamps, lens, exposure; none of it plays a part by day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PERIOD_M = 170.0
_STEPS = (0.05, 0.25)


@dataclass(frozen=True)
class Night:
    """The night of one sequence.

    Attributes:
        ambient: light of the night sky over the town, against 1 by day.
        max_gain: where the auto exposure stops; what is unlit stays dark.
        follow: share of the way to the wanted gain covered per frame, of a metering that is
            ``lag`` frames old.
        wander: deviation of the random change of log gain from frame to frame.
        step_chance: chance per frame of a sudden step of the gain, by 5 to 25 %.
        black: level clamped to black, in deviations of the read noise.
        bloom: glow around saturated lamps against that by day.
        veil: share of the light of saturated lamps spread over the whole image; ``ghost``
            reflected through the image's centre; ``smear`` down and up the sensor's columns.
        headlight: power of the own headlights against the usual; ``aim`` their yaw and pitch, rad.
        unlit: share of the street, in stretches, whose lamps are off.
    """

    ambient: float
    max_gain: float
    follow: float
    lag: int
    wander: float
    step_chance: float
    black: float
    bloom: float
    veil: float
    ghost: float
    smear: float
    headlight: float
    aim: tuple[float, float]
    unlit: float


def draw_night(rng: np.random.Generator) -> Night:
    """Return the draws of one night."""
    return Night(
        ambient=float(np.exp(rng.uniform(np.log(8e-4), np.log(4e-3)))),
        max_gain=float(np.exp(rng.uniform(np.log(2.0), np.log(6.0)))),
        follow=rng.uniform(0.05, 0.3),
        lag=int(rng.integers(1, 5)),
        wander=rng.uniform(0.005, 0.05),
        step_chance=rng.uniform(0.02, 0.15),
        black=rng.uniform(0.0, 1.0),
        bloom=float(np.exp(rng.uniform(0.0, np.log(5.0)))),
        veil=rng.uniform(0.0, 0.03),
        ghost=rng.uniform(0.002, 0.012) if rng.random() < 0.6 else 0.0,
        smear=rng.uniform(0.002, 0.012) if rng.random() < 0.35 else 0.0,
        headlight=float(np.exp(rng.normal(0.25, 0.3))),
        aim=tuple(np.radians(rng.normal(0, (1.5, 0.6)))),
        unlit=float(rng.choice([0.0, 0.35, 0.65, 1.0], p=[0.2, 0.35, 0.35, 0.1])),
    )


def wander(night: Night, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how far log gain is off (n,): a random walk that is pulled back, with steps."""
    change = rng.normal(0, night.wander, n)
    step = np.log1p(rng.uniform(*_STEPS, n)) * rng.choice([-1, 1], n)
    change += step * (rng.random(n) < night.step_chance)
    off = np.zeros(n)
    for i in range(1, n):
        off[i] = 0.9 * off[i - 1] + change[i]
    return off


def lamps_lit(night: Night, s: NDArray, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return whether the lamps at each ``s`` (n,), metres along the road, rising, are on."""
    ends, at = [], float(s[0]) - rng.uniform(0, _PERIOD_M)
    while at < s[-1]:
        for share in (1 - night.unlit, night.unlit):
            at += share * _PERIOD_M * rng.uniform(0.5, 1.5)
            ends.append(at)
    return np.searchsorted(ends, s, side="right") % 2 == 0
