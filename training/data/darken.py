"""Day frames as a camera would see them at night, where depth is known: lamps, exposure, noise.

A control that needs no night image at all, after Yang et al. 2024 (arXiv 2404.13854): daylight is
turned down, headlights fall off with the square of distance, and the gain that makes up for it
lifts shot and read noise.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.geometry.camera import Camera

Image = NDArray[np.uint8]
Rng = np.random.Generator
_GAMMA = np.float32(2.2)
_SKY_M = 1e3
_WARM = np.array([1.0, 0.8, 0.55], np.float32)


def darken(image: Image, depth: NDArray[np.float32], camera: Camera, rng: Rng) -> Image:
    """Return the frame by night.

    Args:
        image: RGB (H, W, 3), by day.
        depth: (H, W), metres, 0 where there is sky.
        camera: of the image.
        rng: lamps, exposure and noise are drawn from it.
    """
    albedo = (image / 255).astype(np.float32) ** _GAMMA
    z = np.where(depth > 0, depth, _SKY_M).astype(np.float32)
    ambient = np.exp(rng.uniform(np.log(2e-3), np.log(6e-2)))
    light = np.float32(ambient) * np.exp(rng.normal(0, 0.15, 3)).astype(np.float32)
    lit = albedo * (light + _headlights(z, camera, rng)[..., None] * _tint(rng))
    lit = lit + _street_lamps(z, camera, rng)
    gain = _gain(lit, rng.uniform(0.08, 0.2))
    x = lit * gain
    glare = np.clip(x - 1, 0, 40)
    x = x + np.float32(0.1) * cv2.GaussianBlur(glare, (0, 0), 0.02 * camera.width)
    shot, read = rng.uniform(2e-4, 2e-3) * gain**0.5, rng.uniform(2e-3, 8e-3) * gain**0.5
    sigma = np.sqrt(np.minimum(shot, 0.01) * np.clip(x, 0, 1) + min(read, 0.02) ** 2)
    x = x + sigma * rng.standard_normal(x.shape, np.float32)
    return (np.clip(x, 0, 1) ** (1 / _GAMMA) * 255 + 0.5).astype(np.uint8)


def _headlights(z: NDArray[np.float32], camera: Camera, rng: Rng) -> NDArray[np.float32]:
    """Return the low beams' light (H, W): wide and mostly below the horizon, as 1 / z^2."""
    v, u = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    across, down = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    aim = rng.normal(0, 0.02, 2)
    below = np.where(down > aim[1], 0.15, 0.03)
    beam = np.exp(-(((across - aim[0]) / 0.35) ** 2) - ((down - aim[1]) / below) ** 2)
    return np.asarray(rng.uniform(5, 40) * beam / np.maximum(z, 2.0) ** 2, np.float32)


def _street_lamps(z: NDArray[np.float32], camera: Camera, rng: Rng) -> NDArray[np.float32]:
    """Return lamps and windows (H, W, 3), small and bright, above the horizon."""
    out = np.zeros((*z.shape, 3), np.float32)
    for _ in range(rng.integers(0, 12)):
        u = int(rng.integers(camera.width))
        v = int(np.clip(camera.cy - abs(rng.normal(0, 0.25)) * camera.height, 0, len(z) - 1))
        radius = max(round(0.15 * camera.fx / max(min(z[v, u], 80.0), 4.0)), 1)
        colour = rng.uniform(0.5, 4.0) * (_WARM if rng.random() < 0.7 else np.ones(3, np.float32))
        cv2.circle(out, (u, v), radius, colour.tolist(), -1)
    return out


def _tint(rng: Rng) -> NDArray[np.float32]:
    """Return the headlights' colour."""
    return np.array([1.0, rng.uniform(0.85, 1.0), rng.uniform(0.6, 1.0)], np.float32)


def _gain(lit: NDArray[np.float32], aim: float) -> float:
    """Return the gain, at most a sensor's, after which the encoded image has the mean ``aim``."""
    low, high = 1.0, 60.0
    for _ in range(12):
        gain = (low * high) ** 0.5
        mean = float((np.clip(lit * np.float32(gain), 0, 1) ** (1 / _GAMMA)).mean())
        low, high = (low, gain) if mean > aim else (gain, high)
    return gain
