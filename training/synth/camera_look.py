"""How one camera renders light: lens, tone, colour, sharpening, compression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.pixels import RGB_WEIGHTS

Image = NDArray[np.float32]
_WIDTH = 416
"""Image width that the sizes below in pixels are for."""
_LUMA = np.array(RGB_WEIGHTS, np.float32)


@dataclass(frozen=True)
class Look:
    """The camera of one sequence; as it stands, a plain one.

    Attributes:
        gamma: the encoded value is the linear one to the power 1 / gamma.
        contrast: share of an S-shaped curve after it, -0.5 (flat) to 1 (hard).
        black: encoded value that becomes black; below 0 blacks are grey.
        shoulder: linear value from which highlights are compressed; 1 clips them.
        vignette: share of light lost in the corners.
        veil: share of the whole image's light spread over it.
        dirt: share of the light that spots on the lens scatter; 0 a clean one.
        dirt_seed: draws where they are.
        blur_px: deviation of the lens' blur.
        chroma: deviation of coarse colour noise.
        saturation: of colours; 0 is a grey camera.
        sharpen: strength of the halo around edges, ``sharpen_px`` wide.
        jpeg: quality of compression; 0 none.
    """

    gamma: float = 2.2
    contrast: float = 0.0
    black: float = 0.0
    shoulder: float = 1.0
    vignette: float = 0.12
    veil: float = 0.0
    dirt: float = 0.0
    dirt_seed: int = 0
    blur_px: float = 0.0
    chroma: float = 0.0
    saturation: float = 1.0
    sharpen: float = 0.0
    sharpen_px: float = 1.0
    jpeg: int = 0


def draw_look(rng: np.random.Generator) -> Look:
    """Return the draws of one camera."""
    u = rng.random(10)
    return Look(
        gamma=rng.uniform(1.5, 2.8) if u[0] < 0.6 else 2.2,
        contrast=rng.uniform(-0.3, 0.9) if u[1] < 0.65 else 0.0,
        black=rng.uniform(-0.07, 0.09) if u[2] < 0.5 else 0.0,
        shoulder=rng.uniform(0.35, 0.9) if u[3] < 0.45 else 1.0,
        vignette=rng.uniform(0.0, 0.55) * u[4],
        veil=rng.uniform(0.01, 0.12) if u[5] < 0.35 else 0.0,
        dirt=rng.uniform(0.15, 0.7) if u[6] < 0.18 else 0.0,
        dirt_seed=int(rng.integers(2**31)),
        blur_px=rng.uniform(0.3, 0.9) if u[7] < 0.4 else 0.0,
        chroma=rng.uniform(0.003, 0.025) if rng.random() < 0.4 else 0.0,
        saturation=0.0 if rng.random() < 0.15 else rng.uniform(0.5, 1.35),
        sharpen=rng.uniform(0.2, 1.5) if u[8] < 0.5 else 0.0,
        sharpen_px=rng.uniform(0.6, 1.6),
        jpeg=int(rng.integers(30, 96)) if u[9] < 0.6 else 0,
    )


def draw_foreign_look(rng: np.random.Generator) -> Look:
    """Return the draws of a camera whose picture is beyond all that ``draw_look`` gives."""
    return Look(
        gamma=rng.uniform(2.9, 3.4),
        contrast=rng.uniform(0.95, 1.2),
        black=rng.uniform(-0.12, -0.08),
        vignette=rng.uniform(0.55, 0.7),
        blur_px=rng.uniform(0.9, 1.1),
        saturation=rng.uniform(1.4, 1.8),
        sharpen=rng.uniform(1.6, 2.0),
        jpeg=int(rng.integers(18, 29)),
    )


def through_lens(light: Image, look: Look) -> Image:
    """Return the light (H, W, 3) on the sensor, 1 at saturation: veil, dirt, blur, vignette."""
    h, w = light.shape[:2]
    x = light
    if look.veil:
        x = x + np.float32(look.veil) * np.minimum(x, 3).mean((0, 1))
    if look.dirt:
        spots = np.float32(look.dirt) * _spots(look.dirt_seed, h, w)[..., None]
        small = cv2.resize(np.minimum(x, 4), (32, 16), interpolation=cv2.INTER_AREA)
        haze = cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.5), (w, h))
        x = x + spots * (0.8 * haze - x)
    if look.blur_px:
        x = cv2.GaussianBlur(x, (0, 0), look.blur_px * max(w / _WIDTH, 0.5))
    y, z = np.linspace(-1, 1, h)[:, None], np.linspace(-1, 1, w)[None]
    return x * (1 - look.vignette * (y * y * 0.3 + z * z * 0.7))[..., None].astype(np.float32)


def develop(light: Image, look: Look, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the image (H, W, 3) uint8 of what the sensor measured, 1 at saturation."""
    h, w = light.shape[:2]
    x = np.maximum(light, 0)
    if look.shoulder < 1:
        k, span = np.float32(look.shoulder), np.float32(1 - look.shoulder)
        x = np.where(x > k, k + span * (1 - np.exp(-(x - k) / span)), x)
    x = np.minimum(x, 1) ** np.float32(1 / look.gamma)
    if look.contrast:
        x = x + np.float32(look.contrast) * (x * x * (3 - 2 * x) - x)
    if look.black:
        x = (x - np.float32(look.black)) / np.float32(1 - look.black)
    if look.chroma:
        coarse = rng.standard_normal((max(h // 3, 2), max(w // 3, 2), 3), np.float32)
        coarse -= (coarse @ _LUMA)[..., None]
        x = x + cv2.resize(np.float32(look.chroma) * coarse, (w, h))
    if look.saturation != 1:
        grey = (x @ _LUMA)[..., None]
        x = grey + np.float32(look.saturation) * (x - grey)
    if look.sharpen:
        soft = cv2.GaussianBlur(x, (0, 0), look.sharpen_px * max(w / _WIDTH, 0.5))
        x = x + np.float32(look.sharpen) * (x - soft)
    coded = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    if not look.jpeg:
        return coded
    _, packed = cv2.imencode(".jpg", coded[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, look.jpeg])
    bgr = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(bgr[..., ::-1])


@lru_cache(maxsize=2)
def _spots(seed: int, h: int, w: int) -> Image:
    """Return spots of dirt or drops (H, W), 0 to 1."""
    rng = np.random.default_rng(seed)
    small = np.zeros((64, 128), np.float32)
    for _ in range(int(rng.integers(4, 40))):
        at = int(rng.integers(128)), int(rng.integers(64))
        axes = tuple(int(a) for a in rng.integers(1, 9, 2))
        cv2.ellipse(small, at, axes, rng.uniform(0, 180), 0, 360, rng.uniform(0.3, 1), -1)
    small = cv2.GaussianBlur(small, (0, 0), rng.uniform(1.0, 4.0))
    return np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)
