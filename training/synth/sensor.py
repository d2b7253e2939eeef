"""From radiance to what a sensor measures: blur, exposure, glow, noise, white balance."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.camera_look import develop, through_lens
from training.synth.config import SequenceConfig
from training.synth.darkness import Night

_MAX_GAIN_DAY = 7.0
_TAPS = 11
_GAMMA = 2.2
_STRAY_WIDTH = 64
_GHOST_HUE = np.array([0.5, 1.0, 0.8], np.float32)
_SMEAR_HUE = np.array([0.7, 0.6, 1.0], np.float32)


def motion_blur(radiance: NDArray[np.float32], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the image (H, W, 3) averaged along ``flow`` (H, W, 2), pixels, centred on now."""
    h, w = radiance.shape[:2]
    v, u = np.mgrid[:h, :w].astype(np.float32)
    flow = np.clip(flow, -0.06 * w, 0.06 * w)
    total = np.zeros_like(radiance)
    for f in np.linspace(-0.5, 0.5, _TAPS, dtype=np.float32):
        total += cv2.remap(
            radiance,
            u + f * flow[..., 0],
            v + f * flow[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return total / np.float32(_TAPS)


def wanted_gain(radiance: NDArray[np.float32], cfg: SequenceConfig, daylight: float) -> float:
    """Return the gain that gives the encoded image the mean the sequence aims at.

    The lower rows weigh most, as in cameras made for driving: a bright sky may saturate.
    """
    aim = cfg.exposure_day * daylight + cfg.exposure_night * (1 - daylight)
    weight = np.linspace(0.4, 1.4, len(radiance))[:, None, None]
    low, high = 1e-2, 1e3
    for _ in range(30):
        gain = np.sqrt(low * high)
        mean = (weight * np.clip(radiance * gain, 0, 1) ** (1 / _GAMMA)).mean() / weight.mean()
        low, high = (low, gain) if mean > aim else (gain, high)
    return float(min(gain, _MAX_GAIN_DAY * daylight + cfg.night.max_gain * (1 - daylight)))


def expose(
    radiance: NDArray[np.float32],
    gain: float,
    cfg: SequenceConfig,
    daylight: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return the image (H, W, 3), RGB uint8: what a sensor with ``gain`` makes of ``radiance``.

    Shot noise grows with the signal; by night both shot and read noise grow with the gain, which
    comes after them. Glow is what a lens spreads around lamps.
    """
    w, night = radiance.shape[1], 1 - daylight
    x = radiance.astype(np.float32) * np.float32(gain) * np.array(cfg.white_balance, np.float32)
    glare = np.clip(x - 1, 0, 25 + 95 * night)
    if glare.max() > 0:
        bloom = daylight + night * cfg.night.bloom
        for share, size in ((0.2, 0.005), (0.06, 0.02), (0.02, 0.06)):
            x += np.float32(share * bloom) * cv2.GaussianBlur(glare, (0, 0), max(size * w, 0.6))
        if night > 0:
            x += np.float32(night) * _stray(glare, cfg.night)
    x = through_lens(x, cfg.look)
    shot, read = 2e-4 + 1.2e-3 * gain * night, 2e-3 + 2e-3 * gain * night
    sigma = cfg.noise * np.sqrt(shot * np.clip(x, 0, 1) + read * read)
    x = x + sigma * rng.standard_normal(x.shape, np.float32)
    if night > 0:
        x -= np.float32(night * cfg.night.black * cfg.noise * read)
    return develop(x, cfg.look, rng)


def _stray(glare: NDArray[np.float32], night: Night) -> NDArray[np.float32]:
    """Return what strong lamps add (H, W, 3) far from themselves: veil, ghost, column smear."""
    h, w = glare.shape[:2]
    size = _STRAY_WIDTH, max(_STRAY_WIDTH * h // w, 4)
    small = cv2.resize(glare, size, interpolation=cv2.INTER_AREA)
    veil = cv2.GaussianBlur(small, (0, 0), 0.25 * _STRAY_WIDTH)
    ghost = cv2.GaussianBlur(small[::-1, ::-1], (0, 0), 0.02 * _STRAY_WIDTH)
    low = np.float32(night.veil) * veil + np.float32(night.ghost) * ghost * _GHOST_HUE
    smear = np.float32(night.smear) * glare.mean(0, keepdims=True) * _SMEAR_HUE
    return cv2.resize(low, (w, h), interpolation=cv2.INTER_LINEAR) + smear
