"""Per-ray shading, compiled: surfaces, textures with ray differentials, lamps, sky.

Everything is float32 and one thread: processes are what runs in parallel. Most kernels
that call each other stand in this one file: the compiler's cache notices changes per file only.
"""
# ruff: noqa: ANN001, ANN201, ANN202 - the compiler infers the types

from __future__ import annotations

import math

import numpy as np
from numba import njit

from training.synth.sampling import bilinear, texture

_MACRO = np.float32(0.043)
"""Repetitions per metre of the slow variation of the ground."""
_jit = njit(cache=True, fastmath=True, nogil=True)


@_jit
def surface(dirs, origin, t, tri, bary, normals, light, lamps, lit):
    """Return start (N, 3), direction (N, 3), wanted (N,) of one shadow ray per sample.

    The ray goes to the sun (``light`` a unit vector) or, where ``lit``, to the lamp that gives
    the sample most light, whose number is returned too (N,), -1 where there is none.
    """
    n = len(t)
    start, to = np.zeros((n, 3), np.float32), np.zeros((n, 3), np.float32)
    which = np.full(n, -1, np.int32)
    wanted = np.zeros(n, np.bool_)
    p, nrm = np.zeros(3, np.float32), np.zeros(3, np.float32)
    for i in range(n):
        if tri[i] < 0:
            continue
        _point(dirs, origin, t, tri, bary, normals, i, p, nrm)
        for c in range(3):
            start[i, c] = p[c] + np.float32(2e-3) * nrm[c] - np.float32(2e-4) * t[i] * dirs[i, c]
        if lit:
            best = np.float32(0.0)
            for m in range(len(lamps)):
                e = _lamp(lamps[m], p, nrm)
                if e > best:
                    best = e
                    which[i] = m
            if which[i] >= 0:
                wanted[i] = True
                for c in range(3):
                    to[i, c] = lamps[which[i], c] - start[i, c]
        else:
            wanted[i] = nrm[0] * light[0] + nrm[1] * light[1] + nrm[2] * light[2] > 0
            for c in range(3):
                to[i, c] = light[c]
    return start, to, wanted, which


@_jit
def _point(dirs, origin, t, tri, bary, normals, i, p, nrm):
    """Write the point and the unit normal facing the ray to ``p`` and ``nrm``."""
    k, b1, b2 = tri[i], bary[i, 0], bary[i, 1]
    b0, dot, length = 1 - b1 - b2, np.float32(0), np.float32(0)
    for c in range(3):
        p[c] = origin[c] + t[i] * dirs[i, c]
        nrm[c] = b0 * normals[k, 0, c] + b1 * normals[k, 1, c] + b2 * normals[k, 2, c]
        dot += nrm[c] * dirs[i, c]
        length += nrm[c] * nrm[c]
    scale = (-1 if dot > 0 else 1) / np.float32(math.sqrt(length) + 1e-9)
    for c in range(3):
        nrm[c] *= scale


@_jit
def _lamp(lamp, p, nrm):
    """Return the irradiance a lamp of unit colour gives: (x y z, r g b, ahead x y z, kind).

    Kind 0 hangs and shines down; kind 1 is a low beam with its cut-off just below the horizon.
    """
    x, y, z = lamp[0] - p[0], lamp[1] - p[1], lamp[2] - p[2]
    r2 = x * x + y * y + z * z + np.float32(0.05)
    r = np.float32(math.sqrt(r2))
    cos = (x * nrm[0] + y * nrm[1] + z * nrm[2]) / r
    if cos <= 0:
        return np.float32(0)
    if lamp[9] < 0.5:
        down = z / r
        return cos / r2 * max(down, np.float32(0.02)) ** np.float32(0.7)
    ahead = -(x * lamp[6] + y * lamp[7] + z * lamp[8])
    if ahead <= 0:
        return np.float32(0)
    az = (x * lamp[7] - y * lamp[6]) / ahead
    el = -z / ahead - lamp[8]
    wide = np.float32(0.025) if el > -0.01 else np.float32(0.13)
    e = (el + np.float32(0.01)) / wide
    beam = np.float32(math.exp(-0.5 * (az / np.float32(0.36)) ** 2 - 0.5 * e * e))
    spill = np.float32(0.012 * math.exp(-2 * az * az - 4 * el * el))
    return cos / r2 * (beam + spill)


