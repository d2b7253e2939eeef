"""Rays of a camera, what they are traced through, and which of them need a closer look."""

from __future__ import annotations

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numba import njit
from numpy.typing import NDArray

from sdepth.geometry.camera import Camera

_jit = njit(cache=True, fastmath=True, nogil=True)


def bvh(corners: NDArray[np.float32]) -> EmbreeScene:
    """Return the BVH of triangles (n, 3, 3)."""
    scene = EmbreeScene()
    TriangleMesh(scene, np.ascontiguousarray(corners, np.float32))
    return scene


def rays(camera: Camera, T_world_cam: NDArray) -> tuple[NDArray, NDArray]:
    """Return rays (N, 3) with z = 1 in the camera, one per pixel, and their steps (2, 3)."""
    R = T_world_cam[:3, :3]
    x = ((np.arange(camera.width) - camera.cx) / camera.fx)[:, None] * R[:, 0]
    y = ((np.arange(camera.height) - camera.cy) / camera.fy)[:, None] * R[:, 1]
    dirs = y[:, None] + x[None] + R[:, 2]
    step = np.stack([R[:, 0] / camera.fx, R[:, 1] / camera.fy])
    return dirs.reshape(-1, 3).astype(np.float32), step.astype(np.float32)


@_jit
def nearby(start, to, spheres):  # noqa: ANN001, ANN201
    """Return which rays from ``start`` (N, 3) towards ``to`` (N, 3) meet a sphere (M, 4)."""
    n = len(start)
    hit = np.zeros(n, np.bool_)
    for i in range(n):
        inv = 1 / (to[i, 0] ** 2 + to[i, 1] ** 2 + to[i, 2] ** 2)
        for m in range(len(spheres)):
            along, r2 = np.float32(0), np.float32(0)
            for c in range(3):
                along += (spheres[m, c] - start[i, c]) * to[i, c]
            along = max(along * inv, np.float32(0))
            for c in range(3):
                r2 += (start[i, c] + along * to[i, c] - spheres[m, c]) ** 2
            if r2 < spheres[m, 3] ** 2:
                hit[i] = True
                break
    return hit


@_jit
def edges(tri, t, rgb, mesh, height, width):  # noqa: ANN001, ANN201
    """Return where surfaces change (N,), and where brightness does, of pixels in rows.

    A surface changes with its texture, tint, facing, or by a jump in depth of what is upright.
    """
    normals, number, tint, ground = mesh[0], mesh[3], mesh[4], mesh[7]
    shape, bright = np.zeros(len(t), np.bool_), np.zeros(len(t), np.bool_)
    for i in range(len(t)):
        for side in range(2):
            j = i + 1 if side == 0 else i + width
            if (side == 0 and (i + 1) % width == 0) or j >= height * width:
                continue
            a, b = tri[i], tri[j]
            if a != b:
                differs = a < 0 or b < 0
                if not differs:
                    differs = number[a] != number[b]
                    dot = np.float32(0)
                    for c in range(3):
                        differs |= tint[a, c] != tint[b, c]
                        dot += normals[a, 0, c] * normals[b, 0, c]
                    differs |= dot < 0.9
                    differs |= not ground[a] and abs(t[i] - t[j]) > 0.1 * min(t[i], t[j])
                if differs:
                    shape[i] = shape[j] = True
            x = rgb[i, 0] + rgb[i, 1] + rgb[i, 2] + np.float32(1e-3)
            y = rgb[j, 0] + rgb[j, 1] + rgb[j, 2] + np.float32(1e-3)
            if x > 1.35 * y or y > 1.35 * x:
                bright[i] = bright[j] = True
    return shape, bright
