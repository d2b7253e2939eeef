"""Frames of one sequence: rays through the scene, shading, sensor, masks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from sdepth.camera import Camera
from training.data.drive import BLURRED, MOVING, OWN, SKY, TEXTURELESS
from training.synth import sensor, shade
from training.synth.bonnet import cover
from training.synth.config import FRAME_PERIOD_S, SequenceConfig
from training.synth.library import MATERIALS, library_of
from training.synth.lights import Light, lamps_at, light_at
from training.synth.motion import drive
from training.synth.night import wander
from training.synth.place import batch, place
from training.synth.road import Road
from training.synth.town import build_town
from training.synth.traffic import Mover, traffic

_METER_WIDTH = 64
_TEXTURELESS_STD = 0.02
_BLURRED_PX = 1.0
_FOLLOW_DAY = 0.2
_KEPT = 8
_QUARTERS = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float32)
_BEFORE_LAMP = np.array([0.12, 0, 0])


@dataclass(frozen=True)
class Rendered:
    """One frame: image (H, W, 3) uint8 RGB; depth (H, W) metres; mask (H, W) bits.

    Depth is 0 for sky and for the own bonnet, which the mask tells apart.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    mask: NDArray[np.uint8]


@dataclass(frozen=True)
class _Hits:
    """First hits of N rays: triangle (-1 none), t (metres along z), barycentric (N, 2)."""

    tri: NDArray[np.int32]
    t: NDArray[np.float32]
    bary: NDArray[np.float32]


@dataclass(frozen=True)
class _Moving:
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


