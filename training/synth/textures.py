"""Procedural textures of one sequence, with mip maps, in one flat buffer for the shader.

Albedo is linear; the fourth channel of a facade is 0 on the wall, 0.5 on dark glass, 1 on a lit
window (1 everywhere in other textures). Row 0 is the bottom. All tile, and all sides are powers of
two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
SIDE = 512


@dataclass(frozen=True)
class Atlas:
    """Textures with mip maps: ``data`` uint8 (texels, 4), rgb as the root of linear albedo.

    ``table[texture, level]`` holds (offset, height, width); ``levels[texture]`` their number.
    """

    data: NDArray[np.uint8]
    table: NDArray[np.int64]
    levels: NDArray[np.int64]


def pack(textures: list[Image]) -> Atlas:
    """Return the atlas of linear textures (h, w, 4), sides powers of two."""
    chunks, offset = [], 0
    table = np.zeros((len(textures), 12, 3), np.int64)
    levels = np.zeros(len(textures), np.int64)
    for i, texture in enumerate(textures):
        image = texture.astype(np.float32)
        while True:
            h, w = image.shape[:2]
            table[i, levels[i]] = offset, h, w
            levels[i] += 1
            coded = image.copy()
            coded[..., :3] = np.sqrt(np.clip(image[..., :3], 0, 1))
            chunks.append((np.clip(coded, 0, 1) * 255 + 0.5).astype(np.uint8).reshape(-1, 4))
            offset += h * w
            if min(h, w) == 1:
                break
            image = image.reshape(h // 2, 2, w // 2, 2, 4).mean((1, 3))
    return Atlas(np.concatenate(chunks), table, levels)


def fractal(rng: np.random.Generator, height: int, width: int, beta: float) -> Image:
    """Return tileable noise (height, width) with power spectrum 1/f^beta, mean 0, deviation 1."""
    white = np.fft.rfft2(rng.standard_normal((height, width), np.float32))
    fy, fx = np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width
    f = np.hypot(fy, fx)
    f[0, 0] = np.inf
    noise = np.fft.irfft2(white * f ** (-beta / 2), s=(height, width)).astype(np.float32)
    return (noise - noise.mean()) / noise.std()


class Painter:
    """Paints the textures of one sequence from one random stream."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw the noise fields everything is painted with."""
        self.rng = rng
        betas = (0.4, 0.9, 1.3, 1.7, 2.0, 2.4, 2.8)
        self._bank = [fractal(rng, SIDE, SIDE, b) for b in betas]

    def noise(self, rough: float) -> Image:
        """Return a noise field (SIDE, SIDE), from smooth (``rough`` 0) to grainy (1)."""
        at = int(np.clip(round((1 - rough) * 6 + self.rng.normal(0, 0.5)), 0, 6))
        field = np.roll(self._bank[at], self.rng.integers(0, SIDE, 2), (0, 1))
        field = field.T if self.rng.random() < 0.5 else field
        return field[::-1] if self.rng.random() < 0.5 else field

    def tinted(self, colour: NDArray, contrast: float, rough: float = 0.6) -> Image:
        """Return a texture of ``colour`` with noise at two scales; contrast relative to it."""
        value = self.noise(rough) * 0.7 + self.noise(rough - 0.35) * 0.5
        hue = self.noise(0.2)[..., None] * self.rng.normal(0, 0.035, 3)
        rgb = colour * np.exp(contrast * value[..., None] + hue)
        return rgba(rgb)

    def colour(self, low: float, high: float, vivid: float) -> NDArray:
        """Return a random linear colour of brightness in [low, high]; ``vivid`` 0 is grey."""
        hue = np.exp(self.rng.normal(0, vivid, 3))
        return self.rng.uniform(low, high) * hue / hue.mean()

    def bricks(self, rows: int, cols: int, offset: float) -> tuple[Image, Image]:
        """Return a random value per brick (SIDE, SIDE) in [0, 1], and the joints (0 or 1)."""
        y = np.arange(SIDE)[:, None] * rows / SIDE
        row = y.astype(int)
        x = (np.arange(SIDE)[None] * cols / SIDE + offset * (row % 2)) % cols
        values = self.rng.random((rows, cols), np.float32)[row, x.astype(int)]
        px, py = SIDE / cols, SIDE / rows
        gap = max(1.0, 0.04 * SIDE / max(rows, cols) + 0.6)
        return values, (((x % 1) * px < gap) | ((y % 1) * py < gap)).astype(np.float32)

    def wall(self, kind: str) -> Image:
        """Return a wall 4 m wide and high: brick, stone, plaster, panels, wood or mix."""
        rng = self.rng
        if kind == "mix":
            return self.mix()
        if kind == "plaster":
            image = self.tinted(self.colour(0.2, 0.75, 0.15), rng.uniform(0.05, 0.2), 0.5)
            stain = np.clip(self.noise(0.25) - 0.8, 0, 1)[..., None]
            image[..., :3] *= 1 - 0.5 * stain
            return image
        rows, cols, colour = {
            "brick": (64, 16, np.array([0.35, 0.15, 0.1]) * rng.uniform(0.5, 1.4)),
            "stone": (16, 8, self.colour(0.15, 0.5, 0.1)),
            "panels": (4, 4, self.colour(0.1, 0.6, 0.3)),
            "wood": (32, 1, np.array([0.3, 0.18, 0.1]) * rng.uniform(0.5, 1.8)),
        }[kind]
        values, joint = self.bricks(rows, cols, 0.5 if kind in ("brick", "stone") else 0.0)
        spread = rng.uniform(0.2, 0.9)
        image = self.tinted(colour, rng.uniform(0.1, 0.3), 0.8)
        image[..., :3] *= np.exp(spread * (values[..., None] - 0.5))
        mortar = self.colour(0.05, 0.5, 0.05)
        image[..., :3] += joint[..., None] * 0.8 * (mortar - image[..., :3])
        return image

    def mix(self) -> Image:
        """Return a random mixture of noise, stripes and mosaics of any colours."""
        rng = self.rng
        image = self.tinted(self.colour(0.1, 0.6, 0.5), rng.uniform(0.1, 0.6), rng.random())
        for _ in range(rng.integers(1, 4)):
            if rng.random() < 0.35:
                n, m = 2 ** rng.integers(1, 6, 2)
                pattern = np.kron(rng.random((n, m, 3)), np.ones((SIDE // n, SIDE // m, 1)))
                image[..., :3] *= (0.3 + 1.2 * pattern) ** rng.uniform(0.3, 1.5)
            elif rng.random() < 0.5:
                k = rng.integers(-16, 17, 2)
                grid = np.arange(SIDE) / SIDE
                phase = (k[0] * grid[:, None] + k[1] * grid[None] + 0.05 * self.noise(0.1)) % 1
                stripe = (phase < rng.uniform(0.1, 0.6))[..., None]
                image[..., :3] = np.where(stripe, image[..., :3], self.colour(0.05, 0.7, 0.6))
            else:
                blob = (self.noise(rng.uniform(0, 0.5)) > rng.normal(0, 0.7))[..., None]
                image[..., :3] *= np.where(blob, self.colour(0.4, 1.6, 0.3), 1.0)
        return image

    def mosaic(self, n: int, vivid: float) -> Image:
        """Return n x n patches of random colours with some grain."""
        cells = np.stack([self.colour(0.04, 0.7, vivid) for _ in range(n * n)]).reshape(n, n, 3)
        return rgba(
            np.kron(cells, np.ones((SIDE // n, SIDE // n, 1)))
            * self.tinted(np.ones(3), 0.15)[..., :3]
        )


def rgba(rgb: NDArray) -> Image:
    """Return (h, w, 3) with a fourth channel of ones, float32."""
    return np.concatenate([rgb, np.ones_like(rgb[..., :1])], -1).astype(np.float32)
