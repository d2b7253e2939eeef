"""Frames of one sequence: rays through the scene, shading, sensor, masks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from sdepth.camera import Camera
from training.data.drive import BLURRED, MOVING, SKY, TEXTURELESS
from training.synth import sensor, shade
from training.synth.config import FRAME_PERIOD_S, SequenceConfig
from training.synth.lights import Light, lamps_at, light_at
from training.synth.mesh import Mesh, join, uv_gradients
from training.synth.motion import Mover, drive, traffic
from training.synth.night import wander
from training.synth.road import Road
from training.synth.town import build_town

_METER_WIDTH = 64
_TEXTURELESS_STD = 0.02
_BLURRED_PX = 1.0
_FOLLOW_DAY = 0.2


@dataclass(frozen=True)
class Rendered:
    """One frame: image (H, W, 3) uint8 RGB; depth (H, W) metres, 0 for sky; mask (H, W) bits."""

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    mask: NDArray[np.uint8]


@dataclass(frozen=True)
class _Hits:
    """First hits of N rays: triangle (-1 none), t (metres along z), barycentric (N, 2)."""

    tri: NDArray[np.int32]
    t: NDArray[np.float32]
    bary: NDArray[np.float32]


class SequenceRenderer:
    """Renders any frame of one sequence, in any order, always to the same bytes."""

    def __init__(self, cfg: SequenceConfig) -> None:
        """Build road, town, traffic and drive of ``cfg``, and meter the exposure."""
        self.cfg = cfg
        self.road = Road(cfg)
        self.town = build_town(cfg, self.road)
        self.ego = drive(cfg, self.road)
        self.movers: list[Mover] = traffic(cfg, self.road, self.ego, self.town.materials)
        self._static = _scene(self.town.mesh.corners)
        self._count = len(self.town.mesh.corners)
        self._arrays = _shader_arrays(join([self.town.mesh, *(m.car.mesh for m in self.movers)]))
        names = list(self.town.materials)
        atlas = self.town.atlas
        self._atlas = (
            atlas.data,
            atlas.table,
            atlas.levels,
            names.index("macro"),
            names.index("cloud"),
        )
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
        rng = np.random.default_rng([cfg.data.seed, cfg.index, 99, i])
        image = sensor.expose(radiance, self.gains[i], cfg, self._daylight[i], rng)
        mask = moving * MOVING + sky * SKY + (textureless(albedo) & ~sky) * TEXTURELESS
        mask = mask + blurred * BLURRED
        return Rendered(image, depth.astype(np.float32), mask.astype(np.uint8))

    def _meter(self) -> NDArray[np.float64]:
        """Return the gain of each frame: auto exposure on small images, followed slowly.

        By night it follows late, and the gain is off by what ``night.wander`` gives.
        """
        cfg, night, dark = self.cfg, self.cfg.night, 1 - self._daylight
        height = max(round(_METER_WIDTH * cfg.data.height / cfg.data.width), 8)
        camera, gains = cfg.camera.resized(_METER_WIDTH, height), np.zeros(cfg.data.frames)
        wanted = np.zeros_like(gains)
        for i, day in enumerate(self._daylight):
            rgb, _, _ = self._trace(i, camera, 1, light_at(cfg, day), self._place_movers(i))
            wanted[i] = np.log(sensor.wanted_gain(rgb, cfg, day))
            seen = wanted[max(i - round(night.lag * dark[i]), 0)]
            follow = _FOLLOW_DAY * day + night.follow * dark[i]
            gains[i] = seen if i == 0 else (1 - follow) * gains[i - 1] + follow * seen
        return np.exp(gains + dark * wander(night, len(gains), cfg.stream("gain")))

    def _place_movers(self, i: int) -> tuple[EmbreeScene | None, list, NDArray]:
        """Return the traffic of frame ``i``: scene, headlights, motion of triangles (n, 3).

        The shader's arrays are changed to match.
        """
        meshes: list[Mesh] = []
        heads, speeds = [], []
        for m in self.movers:
            inside = self.road.s[0] < m.s[i] < self.road.s[-1]
            turn = 0.0 if m.ahead > 0 else np.pi
            R, t = self.road.place(m.s[i], m.d[i], turn, 0.0 if inside else -1000.0)
            meshes.append(m.car.mesh.placed(R, t))
            x, _, z = m.car.head
            heads.append((t + R @ [x + 0.12, 0, z], R[:, 0]))
            j = i + 1 if i + 1 < len(m.s) else i - 1
            now, then = self.road.point(m.s[[i, j]], m.d[[i, j]]) if j >= 0 else (t, t)
            speeds.append(np.tile((then - now) * (j - i), (len(m.car.mesh.corners), 1)))
        if not meshes:
            return None, [], np.zeros((0, 3))
        mesh = join(meshes)
        normals, uv0, grad = self._arrays[:3]
        normals[self._count :] = mesh.normals
        uv0[self._count :], grad[self._count :] = uv_gradients(mesh.corners, mesh.uv)
        return _scene(mesh.corners), heads, np.concatenate(speeds)

    def _trace(
        self, i: int, camera: Camera, ss: int, light: Light, movers: tuple
    ) -> tuple[NDArray, NDArray, _Hits]:
        """Return radiance (H, W, 3), albedo (H, W) and the hits (H, W) at pixel centres."""
        T = self.ego.T_world_cam[i]
        dirs, step = _rays(camera, T, ss)
        hits = self._hit(T, dirs, movers[0])
        origin = T[:3, 3].astype(np.float32)
        lamps = lamps_at(self.town.lamps, T, movers[1], light.lamps_on, self.cfg)
        seen, which = self._shadow(dirs, origin, hits, light, lamps, movers[0])
        misc = np.array([light.haze_m, light.lamps_on, 1 / (camera.fx * ss)], np.float32)
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
        )
        h, w = camera.height, camera.width
        rgb = rgb.reshape(h, ss, w, ss, 3).mean((1, 3))
        albedo = albedo.reshape(h, ss, w, ss).mean((1, 3))
        if ss > 1:
            hits = self._hit(T, _rays(camera, T, 1)[0], movers[0])
        return rgb, albedo, _Hits(hits.tri.reshape(h, w), hits.t.reshape(h, w), hits.bary)

    def _hit(self, T: NDArray, dirs: NDArray, moving: EmbreeScene | None) -> _Hits:
        """Return the first hits of rays from the camera at T."""
        origin = np.broadcast_to(T[:3, 3].astype(np.float32), dirs.shape)
        origin = np.ascontiguousarray(origin)
        out = self._static.run(origin, dirs, output=True)
        tri, t = out["primID"], out["tfar"]
        bary = np.stack([out["u"], out["v"]], 1)
        if moving is not None:
            out = moving.run(origin, dirs, output=True)
            near = (out["primID"] >= 0) & ((out["tfar"] < t) | (tri < 0))
            tri = np.where(near, out["primID"] + self._count, tri)
            t = np.where(near, out["tfar"], t)
            bary = np.where(near[:, None], np.stack([out["u"], out["v"]], 1), bary)
        return _Hits(tri.astype(np.int32), t.astype(np.float32), bary.astype(np.float32))

    def _shadow(
        self,
        dirs: NDArray,
        origin: NDArray,
        hits: _Hits,
        light: Light,
        lamps: NDArray,
        moving: EmbreeScene | None,
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
        for scene in (self._static, moving):
            if scene is not None and len(ask):
                seen[ask] &= scene.run(start, to, reach, query="OCCLUDED") < 0
        return seen, which

    def _flow(self, i: int, camera: Camera, hits: _Hits, movers: tuple) -> NDArray[np.float32]:
        """Return how pixels move until the next frame (H, W, 2)."""
        j = i + 1 if i + 1 < self.cfg.data.frames else i - 1
        T = self.ego.T_world_cam
        if j < 0:
            return np.zeros((camera.height, camera.width, 2), np.float32)
        z = np.where(hits.tri < 0, 1e4, hits.t)[..., None]
        dirs, _ = _rays(camera, T[i], 1)
        p = T[i, :3, 3] + z * dirs.reshape(camera.height, camera.width, 3)
        moving = hits.tri >= self._count
        if moving.any():
            p[moving] += movers[2][hits.tri[moving] - self._count] * (j - i)
        q = (p - T[j, :3, 3]) @ T[j, :3, :3]
        uv = q[..., :2] / np.maximum(q[..., 2:], 0.3) * camera.fx + [camera.cx, camera.cy]
        v, u = np.mgrid[: camera.height, : camera.width]
        return ((uv - np.stack([u, v], -1)) * (j - i)).astype(np.float32)


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


def _shader_arrays(mesh: Mesh) -> tuple:
    """Return the arrays of ``mesh`` as ``shade`` takes them."""
    uv0, grad = uv_gradients(mesh.corners, mesh.uv)
    return (
        mesh.normals.copy(),
        uv0,
        grad,
        mesh.texture,
        mesh.tint,
        mesh.emit,
        mesh.gloss,
        mesh.ground,
    )


def _rays(camera: Camera, T_world_cam: NDArray, ss: int) -> tuple[NDArray, NDArray]:
    """Return rays (N, 3) with z = 1 in the camera, ss x ss per pixel, and their steps (2, 3)."""
    u = (np.arange(camera.width * ss) + 0.5) / ss - 0.5
    v = (np.arange(camera.height * ss) + 0.5) / ss - 0.5
    R = T_world_cam[:3, :3]
    x = ((u - camera.cx) / camera.fx)[:, None] * R[:, 0]
    y = ((v - camera.cy) / camera.fy)[:, None] * R[:, 1]
    dirs = y[:, None] + x[None] + R[:, 2]
    step = np.stack([R[:, 0] / (camera.fx * ss), R[:, 1] / (camera.fy * ss)])
    return dirs.reshape(-1, 3).astype(np.float32), step.astype(np.float32)
