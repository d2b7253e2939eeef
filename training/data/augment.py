"""What cameras do to an image, drawn at random: tones, colours, noise, blur, compression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Rng = np.random.Generator


def change_look(image: Image, rng: Rng, strength: float = 1.0) -> Image:
    """Return an image (H, W, 3), RGB, as another camera might have taken it.

    Geometry stays: nothing moves, so depth and masks remain true.

    Args:
        image: RGB, uint8.
        rng: everything is drawn from it.
        strength: 0 leaves the image as it is, 1 is the widest range.
    """
    if strength <= 0:
        return image
    x = _tones((image / 255).astype(np.float32), rng, strength)
    if rng.random() < 0.15 * strength:
        x = np.repeat(_grey(x), 3, 2)
    if rng.random() < 0.25 * strength:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.3, 0.3 + 0.9 * strength))
    if rng.random() < 0.15 * strength:
        x = x + rng.uniform(0.2, 1.0) * (x - cv2.GaussianBlur(x, (0, 0), 1.0))
    if rng.random() < 0.15 * strength:
        x = _coarse(x, rng)
    if rng.random() < 0.5 * strength:
        x = _noise(x, rng, strength)
    out = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    return _compressed(out, rng) if rng.random() < 0.3 * strength else out


def relight(image: Image, sky: NDArray[np.uint8], rng: Rng) -> Image:
    """Return the image with another balance of sky and scene, and shade over parts of it.

    Rendered skies are brighter than rendered walls; real ones often are not, and a network that
    takes whatever is bright for sky sees holes in sunlit houses.

    Args:
        image: RGB (H, W, 3), uint8.
        sky: (H, W), 1 where there is sky.
        rng: everything is drawn from it.
    """
    x = (image / 255).astype(np.float32)
    soft = cv2.GaussianBlur(sky.astype(np.float32), (0, 0), 0.7)[..., None]
    tint = np.exp(rng.normal(0, 0.12, (2, 3))).astype(np.float32)
    above = np.float32(rng.uniform(0.35, 1.15)) * tint[0]
    below = np.float32(np.exp(rng.uniform(-0.3, 0.9))) * tint[1]
    shade = cv2.resize(rng.standard_normal((3, 6), np.float32), image.shape[1::-1])[..., None]
    x = x * (soft * above + (1 - soft) * below * np.exp(np.float32(rng.uniform(0, 0.5)) * shade))
    return (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)


def cast_shadows(image: Image, sky: NDArray[np.uint8], rng: Rng) -> Image:
    """Return the image with shadows and patches of asphalt across the scene: edges without depth.

    Args:
        image: RGB (H, W, 3), uint8.
        sky: (H, W), 1 where there is sky, which takes none.
        rng: everything is drawn from it.
    """
    height, width = image.shape[:2]
    shade = np.ones((height, width), np.float32)
    for _ in range(rng.integers(1, 5)):
        patch = np.zeros((height, width), np.float32)
        cv2.fillPoly(patch, [np.rint(_outline(width, height, rng)).astype(np.int32)], 1.0)
        if rng.random() < 0.3:  # sun through leaves
            patch *= _grains((height, width), 4, rng) > 0.45
        patch = cv2.GaussianBlur(patch, (0, 0), rng.choice([0.4, 0.8, 2.5]))
        strength = rng.uniform(0.12, 0.62) if rng.random() < 0.75 else rng.uniform(-0.4, -0.1)
        change = np.full_like(shade, strength, np.float64)
        if rng.random() < 0.3:  # paving of another kind
            change = 0.3 * change + rng.uniform(0.1, 0.4) * (
                _grains((height, width), 2, rng) - 0.5
            )
        shade *= 1 - change.astype(np.float32) * patch
    shade = np.where(sky > 0, np.float32(1), shade)[..., None]
    return (np.clip(image * shade, 0, 255) + 0.5).astype(np.uint8)


def _outline(width: int, height: int, rng: Rng) -> NDArray[np.float64]:
    """Return the corners (n, 2) of a patch: a polygon, or a stretch of road with level ends."""
    if rng.random() < 0.4:
        far, near = np.sort(rng.uniform(0.45, 1.1, 2)) * height
        across, half = rng.uniform(0.3, 0.7) * width, rng.uniform(0.05, 0.5) * width
        vanish = np.array([0.5 * width, 0.42 * height])
        corners = np.array([[across - half, near], [across + half, near]])
        share = (far - vanish[1]) / (near - vanish[1])
        return np.concatenate([corners, (vanish + share * (corners - vanish))[::-1]])
    centre = rng.uniform([0, 0.4 * height], [width, height])
    size = np.exp(rng.uniform(np.log([0.04, 0.03]), np.log([0.5, 0.25]))) * [width, height]
    angle = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 9))))
    return centre + size * np.stack([np.cos(angle), np.sin(angle)], 1)


def _grains(size: tuple[int, int], pixels: int, rng: Rng) -> NDArray[np.float32]:
    """Return noise (H, W), mostly in 0..1, whose grains are so many pixels wide."""
    height, width = size
    small = rng.random((max(height // pixels, 2), max(width // pixels, 2)), np.float32)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def _tones(x: NDArray[np.float32], rng: Rng, strength: float) -> NDArray[np.float32]:
    """Return other exposure, gamma, contrast, colour balance, saturation and haze."""
    a = 0.4 * strength
    gain = np.exp(rng.uniform(-a, a)) * np.exp(rng.normal(0, 0.1 * strength, 3))
    x = np.clip(x * gain.astype(np.float32), 0, 1) ** np.float32(np.exp(rng.uniform(-a, a)))
    mean = x.mean()
    x = (x - mean) * np.float32(rng.uniform(1 - a, 1 + a)) + mean
    grey = _grey(x)
    x = grey + (x - grey) * np.float32(rng.uniform(1 - 2 * a, 1 + a))
    if rng.random() < 0.3 * strength:
        x = x + np.float32(rng.uniform(0, 0.25)) * (1 - x)  # veiling glare lifts the blacks
    return np.asarray(x, np.float32)


def _grey(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return luma (H, W, 1)."""
    return np.asarray(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), np.float32)[..., None]


def _coarse(x: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """Return an image of fewer pixels, enlarged again."""
    height, width = x.shape[:2]
    k = rng.uniform(1.3, 2.2)
    small = cv2.resize(x, (round(width / k), round(height / k)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height)), np.float32)


def _noise(x: NDArray[np.float32], rng: Rng, strength: float) -> NDArray[np.float32]:
    """Return an image with grain, as fine as pixels or of a few, grey or coloured."""
    shape = (*x.shape[:2], 3 if rng.random() < 0.5 else 1)
    grain = rng.standard_normal(shape, np.float32)
    if rng.random() < 0.3:
        grain = 2 * cv2.GaussianBlur(grain, (0, 0), 0.8).reshape(shape)
    return x + np.float32(rng.uniform(0, 0.06) * strength) * grain


def _compressed(image: Image, rng: Rng) -> Image:
    """Return what JPEG leaves."""
    quality = int(rng.integers(25, 90))
    _, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    bgr = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(bgr[..., ::-1])
