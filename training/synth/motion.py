"""How the camera moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synth.config import FRAME_PERIOD_S, SequenceConfig
from training.synth.road import Road

_MAX_LATERAL = 3.0
"""Lateral acceleration above which the driver slows down, m/s^2."""


@dataclass(frozen=True)
class Ego:
    """The drive at each tick: T_world_cam (n, 4, 4), speed (n,) m/s, place (n, 2) as (s, d).

    There is one tick more than the frames need, so that all of them have a next one.
    """

    T_world_cam: NDArray[np.float64]
    speed: NDArray[np.float64]
    place: NDArray[np.float64]


def drive(cfg: SequenceConfig, road: Road) -> Ego:
    """Return the camera's poses: down the lane, at a speed bends allow, with small jitter.

    Camera axes: x right, y down, z forward; jitter is AR(1), pitch 0.08, roll 0.05, yaw 0.1 deg.
    """
    rng, n = cfg.stream("motion"), cfg.data.ticks + 1
    rng.uniform(size=8)
    wave, phase = 2 * np.pi / rng.uniform(60, 200), rng.uniform(0, 6.3)
    s, speed = np.zeros(n), np.zeros(n)
    smooth = np.convolve(np.abs(road.curvature), np.ones(31) / 31, "same")
    at = 0.0
    for i in range(n):
        limit = np.sqrt(_MAX_LATERAL / max(np.interp(at, road.s, smooth), 1e-4))
        speed[i] = max(
            min(cfg.speed + cfg.speed_swing * np.sin(wave * at + phase), limit),
            min(2.0, cfg.speed),
        )
        s[i] = at
        at += speed[i] * FRAME_PERIOD_S
    lane = cfg.lane(int(rng.integers(cfg.lanes)))
    drift, lateral = rng.uniform(0.05, 0.25), 2 * np.pi / rng.uniform(50, 120)
    d = lane + drift * np.sin(lateral * s + phase)
    jitter = _ar1(rng, n, 5) * np.array([*np.radians([0.08, 0.05, 0.1]), 0.006, 0.006])
    yaw = road.heading(s) + np.arctan2(np.gradient(d), np.gradient(s)) + jitter[:, 2]
    yaw = yaw + np.radians(cfg.yaw_deg)
    pitch = np.arctan(road.slope(s)) + np.radians(cfg.pitch_deg) + jitter[:, 0]
    position = road.point(s, d, cfg.camera_height_m + jitter[:, 3])
    T = np.tile(np.eye(4), (n, 1, 1))
    T[:, :3, :3] = _camera_axes(yaw, pitch, jitter[:, 1] + np.radians(cfg.roll_deg))
    T[:, :3, 3] = position
    return Ego(T, speed, np.stack([s, d], 1))


def _ar1(rng: np.random.Generator, n: int, k: int, keep: float = 0.8) -> NDArray[np.float64]:
    """Return k AR(1) tracks (n, k) of deviation 1."""
    noise = rng.standard_normal((n, k)) * np.sqrt(1 - keep**2)
    track = np.zeros((n, k))
    for i in range(1, n):
        track[i] = keep * track[i - 1] + noise[i]
    return track


def _camera_axes(yaw: NDArray, pitch: NDArray, roll: NDArray) -> NDArray[np.float64]:
    """Return R_world_cam (n, 3, 3) from angles, radians; pitch up is positive."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    ahead = np.stack([cy * cp, sy * cp, sp], -1)
    right = np.stack([sy, -cy, np.zeros_like(yaw)], -1)
    down = np.cross(ahead, right)
    c, s = np.cos(roll)[:, None], np.sin(roll)[:, None]
    return np.stack([c * right + s * down, c * down - s * right, ahead], -1)
