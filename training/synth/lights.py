"""The light of one frame: sky, sun, haze by daylight; lamps and headlights by night."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synth.config import SequenceConfig

_HEADLIGHT = 75.0
_NEAR_LAMPS, _NEAR_CARS = 14, 8
_LAMP_REACH_M = 160.0


@dataclass(frozen=True)
class Light:
    """What ``shade`` needs of the light, but for the lamps; ``lamps_on`` 0..1."""

    ambient: NDArray[np.float32]
    sun: NDArray[np.float32]
    sky: NDArray[np.float32]
    haze_m: float
    lamps_on: float


def light_at(cfg: SequenceConfig, daylight: float) -> Light:
    """Return the light at ``daylight`` from 1 (full day) to 0 (full night)."""
    rng = cfg.stream("light")
    rng.uniform(size=32)
    hue = np.exp(rng.normal(0, 0.08, 3))
    dim = cfg.night.ambient ** (1 - daylight)
    share, blue = cfg.sun_share, min(cfg.sun_share / 0.5, 1.0)
    low = np.exp(-cfg.sun_elevation_deg / 15) + 2 * (1 - daylight)
    warm = np.array([1.0, 1 - 0.1 * low, 1 - 0.25 * low]).clip(0.2)
    e = np.radians(max(cfg.sun_elevation_deg * (0.3 + 0.7 * daylight), 5))
    a = np.radians(cfg.sun_azimuth_deg)
    to_sun = [np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)]
    grey = np.array([0.95, 0.97, 1.0])
    zenith = (blue * np.array([0.22, 0.42, 0.85]) + (1 - blue) * 1.5 * grey) * hue
    horizon = (blue * np.array([0.72, 0.84, 0.98]) + (1 - blue) * 1.6 * grey) * hue
    town = np.array([1.0, 0.75, 0.5]) * rng.uniform(0.5, 3) * cfg.night.ambient
    clouds = grey * rng.uniform(0.9, 1.15) * (1 + 0.5 * (1 - blue))
    sky = np.concatenate(
        [
            zenith * dim * rng.uniform(0.7, 1.1),
            horizon * dim + (1 - daylight) * town,
            clouds * dim + 0.5 * (1 - daylight) * town,
            [cfg.cloud_cover, 1.2 * share * dim * daylight, rng.random()],
        ]
    )
    above = (blue * np.array([0.3, 0.38, 0.5]) + (1 - blue) * 0.95 * grey) * dim
    above = above + (1 - daylight) * 0.5 * town
    below = (0.12 + 0.25 * share) * np.array([0.9, 0.85, 0.75]) * dim
    strength = 2.5 * share * dim * daylight
    return Light(
        np.array([above, below], np.float32),
        np.array([*to_sun, *(strength * warm)], np.float32),
        sky.astype(np.float32),
        cfg.haze_m,
        float(np.clip((0.6 - daylight) / 0.15, 0, 1)),
    )


def lamps_at(
    street: NDArray[np.float32],
    ego_to_world: NDArray,
    cars: list[tuple[NDArray, NDArray]],
    on: float,
    cfg: SequenceConfig,
) -> NDArray[np.float32]:
    """Return the lamps that matter (K, 10), as ``shade`` takes them.

    Args:
        street: lamps (n, 6): position, colour.
        ego_to_world: T_world_cam (4, 4).
        cars: position (3,) and direction (3,) of the headlights of each moving car.
        on: share of full brightness, 0..1.
        cfg: the sequence: height of the camera, power and aim of its headlights.
    """
    if on <= 0:
        return np.zeros((0, 10), np.float32)
    right, ahead, eye = ego_to_world[:3, 0], ego_to_world[:3, 2], ego_to_world[:3, 3]
    level = ahead * [1, 1, 0.3] / np.linalg.norm(ahead * [1, 1, 0.3])
    level = level + cfg.night.aim[0] * right + [0, 0, cfg.night.aim[1]]
    own = cfg.night.headlight * _HEADLIGHT * on * np.array([1.0, 0.95, 0.85])
    rows = []
    for side in (-0.6, 0.6):
        at = eye + side * right + 1.3 * ahead - [0, 0, cfg.camera_height_m - 0.65]
        rows.append([*at, *own, *level, 1])
    middle = eye + 15 * ahead
    for at, direction in sorted(cars, key=lambda c: float(np.sum((c[0] - middle) ** 2)))[
        :_NEAR_CARS
    ]:
        if np.linalg.norm(at - eye) < _LAMP_REACH_M:
            rows.append(
                [*at, *(1.4 * _HEADLIGHT * on * np.array([1.0, 0.95, 0.88])), *direction, 1]
            )
    if len(street):
        far = np.linalg.norm(street[:, :3] - (eye + 22 * ahead), axis=1)
        near = np.argsort(far, kind="stable")[:_NEAR_LAMPS]
        fade = np.clip((_LAMP_REACH_M - far[near]) / 30, 0, 1)[:, None]
        head = np.concatenate(
            [street[near, :3], street[near, 3:] * on * fade, np.zeros((len(near), 4))], 1
        )
        rows.extend(head[fade[:, 0] > 0])
    return np.array(rows, np.float32)