@_jit
def _sky(x, y, z, sky, sun, atlas, pixel, tap, out):
    """Write the radiance of the sky towards (x, y, z), a unit vector, to ``out`` (4,).

    ``sky``: zenith rgb, horizon rgb, cloud rgb, cover, sun glow, cloud shift.
    """
    data, table, cloud = atlas[0], atlas[1], atlas[4]
    up = max(z, np.float32(0))
    f = np.float32(math.exp(-4.0 * up))
    glow = max(x * sun[0] + y * sun[1] + z * sun[2], np.float32(0))
    glow = sky[10] * (np.float32(0.25) * glow**8 + np.float32(1.5) * glow**200)
    for c in range(3):
        out[c] = sky[c] * (1 - f) + sky[3 + c] * f + glow
    flat = up + np.float32(0.08)
    level = max(math.log2(max(pixel * 512 * 0.12 / (flat * flat), 1.0)) - 0.5, 0.0)
    k = min(int(level), 8)
    for c in range(4):
        tap[c] = 0
    o, h, w = table[cloud, k, 0], table[cloud, k, 1], table[cloud, k, 2]
    u, v = np.float32(0.12) * x / flat + sky[11], np.float32(0.12) * y / flat
    bilinear(data, o, h, w, u, v, tap)
    value = tap[0] / np.float32(255.0)
    cover = min(max((value - (1 - sky[9]) * np.float32(0.9)) * 4, np.float32(0)), np.float32(1))
    cover *= min(up * 12, np.float32(1))
    body = np.float32(0.75) + np.float32(0.5) * (value - np.float32(0.5)) * 2
    for c in range(3):
        out[c] += cover * (sky[6 + c] * body - out[c])


@_jit
def shade(
    dirs,
    origin,
    t,
    tri,
    bary,
    step,
    mesh,
    atlas,
    ambient,
    sun,
    lamps,
    seen,
    which,
    sky,
    misc,
    covers,
):
    """Return radiance (N, 3) and the brightness of the albedo (N,) of each sample.

    Args:
        dirs: rays (N, 3), z = 1 in the camera.
        origin: where they start (3,).
        t: metres along z to the first hit (N,).
        tri: triangle hit (N,), -1 for sky.
        bary: barycentric coordinates of the hit (N, 2).
        step: change of the ray over one sample to the right and one down (2, 3).
        mesh: normals (M, 3, 3), uv0 (M, 2), uv gradients (M, 2, 3), texture, tint, emit, gloss,
            ground.
        atlas: data, table, levels, numbers of the textures "macro" and "cloud".
        ambient: light from above and from below (2, 3).
        sun: direction (3,) to it and its irradiance (3,).
        lamps: (K, 10) as in ``_lamp``.
        seen: whether the shadow ray was free (N,).
        which: lamp the shadow ray went to (N,), -1 the sun.
        sky: as in ``_sky``.
        misc: haze length, share of lamps switched on, angle of a sample.
        covers: what is above parts of the road (C, 8), as in ``_open``.
    """
    normals, tint, emit, gloss = mesh[0], mesh[4], mesh[5], mesh[6]
    n = len(t)
    rgb, albedo = np.zeros((n, 3), np.float32), np.zeros(n, np.float32)
    p, nrm, light = np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(3, np.float32)
    tap, tex, env = np.zeros(4, np.float32), np.zeros(4, np.float32), np.zeros(4, np.float32)
    diff = np.zeros((2, 2), np.float32)
    for i in range(n):
        x, y, z = dirs[i, 0], dirs[i, 1], dirs[i, 2]
        inv = 1 / np.float32(math.sqrt(x * x + y * y + z * z))
        k = tri[i]
        if k < 0:
            _sky(x * inv, y * inv, z * inv, sky, sun, atlas, misc[2], tap, env)
            for c in range(3):
                rgb[i, c] = env[c]
            continue
        _point(dirs, origin, t, tri, bary, normals, i, p, nrm)
        _painted(dirs, t, tri, i, p, step, mesh, atlas, misc[2], diff, tap, env, tex)
        free = _open(covers, p)
        _lit(p, nrm, free, ambient, sun, lamps, seen[i], which[i], light)
        cos = -(nrm[0] * x + nrm[1] * y + nrm[2] * z) * inv
        mirror = gloss[k] * _fresnel(cos, tex[3])
        high = z * inv + 2 * cos * nrm[2]
        f = np.float32(math.exp(-4.0 * high)) if high > 0 else np.float32(1)
        on = misc[1] * max(np.float32(2) * tex[3] - 1, np.float32(0))
        on *= np.float32(0.12) + np.float32(0.5) * (tex[0] + tex[1] + tex[2])
        fog = np.float32(math.exp(-t[i] / misc[0]))
        for c in range(3):
            a = tex[c] * tint[k, c]
            albedo[i] += a / 3
            back = sky[c] * (1 - f) + sky[3 + c] * f if high > 0 else ambient[1, c]
            back *= free
            value = a * light[c] * (1 - mirror) + mirror * back + on * emit[k, c]
            rgb[i, c] = value * fog + free * sky[3 + c] * (1 - fog)
    return rgb, albedo


