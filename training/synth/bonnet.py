"""The own car at the bottom of the image: its bonnet, mirroring the street."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SHARE = 0.15
"""Of the sequences that see a bonnet."""


@dataclass(frozen=True)
class Bonnet:
    """Shares of the image: ``high`` in the middle, ``fall`` lower at the sides, tilted.

    ``sharp`` is how square its edge is; ``paint`` (3,) its albedo, ``gloss`` what it mirrors.
    """

    high: float
    fall: float
    sharp: float
    tilt: float
    paint: tuple[float, float, float]
    gloss: float
    squeeze: float


def draw_bonnet(rng: np.random.Generator) -> Bonnet | None:
    """Return the draws of one bonnet, or None where the camera sees none."""
    if rng.random() > SHARE:
        return None
    value = rng.choice([0.02, 0.08, 0.3, 0.7])
    tint = np.exp(rng.normal(0, 0.3, 3)) if rng.random() < 0.35 else np.ones(3)
    return Bonnet(
        high=rng.uniform(0.05, 0.24),
        fall=rng.uniform(0.02, 0.2),
        sharp=rng.uniform(1.5, 5.0),
        tilt=rng.normal(0, 0.01),
        paint=tuple(np.clip(value * tint, 0.01, 0.9)),
        gloss=rng.uniform(0.1, 0.6),
        squeeze=rng.uniform(1.0, 3.5),
    )


def cover(
    bonnet: Bonnet, radiance: NDArray[np.float32], sky_light: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the radiance (H, W, 3) with the bonnet before it, and where it is (H, W)."""
    h, w = radiance.shape[:2]
    v, u = np.mgrid[:h, :w].astype(np.float32)
    x = (u - (w - 1) / 2) / (w / 2)
    edge = 1 - bonnet.high + bonnet.fall * np.abs(x) ** bonnet.sharp + bonnet.tilt * x
    top = edge.astype(np.float32) * h
    share = np.clip(v - top + 0.5, 0, 1)[..., None]
    mirrored = np.clip(top - np.float32(bonnet.squeeze) * (v - top) - 1, 0, h - 1)
    seen = cv2.remap(radiance, u, mirrored, cv2.INTER_LINEAR)
    seen = cv2.GaussianBlur(seen, (0, 0), max(0.004 * w, 0.8))
    slope = np.clip((v - top) / (0.25 * h), 0, 1)[..., None]  # flatter towards the driver
    lit = np.array(bonnet.paint, np.float32) * sky_light * (0.7 + 0.3 * slope)
    own = lit + np.float32(bonnet.gloss) * (1 - 0.6 * slope) * seen
    return (radiance + share * (own - radiance)).astype(np.float32), share[..., 0] > 0
