"""From radiance to an 8-bit image: blur, exposure, glow, noise, white balance, encoding."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.config import SequenceConfig

_MAX_GAIN = 7.0
_TAPS = 11
_GAMMA = 2.2


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
    return float(min(gain, _MAX_GAIN))


def expose(
    radiance: NDArray[np.float32],
    gain: float,
    cfg: SequenceConfig,
    daylight: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return the image (H, W, 3), RGB uint8: what a sensor with ``gain`` makes of ``radiance``.

    Shot noise grows with the signal, read noise with the gain of the night; glow is what a lens
    spreads around lamps.
    """
    h, w = radiance.shape[:2]
    x = radiance.astype(np.float32) * np.float32(gain) * np.array(cfg.white_balance, np.float32)
    glare = np.clip(x - 1, 0, 25 + 35 * (1 - daylight))
    if glare.max() > 0:
        for share, size in ((0.2, 0.005), (0.06, 0.02), (0.02, 0.06)):
            x += np.float32(share) * cv2.GaussianBlur(glare, (0, 0), max(size * w, 0.6))
    y, z = np.linspace(-1, 1, h)[:, None], np.linspace(-1, 1, w)[None]
    x *= (1 - 0.12 * (y * y * 0.3 + z * z * 0.7))[..., None].astype(np.float32)
    night = 1 - daylight
    shot, read = 2e-4 + 2.5e-3 * night, 2e-3 + 4e-3 * night
    sigma = cfg.noise * np.sqrt(shot * np.clip(x, 0, 1) + read * read)
    x = x + sigma * rng.standard_normal(x.shape, np.float32)
    coded = np.clip(x, 0, 1) ** np.float32(1 / _GAMMA)
    return (coded * 255 + 0.5).astype(np.uint8)
