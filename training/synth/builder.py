"""Collects what stands along a road, and places it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.synth.config import SequenceConfig
from training.synth.library import MATERIALS, OBJECTS, Library
from training.synth.place import Batch, batch
from training.synth.road import Road

_LOW = ("car", "van", "lorry", "guard_rail", "jersey", "noise_wall", "person", "clutter", "bush")
_MARGINS = {"building": 14.0, "house": 12.0, "tree": 6.0, "street_tree": 4.0}
"""What may stand below a bridge, and how far from it the rest stays."""
_FEW = 14
"""Of one kind in one street: neighbours look alike, and less has to be made."""
Rng = np.random.Generator


class Builder:
    """Collects the objects of a town; one random stream per call of ``stream``."""

    def __init__(self, cfg: SequenceConfig, road: Road, library: Library) -> None:
        """Start with the ground."""
        self.cfg, self.road, self.library = cfg, road, library
        self.batches: list[Batch] = [
            batch([road.mesh(MATERIALS)], np.eye(3)[None], np.zeros((1, 3)))
        ]
        self.lamps: list[NDArray] = []
        self.covers: list[list[float]] = []
        self.objects: dict[str, int] = {}
        seeds = cfg.stream("town").integers(0, 2**62, 64)
        self._streams = iter(np.random.default_rng(s) for s in seeds)

    def stream(self) -> Rng:
        """Return the next random stream."""
        return next(self._streams)

    def stops(self, side: int, low: float, high: float) -> tuple[Rng, NDArray, NDArray]:
        """Return a stream, places s (n,) in steps of low to high metres, and the kind there."""
        rng, first, last = self.stream(), self.road.s[0] + 5, self.road.s[-1] - 5
        s = first + np.cumsum(rng.uniform(low, high, int((last - first) / low) + 1))
        s = s[s < last]
        return rng, s, self.road.kind(s, side)

    def put(
        self,
        kind: str,
        numbers: NDArray,
        s: NDArray,
        d: NDArray | float,
        turn: ArrayLike = 0.0,
        follow: bool = False,
        **looks: NDArray | float,
    ) -> None:
        """Place objects of the library; ``looks`` are scale, colours and glow as in ``batch``.

        They turn their road side (y < 0) to the road, or, if they ``follow`` it, drive along it.
        """
        d = np.broadcast_to(np.asarray(d, float), s.shape)
        turn = np.asarray(turn, float) + (0.0 if follow else np.where(d > 0, 0.0, np.pi))
        free = np.ones(len(s), bool)
        for o in self.cfg.scene.overhead if kind not in _LOW else ():
            free &= (np.abs(s - o.ahead) > o.long / 2 + _MARGINS.get(kind, 1.5)) | (
                o.kind == "gantry"
            )
        if not free.any():
            return
        turn = np.broadcast_to(turn, s.shape)
        R, t = self.road.place(s[free], d[free], turn[free], follow)
        meshes = [self.library.take(kind, int(k)).mesh for k in numbers[free]]
        sized = {
            k: v[free] if isinstance(v, np.ndarray) and len(v) == len(s) else v
            for k, v in looks.items()
        }
        self.batches.append(batch(meshes, R, t, **sized))
        self.objects[kind] = self.objects.get(kind, 0) + len(meshes)

    def draw(self, rng: Rng, kind: str, n: int) -> NDArray[np.int64]:
        """Return n random numbers of objects of ``kind``, from the few this street has."""
        few = rng.permutation(OBJECTS[kind][0])[:_FEW]
        return few[rng.integers(0, len(few), n)]


def colours(rng: Rng, n: int, spread: float = 0.25, hue: float = 0.1) -> NDArray[np.float64]:
    """Return colours (n, 2, 3) about white, to vary objects with."""
    return np.exp(rng.normal(0, spread, (n, 2, 1)) + rng.normal(0, hue, (n, 2, 3))).clip(0, 1.8)


def clothes(rng: Rng, n: int) -> NDArray[np.float64]:
    """Return the colours of coats and legs (n, 2, 3)."""
    return rng.uniform(0.02, [[0.5], [0.2]], (n, 2, 3))


def scatter(
    b: Builder, rng: Rng, name: str, s: NDArray, d: NDArray, keep: NDArray[np.bool_]
) -> None:
    """Place plants where ``keep``, turned and sized at random."""
    n = int(keep.sum())
    size = np.exp(rng.normal(0, 0.15, (n, 1)) + rng.normal(0, 0.08, (n, 3)))
    look = colours(rng, n, 0.2)
    b.put(
        name,
        b.draw(rng, name, n),
        s[keep],
        d[keep],
        rng.uniform(0, 6.3, n),
        scale=size,
        colours=look,
    )