class SequenceRenderer:
    """Renders any frame of one sequence, in any order, always to the same bytes."""

    def __init__(self, cfg: SequenceConfig) -> None:
        """Build road, town, traffic and drive of ``cfg``, and meter the exposure."""
        self.cfg = cfg
        self.road = Road(cfg)
        self.town = build_town(cfg, self.road)
        self.ego = drive(cfg, self.road)
        library = library_of(cfg)
        self.movers: list[Mover] = traffic(cfg, self.road, self.ego, library)
        self._vehicles = [library.take(m.kind, m.number) for m in self.movers]
        self._static = _scene(self.town.mesh.corners)
        self._count = len(self.town.mesh.corners)
        more = sum(len(v.mesh.corners) for v in self._vehicles)
        self._arrays = tuple(
            np.concatenate([a, np.zeros((more, *a.shape[1:]), a.dtype)])
            for a in self.town.mesh.shaded()
        )
        atlas = self.town.atlas
        numbers = MATERIALS["macro"].texture, MATERIALS["cloud"].texture
        self._atlas = (atlas.data, atlas.table, atlas.levels, *numbers)
        self._placed: dict[int, _Moving] = {}
        self._daylight = cfg.daylight()
        self.gains = self._meter()

    def frame(self, i: int) -> Rendered:
        """Return frame ``i``."""
        cfg, camera = self.cfg, self.cfg.camera
        light = light_at(cfg, self._daylight[i])
        movers = self._place_movers(i)
        radiance, albedo, hits = self._trace(i, camera, cfg.data.supersample, light, movers)
        sky, moving = hits.tri < 0, hits.tri >= self._count
        depth = np.where(sky, 0, hits.t)
        shutter = cfg.shutter_night_s * (1 - self._daylight[i])
        blurred = np.zeros_like(moving)
        if shutter > 0:
            smear = self._flow(i, camera, hits, movers) * np.float32(shutter / FRAME_PERIOD_S)
            radiance = sensor.motion_blur(radiance, smear)
            blurred = moving & (np.linalg.norm(smear, axis=-1) > _BLURRED_PX)
        mask = moving * MOVING + sky * SKY + (textureless(albedo) & ~sky) * TEXTURELESS
        mask = mask + blurred * BLURRED
        if cfg.bonnet is not None:
            radiance, own = cover(cfg.bonnet, radiance, light.ambient[0] + 0.5 * light.sun[3:])
            depth, mask = np.where(own, 0, depth), np.where(own, OWN, mask)
        rng = np.random.default_rng([cfg.data.seed, cfg.index, 99, i])
        image = sensor.expose(radiance, self.gains[i], cfg, self._daylight[i], rng)
        return Rendered(image, depth.astype(np.float32), mask.astype(np.uint8))

    def _meter(self) -> NDArray[np.float64]:
        """Return the gain of each frame: auto exposure on small images, followed slowly.

        By night it follows late, and the gain is off by what ``night.wander`` gives.
        """
        cfg, night, dark = self.cfg, self.cfg.night, 1 - self._daylight
        every = cfg.data.every
        height = max(round(_METER_WIDTH * cfg.data.height / cfg.data.width), 8)
        camera, gains = cfg.camera.resized(_METER_WIDTH, height), np.zeros(cfg.data.frames)
        wanted = np.zeros_like(gains)
        for i, day in enumerate(self._daylight):
            rgb, _, _ = self._trace(i, camera, 1, light_at(cfg, day), self._place_movers(i))
            wanted[i] = np.log(sensor.wanted_gain(rgb, cfg, day))
            seen = wanted[max(i - round(night.lag * dark[i] / every), 0)]
            follow = 1 - (1 - _FOLLOW_DAY * day - night.follow * dark[i]) ** every
            gains[i] = seen if i == 0 else (1 - follow) * gains[i - 1] + follow * seen
        off = wander(night, cfg.data.ticks, cfg.stream("gain"))[::every]
        return np.exp(gains + dark * off)

    def _place_movers(self, i: int) -> _Moving:
        """Return the traffic of frame ``i``; the shader's arrays are changed to match."""
        if i not in self._placed:
            if len(self._placed) == _KEPT:
                self._placed.clear()
            self._placed[i] = self._moving(i)
        moving = self._placed[i]
        for all_, own in zip(self._arrays, moving.shaded, strict=True):
            all_[self._count :] = own
        return moving

    def _moving(self, i: int) -> _Moving:
        """Return the traffic of frame ``i``, made anew."""
        if not self.movers:
            nothing = _scene(np.zeros((1, 3, 3), np.float32))
            none = tuple(a[:0] for a in self._arrays)
            return _Moving(nothing, none, [], np.zeros((0, 3)), np.zeros((0, 4), np.float32))
        tick = i * self.cfg.data.every
        s, d = (np.array([getattr(m, k)[tick : tick + 2] for m in self.movers]) for k in "sd")
        turn = np.array([m.turn for m in self.movers])
        R, t = self.road.place(s[:, 0], d[:, 0], turn, follow=True)
        speeds = self.road.point(s[:, 1], d[:, 1]) - t
        t[(s[:, 0] <= self.road.s[0]) | (s[:, 0] >= self.road.s[-1]), 2] -= 1000.0
        lamps = np.array([v.lamp_at() + _BEFORE_LAMP for v in self._vehicles])
        at, ahead = t + (R @ lamps[..., None])[..., 0], R[:, :, 0]
        heads = [(at[k], ahead[k]) for k, v in enumerate(self._vehicles) if v.lamp is not None]
        paint = np.array([m.colours for m in self.movers])
        meshes = [v.mesh for v in self._vehicles]
        placed = place([batch(meshes, R, t, colours=paint)], self.town.hue)
        count = np.array([len(m.texture) for m in meshes])
        first, points = 3 * (np.cumsum(count) - count), placed.corners.reshape(-1, 3)
        low, high = (f.reduceat(points, first) for f in (np.minimum, np.maximum))
        radius = np.linalg.norm(high - low, axis=1, keepdims=True) / 2
        spheres = np.hstack([(low + high) / 2, radius]).astype(np.float32)
        motion = speeds.repeat(count, 0)
        return _Moving(_scene(placed.corners), placed.shaded(), heads, motion, spheres)

    def _trace(
        self, i: int, camera: Camera, ss: int, light: Light, movers: _Moving
    ) -> tuple[NDArray, NDArray, _Hits]:
        """Return radiance (H, W, 3), albedo (H, W) and the hits (H, W) at pixel centres.

        With ``ss`` 2 the pixels that differ from their neighbours get 2 x 2 rays more, which
        then take the place of theirs. Which pixels the albedo does so in is the same by night.
        """
        T = self.ego.T_world_cam[i * self.cfg.data.every]
        dirs, step = _rays(camera, T)
        lamps = lamps_at(self.town.lamps, T, movers.heads, light.lamps_on, self.cfg)
        h, w = camera.height, camera.width
        rgb, albedo, hits = self._sample(T, dirs, step, light, lamps, movers)
        if ss > 1:
            shape, bright = shade.edges(hits.tri, hits.t, rgb, self._arrays, h, w)
            ask = np.flatnonzero(shape | bright)
            more = dirs[ask, None] + np.float32(0.25) * _QUARTERS @ step
            fine, flat, _ = self._sample(T, more.reshape(-1, 3), step / 2, light, lamps, movers)
            rgb[ask] = fine.reshape(-1, 4, 3).mean(1)
            albedo[shape] = flat.reshape(-1, 4).mean(1)[shape[ask]]
        rgb, albedo = rgb.reshape(h, w, 3), albedo.reshape(h, w)
        return rgb, albedo, _Hits(hits.tri.reshape(h, w), hits.t.reshape(h, w), hits.bary)

    def _sample(
        self,
        T: NDArray,
        dirs: NDArray,
        step: NDArray,
        light: Light,
        lamps: NDArray,
        movers: _Moving,
    ) -> tuple[NDArray, NDArray, _Hits]:
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
            self.town.covers,
        )
        return rgb, albedo, hits

    def _hit(self, origin: NDArray, dirs: NDArray, movers: _Moving) -> _Hits:
        """Return the first hits of rays from the camera at ``origin``."""
        start = np.ascontiguousarray(np.broadcast_to(origin, dirs.shape))
        out = self._static.run(start, dirs, output=True)
        tri, t = out["primID"].astype(np.int32), out["tfar"]
        bary = np.stack([out["u"], out["v"]], 1)
        ask = np.flatnonzero(shade.nearby(start, dirs, movers.spheres))
        if len(ask):
            out = movers.scene.run(start[ask], dirs[ask], output=True)
            near = (out["primID"] >= 0) & ((out["tfar"] < t[ask]) | (tri[ask] < 0))
            at = ask[near]
            tri[at], t[at] = out["primID"][near] + self._count, out["tfar"][near]
            bary[at, 0], bary[at, 1] = out["u"][near], out["v"][near]
        return _Hits(tri, t, bary)

    def _shadow(
        self,
        dirs: NDArray,
        origin: NDArray,
        hits: _Hits,
        light: Light,
        lamps: NDArray,
        movers: _Moving,
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
        near = np.flatnonzero(shade.nearby(start, to, movers.spheres))
        if len(near):
            free = movers.scene.run(start[near], to[near], reach[near], query="OCCLUDED") < 0
            seen[ask[near]] &= free
        return seen, which

    def _flow(self, i: int, camera: Camera, hits: _Hits, movers: _Moving) -> NDArray[np.float32]:
        """Return how pixels move until the next tick (H, W, 2)."""
        T_world_now, T_world_next = self.ego.T_world_cam[i * self.cfg.data.every :][:2]
        z = np.where(hits.tri < 0, 1e4, hits.t)[..., None]
        dirs, _ = _rays(camera, T_world_now)
        p = T_world_now[:3, 3] + z * dirs.reshape(camera.height, camera.width, 3)
        moving = hits.tri >= self._count
        if moving.any():
            p[moving] += movers.motion[hits.tri[moving] - self._count]
        q = (p - T_world_next[:3, 3]) @ T_world_next[:3, :3]
        uv = q[..., :2] / np.maximum(q[..., 2:], 0.3) * camera.fx + [camera.cx, camera.cy]
        v, u = np.mgrid[: camera.height, : camera.width]
        return (uv - np.stack([u, v], -1)).astype(np.float32)


def textureless(albedo: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where the albedo (H, W) is flat: deviation over 5 x 5 pixels under 2 % of its mean.

    Light plays no part in it, so a mask by night equals the mask by day.
    """
    mean = cv2.blur(albedo, (5, 5))
    square = cv2.blur(albedo * albedo, (5, 5))
    return np.sqrt(np.maximum(square - mean * mean, 0)) < _TEXTURELESS_STD * mean + 1e-6


def _scene(corners: NDArray[np.float32]) -> EmbreeScene:
    """Return the BVH of triangles (n, 3, 3)."""
    scene = EmbreeScene()
    TriangleMesh(scene, np.ascontiguousarray(corners, np.float32))
    return scene


def _rays(camera: Camera, T_world_cam: NDArray) -> tuple[NDArray, NDArray]:
    """Return rays (N, 3) with z = 1 in the camera, one per pixel, and their steps (2, 3)."""
    R = T_world_cam[:3, :3]
    x = ((np.arange(camera.width) - camera.cx) / camera.fx)[:, None] * R[:, 0]
    y = ((np.arange(camera.height) - camera.cy) / camera.fy)[:, None] * R[:, 1]
    dirs = y[:, None] + x[None] + R[:, 2]
    step = np.stack([R[:, 0] / camera.fx, R[:, 1] / camera.fy])
    return dirs.reshape(-1, 3).astype(np.float32), step.astype(np.float32)
