"""Frames of one sequence: exposure, motion, sensor, masks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.geometry.camera import Camera
from training.data.drive import BLURRED, MOVING, OWN, SKY, TEXTURELESS
from training.synth import sensor
from training.synth.bonnet import cover
from training.synth.config import FRAME_PERIOD_S, SequenceConfig
from training.synth.darkness import wander
from training.synth.library import library_of
from training.synth.lights import Light, lamps_at, light_at
from training.synth.motion import drive
from training.synth.place import batch, place
from training.synth.rays import bvh, rays
from training.synth.road import Road
from training.synth.street import build_street
from training.synth.trace import Hits, Moving, Tracer
from training.synth.traffic import Mover, traffic

_METER_WIDTH = 64
_TEXTURELESS_STD = 0.02
_BLURRED_PX = 1.0
_FOLLOW_DAY = 0.2
_KEPT = 8
_BEFORE_LAMP = np.array([0.12, 0, 0])


@dataclass(frozen=True)
class Rendered:
    """One frame: image (H, W, 3) uint8 RGB; depth (H, W) metres; mask (H, W) bits.

    Depth is 0 for sky and for the own bonnet, which the mask tells apart.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    mask: NDArray[np.uint8]


class SequenceRenderer:
    """Renders any frame of one sequence, in any order, always to the same bytes."""

    def __init__(self, cfg: SequenceConfig) -> None:
        """Build road, town, traffic and drive of ``cfg``, and meter the exposure."""
        self.cfg = cfg
        self.road = Road(cfg)
        self.street = build_street(cfg, self.road)
        self.ego = drive(cfg, self.road)
        library = library_of(cfg)
        self.movers: list[Mover] = traffic(cfg, self.road, self.ego, library)
        self._vehicles = [library.take(m.kind, m.number) for m in self.movers]
        self._tracer = Tracer(self.street, sum(len(v.mesh.corners) for v in self._vehicles))
        self._placed: dict[int, Moving] = {}
        self._daylight = cfg.daylight()
        self.gains = self._meter()

    def frame(self, i: int) -> Rendered:
        """Return frame ``i``."""
        cfg, camera = self.cfg, self.cfg.camera
        light = light_at(cfg, self._daylight[i])
        radiance, albedo, hits, movers = self._trace(i, camera, cfg.data.supersample, light)
        sky, moving = hits.tri < 0, hits.tri >= self._tracer.count
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
            rgb = self._trace(i, camera, 1, light_at(cfg, day))[0]
            wanted[i] = np.log(sensor.wanted_gain(rgb, cfg, day))
            seen = wanted[max(i - round(night.lag * dark[i] / every), 0)]
            follow = 1 - (1 - _FOLLOW_DAY * day - night.follow * dark[i]) ** every
            gains[i] = seen if i == 0 else (1 - follow) * gains[i - 1] + follow * seen
        off = wander(night, cfg.data.ticks, cfg.stream("gain"))[::every]
        return np.exp(gains + dark * off)

    def _trace(
        self, i: int, camera: Camera, ss: int, light: Light
    ) -> tuple[NDArray, NDArray, Hits, Moving]:
        """Return radiance, albedo and hits of frame ``i``, and its traffic."""
        if i not in self._placed:
            if len(self._placed) == _KEPT:
                self._placed.clear()
            self._placed[i] = self._moving(i)
        movers, T = self._placed[i], self.ego.T_world_cam[i * self.cfg.data.every]
        lamps = lamps_at(self.street.lamps, T, movers.heads, light.lamps_on, self.cfg)
        return *self._tracer.trace(T, camera, ss, light, lamps, movers), movers

    def _moving(self, i: int) -> Moving:
        """Return the traffic of frame ``i``."""
        if not self.movers:
            nothing = bvh(np.zeros((1, 3, 3), np.float32))
            none = tuple(a[:0] for a in self.street.mesh.shaded())
            return Moving(nothing, none, [], np.zeros((0, 3)), np.zeros((0, 4), np.float32))
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
        placed = place([batch(meshes, R, t, colours=paint)], self.street.hue)
        count = np.array([len(m.texture) for m in meshes])
        first, points = 3 * (np.cumsum(count) - count), placed.corners.reshape(-1, 3)
        low, high = (f.reduceat(points, first) for f in (np.minimum, np.maximum))
        radius = np.linalg.norm(high - low, axis=1, keepdims=True) / 2
        spheres = np.hstack([(low + high) / 2, radius]).astype(np.float32)
        motion = speeds.repeat(count, 0)
        return Moving(bvh(placed.corners), placed.shaded(), heads, motion, spheres)

    def _flow(self, i: int, camera: Camera, hits: Hits, movers: Moving) -> NDArray[np.float32]:
        """Return how pixels move until the next tick (H, W, 2)."""
        T_world_now, T_world_next = self.ego.T_world_cam[i * self.cfg.data.every :][:2]
        z = np.where(hits.tri < 0, 1e4, hits.t)[..., None]
        dirs, _ = rays(camera, T_world_now)
        p = T_world_now[:3, 3] + z * dirs.reshape(camera.height, camera.width, 3)
        moving = hits.tri >= self._tracer.count
        if moving.any():
            p[moving] += movers.motion[hits.tri[moving] - self._tracer.count]
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
