"""The road: a centre line in Frenet coordinates, its stretches of town, and the ground around it.

World frame: x east, y north, z up, metres. Along the road s grows, d is positive to its left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.synth.config import FRAME_PERIOD_S, SequenceConfig
from training.synth.mesh import Material, Mesh, join, quads
from training.synth.paint import ROAD_TILE_M

Numbers = float | NDArray[np.float64]
CITY, SUBURB, COUNTRY = 0, 1, 2
BEHIND_M, AHEAD_M = 60.0, 300.0
_STEP = 2.0


class Road:
    """Centre line, height, kind of town per side, and the shape of the ground."""

    def __init__(self, cfg: SequenceConfig) -> None:
        """Draw the road of ``cfg``, long enough for its drive and the view ahead."""
        rng = cfg.stream("road")
        self.cfg = cfg
        self.length = (cfg.speed + cfg.speed_swing) * cfg.data.ticks * FRAME_PERIOD_S
        self.s = np.arange(-BEHIND_M, self.length + AHEAD_M, 1.0)
        wave = 2 * np.pi / rng.uniform(120, 400, 2)
        self.curvature = cfg.curvature * np.sin(
            wave[:, None] * self.s + rng.uniform(0, 6.3, 2)[:, None]
        ).mean(0)
        at, long = rng.uniform(30, 120), rng.uniform(40, 80)
        self.curvature += cfg.bend * np.exp(-(((self.s - at) / long) ** 4))
        if cfg.scene.corner:
            radius = cfg.scene.corner * (cfg.half_width + cfg.pavement)
            far = self.s - cfg.scene.corner_at
            inside = (far > 0) & (far < abs(radius) * np.pi / 2)
            self.curvature = np.where(inside, 1 / radius, self.curvature * (np.abs(far) > 30))
            self.curvature = np.convolve(self.curvature, np.ones(5) / 5, "same")
        heading = np.cumsum(self.curvature)
        heading -= np.interp(0, self.s, heading)
        self._heading = heading
        self._x, self._y = np.cumsum(np.cos(heading)), np.cumsum(np.sin(heading))
        wide = 2 * np.pi / rng.uniform(150, 500, 2)
        amp = rng.uniform(0, 2.5, 2)
        self._z = (
            amp[:, None] * np.sin(wide[:, None] * self.s + rng.uniform(0, 6, 2)[:, None])
        ).sum(0)
        self._slope = np.gradient(self._z)
        self.kinds = {side: self._draw_kinds(cfg.stream("town"), side) for side in (1, -1)}
        self._kerb: dict[int, NDArray[np.float64]] = {}
        self._rise: dict[int, NDArray[np.float64]] = {}
        for side, kind in self.kinds.items():
            wide = np.exp(-(np.arange(-12, 13) ** 2) / 50)
            kerb = np.where(kind == COUNTRY, 0.02, 0.12)
            bank = rng.uniform(-0.06, 0.12, len(self.s) // 40 + 2)
            rise = np.interp(self.s, self.s[0] + 40 * np.arange(len(bank)), bank)
            rise = np.convolve(rise * (kind == COUNTRY), wide / wide.sum(), "same")
            self._kerb[side], self._rise[side] = kerb, rise

    def _draw_kinds(self, rng: np.random.Generator, side: int) -> NDArray[np.int64]:
        """Return the kind of town at each metre of one side."""
        kinds = np.zeros(len(self.s), np.int64)
        at, both = 0, rng.integers(0, 2**31)
        rng = np.random.default_rng([int(both), side + 1 if rng.random() < 0.5 else 5])
        while at < len(kinds):
            kind, end = rng.choice(3, p=self.cfg.town), at + int(rng.uniform(50, 220))
            kinds[at:end] = kind
            at = end
        return kinds

    def kind(self, s: Numbers, side: int) -> NDArray[np.int64]:
        """Return the kind of town at s on the left (+1) or right (-1)."""
        at = (np.asarray(s) - self.s[0]).astype(int)
        return self.kinds[side][np.clip(at, 0, len(self.s) - 1)]

    def heading(self, s: Numbers) -> NDArray[np.float64]:
        """Return the heading at s, radians from east."""
        return np.interp(s, self.s, self._heading)

    def slope(self, s: Numbers) -> NDArray[np.float64]:
        """Return dz/ds at s."""
        return np.interp(s, self.s, self._slope)

    def ground(self, s: Numbers, d: Numbers) -> NDArray[np.float64]:
        """Return the height of the ground at (s, d), metres."""
        s, d = np.broadcast_arrays(np.asarray(s, float), np.asarray(d, float))
        z = np.interp(s, self.s, self._z)
        out = np.abs(d) - self.cfg.half_width
        for side in (1, -1):
            kerb = np.interp(s, self.s, self._kerb[side])
            rise = np.interp(s, self.s, self._rise[side])
            extra = kerb + rise * np.maximum(out - self.cfg.pavement, 0)
            z = z + np.where((out > 1e-6) & (np.sign(d) == side), extra, 0)
        return z

    def point(self, s: Numbers, d: Numbers, above: Numbers = 0.0) -> NDArray[np.float64]:
        """Return world points (..., 3) ``above`` the ground at (s, d), metres."""
        h = self.heading(s)
        x = np.interp(s, self.s, self._x) - np.sin(h) * d
        y = np.interp(s, self.s, self._y) + np.cos(h) * d
        return np.stack(np.broadcast_arrays(x, y, self.ground(s, d) + above), -1)

    def place(
        self, s: NDArray, d: NDArray, turn: NDArray | float = 0.0, follow: bool = False
    ) -> tuple[NDArray, NDArray]:
        """Return R (n, 3, 3) and t (n, 3) of objects at (s, d), turned by ``turn`` radians.

        They stand upright, or, if they ``follow`` the road, pitch with its slope.
        """
        a = self.heading(s) + turn
        pitch = np.arctan(self.slope(s) * np.cos(turn)) if follow else np.zeros_like(a)
        ca, sa, cp, sp, o = np.cos(a), np.sin(a), np.cos(pitch), np.sin(pitch), np.zeros_like(a)
        ahead, left = np.stack([ca * cp, sa * cp, sp], -1), np.stack([-sa, ca, o], -1)
        return np.stack([ahead, left, np.cross(ahead, left)], -1), self.point(s, d)

    def clear(self, s: NDArray, d: NDArray, margin: float = 1.0) -> NDArray[np.bool_]:
        """Return whether (s, d) is nowhere nearer to the road than ``|d|``, but for ``margin``."""
        p = self.point(s, d)
        x, y = p[..., 0, None] - self._x[::2], p[..., 1, None] - self._y[::2]
        return np.sqrt((x * x + y * y).min(-1)) > np.abs(d) - margin

    def mesh(self, materials: dict[str, Material]) -> Mesh:
        """Return carriageway, kerbs, pavements, verges, terrain, plain and hills."""
        cfg = self.cfg
        s = np.arange(self.s[0], self.s[-1], _STEP)
        edge, outer = cfg.half_width, cfg.half_width + cfg.pavement
        lay = self.point(s[:, None], np.array([[-edge, edge]]))
        parts = [_strip(lay[:, 0], lay[:, 1], s / ROAD_TILE_M, 0, 1, materials["road"])]
        for side in (1, -1):
            kind = self.kinds[side][np.searchsorted(self.s, s)]
            reach = 0.8 / np.maximum(np.interp(s, self.s, self.curvature) * side, 1e-3)
            rail = [side * np.minimum(e, np.maximum(reach, outer)) for e in (outer, outer + 8, 70)]
            low, high = self.point(s, side * edge), self.point(s, side * (edge + 1e-3))
            parts.append(_strip(low, high, s / 4, 0, 0.05, materials["kerb"]))
            rails = [high, *(self.point(s, d) for d in rail)]
            for i, (paved, open_) in enumerate(
                [("pavement", "grass"), ("grass", "grass"), ("grass", "field")]
            ):
                wide = [0, cfg.pavement, cfg.pavement + 8, 66][i : i + 2]
                for name, mask in ((paved, kind != COUNTRY), (open_, kind == COUNTRY)):
                    m = materials[name]
                    parts.append(
                        _strip(
                            rails[i],
                            rails[i + 1],
                            s / m.tile,
                            wide[0] / m.tile,
                            wide[1] / m.tile,
                            m,
                            mask[:-1],
                        )
                    )
        return join([*parts, *self._horizon(materials)])

    def _horizon(self, materials: dict[str, Material]) -> list[Mesh]:
        """Return the plain below everything and two rings of hills and woods around it."""
        rng = self.cfg.stream("road")
        mid = np.array([self._x.mean(), self._y.mean()])
        reach = max(np.ptp(self._x), np.ptp(self._y)) / 2
        z0 = float(self._z.min()) - 1.5
        corner = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (reach + 1500) + mid
        plain = np.concatenate([corner, np.full((4, 1), z0)], 1)[None]
        parts = [quads(plain, materials["field"])]
        for far in (90.0, 350.0):
            a = np.linspace(0, 2 * np.pi, 161)
            height = sum(
                rng.uniform(0, 1) * np.sin(k * a + rng.uniform(0, 6.3)) / k**0.7
                for k in (2, 3, 5, 9, 17, 40, 79)
            )
            high = z0 + np.maximum(rng.uniform(0, 0.03) * far + 4 + height * 0.02 * far, 0.5)
            ring = mid + (reach + far) * np.stack([np.cos(a), np.sin(a)], 1)
            ring[-1], high[-1] = ring[0], high[0]
            foot = np.concatenate([ring, np.full((161, 1), z0)], 1)
            crest = np.concatenate([ring, high[:, None]], 1)
            parts.append(_strip(foot, crest, np.arange(161) / 3.0, 0, 0.5, materials["hills"]))
        return parts


def _strip(
    left: NDArray,
    right: NDArray,
    along: NDArray,
    u0: float,
    u1: float,
    material: Material,
    keep: NDArray[np.bool_] | None = None,
) -> Mesh:
    """Return the quads between two rails (n, 3); u runs across, v along."""
    corners = np.stack([left[:-1], right[:-1], right[1:], left[1:]], 1)
    v0, v1 = along[:-1], along[1:]
    a, b = np.full_like(v0, u0), np.full_like(v0, u1)
    uv = np.stack([np.stack(k, 1) for k in ((a, v0), (b, v0), (b, v1), (a, v1))], 1)
    if keep is not None:
        corners, uv = corners[keep], uv[keep]
    return quads(corners, material, uv)
