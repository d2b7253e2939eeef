"""The kinds of textures: road with markings, pavements, facades, signs, leaves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.synth.config import SequenceConfig
from training.synth.textures import SIDE, Image, Painter, rgba

ROAD_TILE_M = 24.0
"""Length of road in one tile of the road texture; its width is the whole carriageway."""
WINDOWS = 4
"""Windows across and floors up in one tile of a facade."""
FACADES, WALLS, MIXES, LEAVES = 6, 3, 4, 3
NAMES = (
    *("plain", "cloud", "macro", "road", "pavement", "kerb", "grass", "field", "hills", "roof"),
    *("bark", "paint", "metal", "sign", "shop", "concrete"),
    *(f"facade{i}" for i in range(FACADES)),
    *(f"wall{i}" for i in range(WALLS)),
    *(f"mix{i}" for i in range(MIXES)),
    *(f"leaf{i}" for i in range(LEAVES)),
)
"""The textures of every street, in the order of their numbers."""
VARIANTS = {
    **{"plain": 1, "cloud": 4, "macro": 3, "road": 10, "pavement": 10, "kerb": 3, "grass": 8},
    **{"field": 8, "hills": 4, "roof": 6, "bark": 3, "paint": 2, "metal": 3, "sign": 4},
    **{"shop": 8, "concrete": 6, "facade": 24, "wall": 14, "mix": 10, "leaf": 10},
}
"""How many of each kind the streets of one library choose from."""
_KINDS = ["brick", "stone", "plaster", "plaster", "panels", "wood", "mix"]
_ODDS = np.array([0.3, 0.1, 0.18, 0.17, 0.1, 0.05, 0.1])


def paint(kind: str, p: Painter) -> Image:
    """Return a texture of ``kind``, a name without its number: linear albedo (h, w, 4)."""
    rng = p.rng
    if kind == "plain":
        return np.ones((1, 1, 4), np.float32)
    if kind in ("pavement", "grass", "field", "roof", "wall") and rng.random() < 0.03:
        return p.mix()
    if kind == "cloud":
        return rgba(np.repeat(0.5 + 0.18 * (p.noise(0.1) + 0.4 * p.noise(0.4))[..., None], 3, 2))
    if kind == "macro":
        return rgba(np.repeat(0.5 + 0.09 * (p.noise(0.15) + 0.7 * p.noise(0.5))[..., None], 3, 2))
    return _PAINTERS[kind](p)


def _wall(p: Painter) -> Image:
    """Return a wall of one of the usual kinds."""
    return p.wall(p.rng.choice(_KINDS, p=_ODDS))


def _green(p: Painter) -> np.ndarray:
    """Return the colour of plants: mostly green, sometimes dry or red."""
    base = [[0.10, 0.16, 0.05], [0.16, 0.2, 0.06], [0.26, 0.22, 0.1], [0.3, 0.14, 0.05]]
    pick = np.array(base[p.rng.choice(4, p=[0.5, 0.3, 0.14, 0.06])])
    return pick * np.exp(p.rng.normal(0, 0.2, 3)) * p.rng.uniform(0.6, 1.4)


def _asphalt(p: Painter) -> Image:
    """Return bare asphalt (2 SIDE, SIDE): grain, cracks, patches."""
    rng = p.rng
    base = p.colour(0.06, 0.24, 0.03)
    grain = rng.uniform(0.1, 0.28)
    one, two = p.tinted(base, grain, 1.0), p.tinted(base, grain, 1.0)
    image = np.concatenate([one, two])
    rgb = image[..., :3]
    smooth = np.concatenate([p.noise(0.2), p.noise(0.2)])[..., None]
    rgb *= np.exp(np.float32(rng.uniform(0.03, 0.14)) * smooth)
    for _ in range(rng.integers(0, 7)):
        y0, x0 = rng.integers(0, 2 * SIDE - 200), rng.integers(0, SIDE - 120)
        patch = rgb[y0 : y0 + rng.integers(20, 200), x0 : x0 + rng.integers(30, 120)]
        patch *= rng.uniform(0.5, 1.3)
    if rng.random() < 0.6:
        crack = np.abs(np.concatenate([p.noise(0.55), p.noise(0.55)]))[..., None]
        gate = np.concatenate([p.noise(0.2), p.noise(0.2)])[..., None] > rng.uniform(0, 1)
        rgb *= 1 - np.float32(0.7) * (crack < rng.uniform(0.01, 0.05)) * gate
    return image


def marked_road(p: Painter, asphalt: Image, cfg: SequenceConfig) -> Image:
    """Return the carriageway (2 SIDE, SIDE): asphalt with wear, manholes and markings."""
    rng, image = p.rng, asphalt.copy()
    rgb = image[..., :3]
    x = (np.arange(SIDE) + 0.5) / SIDE * 2 * cfg.half_width - cfg.half_width
    across = (np.abs(x) - cfg.scene.median / 2) % cfg.lane_width
    lane = np.abs(across / cfg.lane_width - 0.5) * cfg.lane_width
    wear = 1 - rng.uniform(0, 0.25) * np.exp(-(((lane - 0.75) / 0.3) ** 2))
    rgb *= wear[:, None].astype(np.float32)
    for _ in range(rng.integers(0, 3)):
        _disc(rgb, int(rng.integers(100, 2 * SIDE - 100)), int(rng.integers(100, 400)), cfg)
    _mark(p, rgb, x, cfg)
    return image


def _disc(rgb: np.ndarray, row: int, col: int, cfg: SequenceConfig) -> None:
    """Paint a manhole cover into the road."""
    dy = np.arange(-40, 40)[:, None] * ROAD_TILE_M / (2 * SIDE)
    dx = (np.arange(SIDE)[None] - col) * 2 * cfg.half_width / SIDE
    r = np.hypot(dy, dx)
    dark = np.where((r < 0.35) & (np.sin(r * 60) < 0.6), 0.45, 1.0)[..., None]
    rgb[row - 40 : row + 40] *= dark


def _mark(p: Painter, rgb: np.ndarray, x: np.ndarray, cfg: SequenceConfig) -> None:
    """Paint centre, lane and edge lines into the road, worn by noise."""
    rng = p.rng
    y = (np.arange(2 * SIDE) / (2 * SIDE)) * ROAD_TILE_M
    period, width = rng.choice([6.0, 8.0, 12.0]), rng.uniform(0.08, 0.18)
    dash = (y % period) < period * rng.uniform(0.3, 0.6)
    lines = np.zeros((2 * SIDE, SIDE), bool)
    off = np.abs(x) - cfg.scene.median / 2
    centre = rng.choice(["dashed", "solid", "double", "none"], p=[0.55, 0.15, 0.15, 0.15])
    if cfg.scene.motorway:
        lines |= (np.abs(off - 0.2) < width / 2)[None]
    elif centre == "dashed":
        lines |= dash[:, None] & (np.abs(x) < width / 2)[None]
    elif centre == "solid":
        lines |= (np.abs(x) < width / 2)[None]
    elif centre == "double":
        lines |= (np.abs(np.abs(x) - width) < width / 2)[None]
    for k in range(1, cfg.lanes):
        lines |= dash[:, None] & (np.abs(off - k * cfg.lane_width) < width / 2)[None]
    if rng.random() < 0.6 or cfg.scene.motorway:
        edge = cfg.half_width - cfg.parking - 0.15
        lines |= (np.abs(np.abs(x) - edge) < width / 2)[None]
    wear = np.concatenate([p.noise(0.7), p.noise(0.7)]) < rng.uniform(0.4, 2.5)
    paint = np.array([0.75, 0.75, 0.72]) * rng.uniform(0.5, 1.0)
    rgb[lines & wear] = paint
    if rng.random() < 0.25:  # yellow in the middle, as in America
        rgb[lines & wear & (off < 0.4)[None]] = paint * [1.0, 0.55, 0.08]


def _pavement(p: Painter) -> Image:
    """Return slabs, setts or plain concrete, 4 m square."""
    n, m = p.rng.choice([4, 8, 16, 32]), p.rng.choice([4, 8, 16])
    values, joint = p.bricks(int(n), int(m), p.rng.choice([0.0, 0.5]))
    image = p.tinted(p.colour(0.1, 0.36, 0.05), p.rng.uniform(0.1, 0.25), 0.9)
    spread = p.rng.uniform(0.1, 0.6)
    image[..., :3] *= (np.exp(spread * (values - 0.5)) * (1 - 0.5 * joint))[..., None]
    return image


def _roof(p: Painter) -> Image:
    """Return roof tiles, 4 m square."""
    values, joint = p.bricks(16, 16, 0.5)
    base = np.array([0.3, 0.14, 0.1]) if p.rng.random() < 0.5 else np.array([0.12, 0.12, 0.13])
    image = p.tinted(base * p.rng.uniform(0.6, 1.5), 0.15, 0.7)
    image[..., :3] *= (np.exp(0.5 * (values - 0.5)) * (1 - 0.4 * joint))[..., None]
    return image


def _facade(p: Painter, wall: Image, lit_share: float) -> Image:
    """Return a wall with WINDOWS x WINDOWS windows; the fourth channel marks glass and light."""
    rng, cell = p.rng, SIDE // WINDOWS
    image = wall.copy()
    image[..., 3] = 0
    w, h = int(cell * rng.uniform(0.3, 0.75)), int(cell * rng.uniform(0.4, 0.65))
    frame, sill = int(rng.integers(2, 7)), p.colour(0.1, 0.8, 0.05)
    bars, glass = rng.integers(1, 4), p.colour(0.02, 0.1, 0.15)
    if rng.random() < 0.4:  # a course between the floors
        rows = (np.arange(SIDE) % cell) < 8
        image[rows, :, :3] *= rng.uniform(0.5, 1.4)
    for i in range(WINDOWS):
        for j in range(WINDOWS):
            y, x = i * cell + (cell - h) // 2, j * cell + (cell - w) // 2
            image[y - frame : y + h + frame, x - frame : x + w + frame, :3] = sill
            pane = image[y : y + h, x : x + w]
            pane[..., :3] = glass * rng.uniform(0.6, 1.6)
            pane[int(h * rng.uniform(0.3, 1)) :, :, :3] *= rng.uniform(1, 5)  # a blind
            pane[:, : int(w * rng.uniform(0, 0.3)), :3] = rng.uniform(0.05, 0.5)  # a curtain
            lit = rng.random() < lit_share
            pane[..., 3] = rng.uniform(0.6, 1.0) if lit else 0.5
            for b in range(1, bars):
                pane[:, b * w // bars - 1 : b * w // bars + 2] = [*sill, 0]
            pane[h // 2 - 1 : h // 2 + 2] = [*sill, 0]
    return np.clip(image, 0, 1)


def _shop(p: Painter) -> Image:
    """Return four shop fronts side by side, one tile 16 m wide and 3.5 m high."""
    rng, image = p.rng, p.wall("plaster")
    image[..., 3] = 0
    for j in range(4):
        unit = image[:, j * 128 + 5 : (j + 1) * 128 - 5]
        unit[:430, :, :3] = p.colour(0.03, 0.5, 0.4)
        unit[430:, :, :3] = p.colour(0.05, 0.7, 0.5)
        ink = p.colour(0.02, 0.8, 0.3)
        for x in range(14, 100, 9):  # the letters of a sign
            unit[445:490, x : x + rng.integers(3, 8), :3] = ink
        wares = p.mosaic(32, 0.35)[:118, :118, :3] * 0.35
        pane = unit[70:400, 8:80]
        pane[..., :3] = wares[:24, :72:3].repeat(14, 0).repeat(3, 1)[:330, :72]
        pane[..., 3] = rng.uniform(0.6, 1.0) if rng.random() < 0.5 else 0.5
        unit[0:380, 86:112, :3] = p.colour(0.03, 0.4, 0.3)
    return np.clip(image, 0, 1)


def _signs(p: Painter) -> Image:
    """Return 4 x 4 signs and posters."""
    rng, cell = p.rng, SIDE // 4
    image = p.mosaic(4, 0.8)
    y, x = np.mgrid[0:cell, 0:cell] / cell - 0.5
    for i in range(16):
        part = image[i // 4 * cell : (i // 4 + 1) * cell, i % 4 * cell : (i % 4 + 1) * cell, :3]
        r = np.hypot(x, y) if rng.random() < 0.5 else np.maximum(np.abs(x), np.abs(y))
        part[r < 0.42] = p.colour(0.05, 0.8, 0.8)
        part[r < 0.32] = p.colour(0.3, 0.8, 0.2)
        bars = (np.sin(x * rng.uniform(10, 60)) * np.sin(y * rng.uniform(10, 90)) > 0.2) & (
            r < 0.3
        )
        part[bars] = p.colour(0.01, 0.3, 0.5)
    return image


_PAINTERS: dict[str, Callable[[Painter], Image]] = {
    "kerb": lambda p: p.tinted(p.colour(0.2, 0.5, 0.05), 0.2),
    "grass": lambda p: p.tinted(_green(p), p.rng.uniform(0.25, 0.6), 0.8),
    "field": lambda p: p.tinted(
        _green(p) if p.rng.random() < 0.5 else p.colour(0.1, 0.3, 0.2), 0.4, 0.7
    ),
    "hills": lambda p: p.tinted(_green(p) * 0.7, 0.5, 0.6),
    "bark": lambda p: p.tinted(np.array([0.16, 0.11, 0.08]) * p.rng.uniform(0.5, 1.6), 0.5, 0.7),
    "paint": lambda p: p.tinted(np.ones(3) * 0.9, 0.04, 0.4),
    "metal": lambda p: p.tinted(p.colour(0.1, 0.5, 0.1), 0.25, 0.5),
    "leaf": lambda p: p.tinted(_green(p), p.rng.uniform(0.4, 0.8), 0.7),
    "concrete": lambda p: p.wall("concrete"),
    "facade": lambda p: _facade(p, _wall(p), p.rng.uniform(0.05, 0.5)),
    "wall": lambda p: _wall(p),
    "pavement": _pavement,
    "roof": _roof,
    "sign": _signs,
    "shop": _shop,
    "road": _asphalt,
    "mix": Painter.mix,
}