@_jit
def _painted(dirs, t, tri, i, p, step, mesh, atlas, angle, diff, tap, env, tex):
    """Write the texture that sample ``i`` sees at the point ``p`` to ``tex`` (4,).

    uv is affine in the plane; its footprint comes from the rays of the neighbouring samples.
    """
    normals, uv0, grad, number, ground = mesh[0], mesh[1], mesh[2], mesh[3], mesh[7]
    k = tri[i]
    u, v, face = uv0[k, 0], uv0[k, 1], np.float32(0)
    for c in range(3):
        u += grad[k, 0, c] * p[c]
        v += grad[k, 1, c] * p[c]
        face += (normals[k, 0, c] + normals[k, 1, c] + normals[k, 2, c]) * dirs[i, c]
    face = face if abs(face) > 1e-3 else np.float32(1e-3)
    for a in range(2):
        slide = np.float32(0)
        for c in range(3):
            slide += (normals[k, 0, c] + normals[k, 1, c] + normals[k, 2, c]) * step[a, c]
        slide /= face
        for b in range(2):
            diff[a, b] = 0
            for c in range(3):
                diff[a, b] += grad[k, b, c] * t[i] * (step[a, c] - slide * dirs[i, c])
    texture(atlas, number[k], u, v, diff, tap, tex)
    if ground[k]:  # breaks the repetition of tiles
        diff[0, 0] = diff[1, 1] = t[i] * angle * np.float32(0.12)
        diff[0, 1] = diff[1, 0] = 0
        texture(atlas, atlas[3], p[0] * _MACRO, p[1] * _MACRO, diff, tap, env)
        for c in range(3):
            tex[c] *= np.float32(0.4) + np.float32(2.4) * env[0]


@_jit
def _open(covers, p):
    """Return the share of the sky's light that gets to ``p`` below what spans the road.

    A cover is x, y, direction along the road (2), half its length and width, height, least share.
    """
    free = np.float32(1)
    for k in range(len(covers)):
        x, y = p[0] - covers[k, 0], p[1] - covers[k, 1]
        along = x * covers[k, 2] + y * covers[k, 3]
        across = abs(y * covers[k, 2] - x * covers[k, 3])
        if across > covers[k, 5] or p[2] > covers[k, 6]:
            continue
        share = np.float32(0)
        for s in (-1, 1):
            inside = min(covers[k, 4] - s * along, np.float32(60)) / np.float32(2.5)
            share += 1 / (1 + np.float32(math.exp(inside)))
        free *= min(covers[k, 7] + share, np.float32(1))
    return free


@_jit
def _lit(p, nrm, free, ambient, sun, lamps, seen, which, light):
    """Write the irradiance at ``p`` to ``light`` (3,): sky above, ground below, sun, lamps."""
    up = np.float32(0.5) + np.float32(0.5) * nrm[2]
    facing = nrm[0] * sun[0] + nrm[1] * sun[1] + nrm[2] * sun[2]
    direct = facing if facing > 0 and (which >= 0 or seen) else np.float32(0)
    for c in range(3):
        light[c] = free * (ambient[0, c] * up + ambient[1, c] * (1 - up)) + sun[3 + c] * direct
    for m in range(len(lamps)):
        e = _lamp(lamps[m], p, nrm)
        if e > 1e-5 and (m != which or seen):
            for c in range(3):
                light[c] += lamps[m, 3 + c] * e


@_jit
def _fresnel(cos, glass):
    """Return the share of light a glossy surface mirrors; ``glass`` from 0.5 on marks it so."""
    slant = 1 - min(max(cos, np.float32(0)), np.float32(1))
    return min(glass * 2, np.float32(1)) * (np.float32(0.08) + np.float32(0.92) * slant**4)
