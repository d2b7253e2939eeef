"""Procedural textures with mip maps, those of a sequence in one flat buffer for the shader.

Albedo is linear; the fourth channel of a facade is 0 on the wall, 0.5 on dark glass, 1 on a lit
window (1 everywhere in other textures). Row 0 is the bottom. All tile, and all sides are powers of
two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
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


@dataclass(frozen=True)
class Packed:
    """One texture with its mip maps as in ``Atlas``; ``table`` (levels, 3) from offset 0."""

    data: NDArray[np.uint8]
    table: NDArray[np.int64]


def pack(texture: Image) -> Packed:
    """Return a linear texture (h, w, 4), sides powers of two, with its mip maps."""
    rows, offset = [], 0
    h, w = texture.shape[:2]
    while True:
        rows.append((offset, h, w))
        offset += h * w
        if min(h, w) == 1:
            break
        h, w = h // 2, w // 2
    data, table = np.empty((offset, 4), np.uint8), np.array(rows)
    _mip_maps(np.ascontiguousarray(texture, np.float32), table, data)
    return Packed(data, table)


def gather(textures: list[Packed]) -> Atlas:
    """Return the atlas of the textures, numbered in their order."""
    table = np.zeros((len(textures), 12, 3), np.int64)
    levels, offset = np.array([len(t.table) for t in textures]), 0
    for i, texture in enumerate(textures):
        table[i, : levels[i]] = texture.table
        table[i, : levels[i], 0] += offset
        offset += len(texture.data)
    return Atlas(np.concatenate([t.data for t in textures]), table, levels)


@njit(cache=True, nogil=True)
def _mip_maps(image, table, data):  # noqa: ANN001, ANN202 - the compiler infers the types
    """Write all levels of ``image`` (h, w, 4) to ``data``, each the mean of 2 x 2 of the last."""
    for level in range(len(table)):
        o, h, w = table[level]
        if level:
            small = np.empty((h, w, 4), np.float32)
            for y in range(h):
                for x in range(w):
                    for c in range(4):
                        a = image[2 * y, 2 * x, c] + image[2 * y, 2 * x + 1, c]
                        b = image[2 * y + 1, 2 * x, c] + image[2 * y + 1, 2 * x + 1, c]
                        small[y, x, c] = np.float32(0.25) * (a + b)
            image = small
        for y in range(h):
            for x in range(w):
                for c in range(4):
                    value = min(max(image[y, x, c], np.float32(0)), np.float32(1))
                    value = np.sqrt(value) if c < 3 else value
                    data[o + y * w + x, c] = np.uint8(value * np.float32(255) + np.float32(0.5))


def fractal(rng: np.random.Generator, height: int, width: int, beta: float) -> Image:
    """Return tileable noise (height, width) with power spectrum 1/f^beta, mean 0, deviation 1."""
    white = np.fft.rfft2(rng.standard_normal((height, width), np.float32))
    fy, fx = np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width
    f = np.hypot(fy, fx)
    f[0, 0] = np.inf
    noise = np.fft.irfft2(white * f ** (-beta / 2), s=(height, width)).astype(np.float32)
    return (noise - noise.mean()) / noise.std()


def noise_fields(rng: np.random.Generator) -> list[Image]:
    """Return the noise fields (SIDE, SIDE) everything is painted with, grainy to smooth."""
    return [fractal(rng, SIDE, SIDE, b) for b in (0.4, 0.9, 1.3, 1.7, 2.0, 2.4, 2.8)]


class Painter:
    """Paints textures from one random stream, with noise fields others may use too."""

    def __init__(self, rng: np.random.Generator, fields: list[Image]) -> None:
        """Take the stream and the fields of ``noise_fields``."""
        self.rng = rng
        self._bank = fields

    def noise(self, rough: float) -> Image:
        """Return a noise field (SIDE, SIDE), from smooth (``rough`` 0) to grainy (1)."""
        at = int(np.clip(round((1 - rough) * 6 + self.rng.normal(0, 0.5)), 0, 6))
        field = np.roll(self._bank[at], self.rng.integers(0, SIDE, 2), (0, 1))
        field = field.T if self.rng.random() < 0.5 else field
        return field[::-1] if self.rng.random() < 0.5 else field

    def tinted(self, colour: NDArray, contrast: float, rough: float = 0.6) -> Image:
        """Return a texture of ``colour`` with noise at two scales; contrast relative to it."""
        value = self.noise(rough) * 0.7 + self.noise(rough - 0.35) * 0.5
        hue = self.noise(0.2)[..., None] * self.rng.normal(0, 0.035, 3).astype(np.float32)
        rgb = np.exp(np.float32(contrast) * value[..., None] + hue)
        return rgba(rgb * np.asarray(colour, np.float32))

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
        """Return a wall 4 m square: brick, stone, plaster, panels, concrete, wood or mix."""
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
            "concrete": (int(rng.integers(1, 4)), 2, self.colour(0.22, 0.5, 0.04)),
            "panels": (4, 4, self.colour(0.1, 0.6, 0.3)),
            "wood": (32, 1, np.array([0.3, 0.18, 0.1]) * rng.uniform(0.5, 1.8)),
        }[kind]
        values, joint = self.bricks(rows, cols, 0.5 if kind in ("brick", "stone") else 0.0)
        spread = rng.uniform(0.2, 0.9) if kind != "concrete" else 0.15
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
        large = cells.astype(np.float32).repeat(SIDE // n, 0).repeat(SIDE // n, 1)
        return rgba(large * self.tinted(np.ones(3), 0.15)[..., :3])


def rgba(rgb: NDArray) -> Image:
    """Return (h, w, 3) with a fourth channel of ones, float32."""
    return np.concatenate([rgb, np.ones_like(rgb[..., :1])], -1).astype(np.float32)
