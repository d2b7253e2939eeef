"""Rays through a street and its traffic: what they hit, and the light that comes back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from sdepth.geometry.camera import Camera
from training.synth import shade
from training.synth.library import MATERIALS
from training.synth.lights import Light
from training.synth.rays import bvh, edges, nearby, rays
from training.synth.street import Street

_QUARTERS = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float32)


@dataclass(frozen=True)
class Hits:
    """First hits of N rays: triangle (-1 none), t (metres along z), barycentric (N, 2)."""

    tri: NDArray[np.int32]
    t: NDArray[np.float32]
    bary: NDArray[np.float32]


@dataclass(frozen=True)
class Moving:
    """The traffic of one frame.

    Attributes:
        scene: its triangles; ``shaded`` what the shader takes of them.
        heads: position and direction of the headlights.
        motion: of each triangle until the next tick (n, 3).
        spheres: around each vehicle (m, 4), centre and radius.
    """

    scene: EmbreeScene
    shaded: tuple[NDArray, ...]
    heads: list[tuple[NDArray, NDArray]]
    motion: NDArray[np.float64]
    spheres: NDArray[np.float32]


class Tracer:
    """Traces rays through a street and, one frame at a time, its traffic."""

    def __init__(self, street: Street, more: int) -> None:
        """Take the street, and room for ``more`` triangles that move."""
        self._static = bvh(street.mesh.corners)
        self.count = len(street.mesh.corners)
        """Triangles of the street; those of the traffic come after them."""
        self._arrays = tuple(
            np.concatenate([a, np.zeros((more, *a.shape[1:]), a.dtype)])
            for a in street.mesh.shaded()
        )
        atlas = street.atlas
        numbers = MATERIALS["macro"].texture, MATERIALS["cloud"].texture
        self._atlas = (atlas.data, atlas.table, atlas.levels, *numbers)
        self._covers = street.covers

    def trace(
        self,
        T: NDArray,
        camera: Camera,
        ss: int,
        light: Light,
        lamps: NDArray,
        movers: Moving,
    ) -> tuple[NDArray, NDArray, Hits]:
        """Return radiance (H, W, 3), albedo (H, W) and the hits (H, W) at pixel centres.

        ``T`` (4, 4) is T_world_cam, ``lamps`` (K, 10) are as ``lamps_at`` gives them.

        With ``ss`` 2 the pixels that differ from their neighbours get 2 x 2 rays more, which
        then take the place of theirs. Which pixels the albedo does so in is the same by night.
        """
        for all_, own in zip(self._arrays, movers.shaded, strict=True):
            all_[self.count :] = own
        dirs, step = rays(camera, T)
        h, w = camera.height, camera.width
        rgb, albedo, hits = self._sample(T, dirs, step, light, lamps, movers)
        if ss > 1:
            shape, bright = edges(hits.tri, hits.t, rgb, self._arrays, h, w)
            ask = np.flatnonzero(shape | bright)
            more = dirs[ask, None] + np.float32(0.25) * _QUARTERS @ step
            fine, flat, _ = self._sample(T, more.reshape(-1, 3), step / 2, light, lamps, movers)
            rgb[ask] = fine.reshape(-1, 4, 3).mean(1)
            albedo[shape] = flat.reshape(-1, 4).mean(1)[shape[ask]]
        rgb, albedo = rgb.reshape(h, w, 3), albedo.reshape(h, w)
        return rgb, albedo, Hits(hits.tri.reshape(h, w), hits.t.reshape(h, w), hits.bary)

    def _sample(
        self,
        T: NDArray,
        dirs: NDArray,
        step: NDArray,
        light: Light,
        lamps: NDArray,
        movers: Moving,
    ) -> tuple[NDArray, NDArray, Hits]:
        """Return radiance (N, 3), albedo (N,) and hits of rays ``dirs`` (N, 3) from T."""
        origin = T[:3, 3].astype(np.float32)
        hits = self._hit(origin, dirs, movers)
        seen, which = self._shadow(dirs, origin, hits, light, lamps, movers)
        angle = np.linalg.norm(step[0])
        misc = np.array([light.haze_m, light.lamps_on, angle], np.float32)
        rgb, albedo = shade.shade(
            dirs,
            origin,
            hits.t,
            hits.tri,
            hits.bary,
            step,
            self._arrays,
            self._atlas,
            light.ambient,
            light.sun,
            lamps,
            seen,
            which,
            light.sky,
            misc,
            self._covers,
        )
        return rgb, albedo, hits

    def _hit(self, origin: NDArray, dirs: NDArray, movers: Moving) -> Hits:
        """Return the first hits of rays from the camera at ``origin``."""
        start = np.ascontiguousarray(np.broadcast_to(origin, dirs.shape))
        out = self._static.run(start, dirs, output=True)
        tri, t = out["primID"].astype(np.int32), out["tfar"]
        bary = np.stack([out["u"], out["v"]], 1)
        ask = np.flatnonzero(nearby(start, dirs, movers.spheres))
        if len(ask):
            out = movers.scene.run(start[ask], dirs[ask], output=True)
            near = (out["primID"] >= 0) & ((out["tfar"] < t[ask]) | (tri[ask] < 0))
            at = ask[near]
            tri[at], t[at] = out["primID"][near] + self.count, out["tfar"][near]
            bary[at, 0], bary[at, 1] = out["u"][near], out["v"][near]
        return Hits(tri, t, bary)

    def _shadow(
        self,
        dirs: NDArray,
        origin: NDArray,
        hits: Hits,
        light: Light,
        lamps: NDArray,
        movers: Moving,
    ) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
        """Return whether the main light of each sample is seen, and which lamp that is."""
        start, to, wanted, which = shade.surface(
            dirs,
            origin,
            hits.t,
            hits.tri,
            hits.bary,
            self._arrays[0],
            light.sun[:3],
            lamps,
            len(lamps) > 0,
        )
        seen = np.ones(len(dirs), np.bool_)
        if not len(lamps) and light.sun[3] < 0.02:
            return seen, which
        ask = np.flatnonzero(wanted)
        start, to = start[ask], to[ask]
        reach = np.full(len(ask), 0.98 if len(lamps) else 1e9, np.float32)
        if len(ask):
            seen[ask] = self._static.run(start, to, reach, query="OCCLUDED") < 0
        near = np.flatnonzero(nearby(start, to, movers.spheres))
        if len(near):
            free = movers.scene.run(start[near], to[near], reach[near], query="OCCLUDED") < 0
            seen[ask[near]] &= free
        return seen, which
