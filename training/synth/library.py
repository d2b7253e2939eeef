"""What neighbouring streets share: textures and objects, each made when first asked for.

A street chooses from the library of its block of sequences and varies what it takes in size and
colour. An item is a function of its library and its own number alone, so that it does not matter
which streets were built before.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.synth import buildings, props, riders, structures, vehicles
from training.synth.cars import make_car
from training.synth.config import SequenceConfig
from training.synth.mesh import Material, Mesh
from training.synth.paint import NAMES, VARIANTS, marked_road, paint
from training.synth.textures import Atlas, Packed, Painter, gather, noise_fields, pack

_BLOCK = 100
"""Sequences that share a library."""
_TILES = {"grass": 8.0, "field": 16.0, "hills": 30.0, "kerb": 2.0, "bark": 2.0, "plain": 1.0}
_GROUND = ("road", "pavement", "grass", "field")
MATERIALS = {
    name: Material(
        i,
        tile=_TILES.get(name, 4.0),
        ground=name in _GROUND,
        gloss=0.12 if name == "paint" else 0.0,
    )
    for i, name in enumerate(NAMES)
}
_LAMP_EMIT = 5.0
_UNTINTED = ("plain", "cloud", "macro", "road", "sign")
Rng = np.random.Generator
OBJECTS: dict[str, tuple[int, Callable[[Rng], Mesh]]] = {
    "car": (30, lambda r: make_car(r, MATERIALS)),
    "building": (36, lambda r: buildings.building(r, MATERIALS, r.uniform(8, 22))),
    "house": (24, lambda r: buildings.house(r, MATERIALS, r.uniform(8, 14))),
    "street_tree": (12, lambda r: props.tree(r, MATERIALS, True)),
    "tree": (24, lambda r: props.tree(r, MATERIALS)),
    "bush": (12, lambda r: props.bush(r, MATERIALS)),
    "barrier": (20, lambda r: props.barrier(r, MATERIALS, 7.0, False)),
    "field_barrier": (12, lambda r: props.barrier(r, MATERIALS, 7.0, True)),
    "sign": (16, lambda r: props.sign(r, MATERIALS)),
    "clutter": (20, lambda r: props.clutter(r, MATERIALS)),
    "person": (16, lambda r: props.person(r, MATERIALS)),
    "pole": (3, lambda r: props.pole(MATERIALS, r.uniform(6.5, 9))),
    "lorry": (16, lambda r: vehicles.lorry(r, MATERIALS)),
    "van": (12, lambda r: vehicles.van(r, MATERIALS)),
    "bus": (8, lambda r: vehicles.bus(r, MATERIALS)),
    "motorcycle": (6, lambda r: riders.motorcycle(r, MATERIALS)),
    "bicycle": (8, lambda r: riders.bicycle(r, MATERIALS)),
    "walker": (12, lambda r: props.person(r, MATERIALS, r.uniform(0.15, 0.4))),
    "guard_rail": (4, lambda r: structures.guard_rail(r, MATERIALS)),
    "jersey": (3, lambda r: structures.jersey(r, MATERIALS)),
    "noise_wall": (10, lambda r: structures.noise_wall(r, MATERIALS)),
    "lamp_post": (12, lambda r: props.lamp_post(MATERIALS, r.uniform(6, 9), r.uniform(0.8, 2.2))),
}
"""How many of each kind a library holds, and what makes one."""


@dataclass(frozen=True)
class Item:
    """An object: its mesh, its ``size`` (3,) along its own axes, and where its lamp is, if any."""

    mesh: Mesh
    size: NDArray[np.float32]
    lamp: NDArray[np.float32] | None

    def lamp_at(self) -> NDArray[np.float32]:
        """Return where the lamp is; the origin where there is none."""
        return np.zeros(3, np.float32) if self.lamp is None else self.lamp


def _item(mesh: Mesh) -> Item:
    """Return ``mesh`` measured; its lamp is amid its strongest white light."""
    points, bright = mesh.corners.reshape(-1, 3), mesh.emit[:, 2] > _LAMP_EMIT
    lamp = mesh.corners[bright].mean((0, 1)) if bright.any() else None
    return Item(mesh, np.ptp(points, 0), lamp)


class Library:
    """The textures and objects of one block of streets."""

    def __init__(self, seed: int, block: int) -> None:
        """Start empty."""
        self._key = (seed, block)
        self._made: dict[tuple[str, int], Any] = {}

    def painter(self, rng: Rng) -> Painter:
        """Return a painter with the library's noise."""
        return Painter(rng, self._get("noise", 0, noise_fields))

    def take(self, kind: str, number: int) -> Item:
        """Return object ``number`` of ``kind``, one of ``OBJECTS``."""
        return self._get(kind, number, lambda r: _item(OBJECTS[kind][1](r)))

    def texture(self, kind: str, number: int) -> Packed:
        """Return texture ``number`` of ``kind``."""
        return self._get(f"{kind} texture", number, lambda r: pack(paint(kind, self.painter(r))))

    def asphalt(self, number: int) -> NDArray[np.float32]:
        """Return bare asphalt to paint a road's markings on."""
        return self._get("asphalt", number, lambda r: paint("road", self.painter(r)))

    def _get(self, kind: str, number: int, make: Callable[[Rng], Any]) -> Any:
        """Return what was made before, or make it from its own stream."""
        if (kind, number) not in self._made:
            self._made[kind, number] = make(self._stream(kind, number))
        return self._made[kind, number]

    def _stream(self, kind: str, number: int) -> Rng:
        """Return the random stream of one item."""
        return np.random.default_rng([*self._key, zlib.crc32(kind.encode()), number])


@lru_cache(maxsize=1)
def _library(seed: int, block: int) -> Library:
    """Return a library; the last one is kept."""
    return Library(seed, block)


def library_of(cfg: SequenceConfig) -> Library:
    """Return the library a sequence takes its textures and objects from."""
    return _library(cfg.data.seed, cfg.index // _BLOCK)


def dress(cfg: SequenceConfig, library: Library) -> tuple[Atlas, NDArray[np.float64]]:
    """Return the textures of a street, and the hue (textures, 3) each is tinted with."""
    rng = cfg.stream("texture")
    order = {kind: list(rng.permutation(n)) for kind, n in VARIANTS.items()}
    hue = np.exp(rng.normal(0, 0.2, (len(NAMES), 1)) + rng.normal(0, 0.07, (len(NAMES), 3)))
    road = marked_road(library.painter(rng), library.asphalt(order["road"][0]), cfg)
    chosen = []
    for i, name in enumerate(NAMES):
        kind = name.rstrip("0123456789")
        if kind in _UNTINTED:
            hue[i] = 1.0
        chosen.append(
            pack(road) if name == "road" else library.texture(kind, int(order[kind].pop()))
        )
    return gather(chosen), hue
