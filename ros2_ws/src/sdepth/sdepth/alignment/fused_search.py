"""What ``solver`` does with one pair, compiled for one core: ``fused_target`` says how.

NumPy's functions on whole arrays are left out where they take seconds to compile.
"""
# ruff: noqa: ANN001, ANN201, ANN202 - the compiler infers the types
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from sdepth.alignment.fused_target import jit


@jit
def _project(T, pixels, i, shape, limits):
    """Return where the source sees a pixel: whether, the corner left above, four weights."""
    x, y, z = pixels.points[i, 0], pixels.points[i, 1], pixels.points[i, 2]
    fx, fy, cx, cy = pixels.K
    z_src = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
    scale = 1 / max(z_src, limits.min_z)
    u = (T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]) * scale * fx + cx
    v = (T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]) * scale * fy + cy
    inside = limits.margin <= u <= shape[1] - 1 - limits.margin
    inside &= limits.margin <= v <= shape[0] - 1 - limits.margin
    seen = inside and z > 0 and z_src > limits.min_z
    left, top = (int(u), int(v)) if seen else (0, 0)
    a, b, one = np.float32(u - left), np.float32(v - top), np.float32(1)
    return seen, left, top, ((one - a) * (one - b), a * (one - b), (one - a) * b, a * b)


@jit
def _read(image, left, top, weights, c):
    """Return channel ``c`` between four pixels."""
    p, q, r, s = weights
    upper = p * image[top, left, c] + q * image[top, left + 1, c]
    return upper + (r * image[top + 1, left, c] + s * image[top + 1, left + 1, c])


@jit
def _look(pixels, source, trust, T, limits, lanes, look):
    """Write to ``look`` (4, M): squared residual (< 0: not seen), J-part along u, v, and trust."""
    for i in range(len(pixels.points)):
        seen, left, top, weights = _project(T, pixels, i, trust.shape, limits)
        error, along_u, along_v = np.float32(0), np.float32(0), np.float32(0)
        if seen:
            for c in range(len(lanes)):
                r = _read(source, left, top, weights, c) - pixels.maps[i, 0, c]
                error += r * r
                along_u += r * pixels.maps[i, 1, c]
                along_v += r * pixels.maps[i, 2, c]
            look[3, i] = pixels.confidence[i] * _read(trust, left, top, weights, 0)
        else:
            error, look[3, i] = np.float32(-1), 0
        look[0, i], look[1, i], look[2, i] = error, along_u, along_v


@jit
def _robust_scale(look, robust, tiny):
    """Return Cauchy's c^2: ``robust`` squared times the median of every third seen residual."""
    some, n = np.empty(look.shape[1], np.float32), 0
    for i in range(0, look.shape[1], 3):
        if look[0, i] >= 0:
            some[n] = look[0, i]
            n += 1
    if n == 0:
        return robust * robust
    middle, low, high = (n - 1) // 2, 0, n - 1
    while low < high:  # quickselect
        pivot, i, j = some[middle], low, high
        while i <= j:
            while some[i] < pivot:
                i += 1
            while pivot < some[j]:
                j -= 1
            if i <= j:
                some[i], some[j] = some[j], some[i]
                i, j = i + 1, j - 1
        if j < middle:
            low = i
        if middle < i:
            high = j
    return robust * robust * max(float(some[middle]), tiny)


@jit
def _weigh(look, c_sq, tiny):
    """Return the mean robust error; make of trust the weight of each pixel."""
    errors, trust = look[0], look[3]
    cost, total = 0.0, 0.0
    for i in range(len(errors)):
        if errors[i] >= 0:
            spread = errors[i] / c_sq
            cost += trust[i] * math.log1p(spread)
            total += trust[i]
            trust[i] = trust[i] / (1 + spread)
    return c_sq * cost / max(total, tiny)


@jit
def _normal_equations(pixels, look, H, g):
    """Write H (6, 6) and g (6,) of weighted pixels."""
    u, v, w = look[1], look[2], look[3]
    for i in range(len(w)):
        u[i], v[i] = w[i] * u[i], w[i] * v[i]
    k = 0
    for a in range(6):
        J_u, J_v, total = pixels.J[a], pixels.J[6 + a], 0.0
        for i in range(len(w)):
            total += J_u[i] * u[i] + J_v[i] * v[i]
        g[a] = total
        for b in range(a, 6):
            JtJ, total = pixels.JtJ[k], 0.0
            for i in range(len(w)):
                total += w[i] * JtJ[i]
            H[a, b] = H[b, a] = total
            k += 1


@jit
def _step(T, H, g, damping, tiny, T_new):
    """Write T exp(delta), delta = -(H + damping diag(H))^-1 g; T where that has no solution."""
    _copy(T, T_new)
    scale, L, delta = np.empty(6), np.zeros((6, 6)), np.empty(6)
    for a in range(6):
        scale[a] = 1 / math.sqrt(max(H[a, a], tiny))  # to a unit diagonal
    for a in range(6):
        for b in range(a + 1):
            s = scale[a] * H[a, b] * scale[b]
            for k in range(b):
                s -= L[a, k] * L[b, k]
            if a != b:
                L[a, b] = s / L[b, b]
            elif s + damping[a] > 0:
                L[a, a] = math.sqrt(s + damping[a])
            else:
                return
    for a in range(6):
        delta[a] = -scale[a] * g[a]
        for k in range(a):
            delta[a] -= L[a, k] * delta[k]
        delta[a] /= L[a, a]
    for a in range(5, -1, -1):
        for k in range(a + 1, 6):
            delta[a] -= L[k, a] * delta[k]
        delta[a] /= L[a, a]
    size = 0.0
    for a in range(6):
        delta[a] *= scale[a]
        size += abs(delta[a])
    if size < np.inf:
        _move(T, delta, T_new)


@jit
def _copy(T, to):
    """Write one motion over another."""
    for i in range(4):
        for j in range(4):
            to[i, j] = T[i, j]


@jit
def _move(T, delta, T_new):
    """Write T exp(delta), delta = (translation, rotation)."""
    x, y, z = delta[3], delta[4], delta[5]
    angle_sq = x * x + y * y + z * z
    a, b = 1 - angle_sq / 6, 0.5 - angle_sq / 24
    if angle_sq > 1e-6:
        angle = math.sqrt(angle_sq)
        a, b = math.sin(angle) / angle, (1 - math.cos(angle)) / angle_sq
    c = 1 - b * angle_sq  # Rodrigues: c I + a [w]x + b w w^T
    exp = (
        (c + b * x * x, b * x * y - a * z, b * x * z + a * y, delta[0]),
        (b * x * y + a * z, c + b * y * y, b * y * z - a * x, delta[1]),
        (b * x * z - a * y, b * y * z + a * x, c + b * z * z, delta[2]),
    )
    for i in range(3):
        for j in range(4):
            T_new[i, j] = T[i, 3] if j == 3 else 0.0
            for k in range(3):
                T_new[i, j] += T[i, k] * exp[k][j]


@jit
def minimise(pixels, source, trust, T, damping, search, limits, lanes):
    """Return where each motion of T (G, 4, 4) ends at a level, H (G, 6, 6) there, and c^2 (G,).

    The source's features are (h, w, C), its trust (h, w, 1); ``search`` is (iterations,
    stop_below, robust).
    """
    iterations, stop_below, robust = search
    count = len(T)
    T, H, g = T.copy(), np.empty((count, 6, 6)), np.empty((count, 6))
    c_sq, cost, lam = np.empty(count), np.empty(count), np.ones((count, 1)) * damping
    look, T_new = np.empty((4, len(pixels.points)), np.float32), np.empty((4, 4))
    for s in range(count):
        _look(pixels, source, trust, T[s], limits, lanes, look)
        c_sq[s] = _robust_scale(look, robust, limits.tiny)
        cost[s] = _weigh(look, c_sq[s], limits.tiny)
        _normal_equations(pixels, look, H[s], g[s])
    for _ in range(iterations):
        moving = False
        for s in range(count):
            _step(T[s], H[s], g[s], lam[s], limits.tiny, T_new)
            _look(pixels, source, trust, T_new, limits, lanes, look)
            new = _weigh(look, c_sq[s], limits.tiny)
            moving |= abs(new - cost[s]) > stop_below * cost[s]
            better = new < cost[s]
            if better:
                cost[s] = new
                _copy(T_new, T[s])
                _normal_equations(pixels, look, H[s], g[s])
            for a in range(6):
                lam[s, a] = min(max(lam[s, a] * (0.1 if better else 10.0), 1e-6), 1e6)
        if stop_below > 0 and not moving:
            break
    return T, H, c_sq


@jit
def judge(pixels, source, trust, T, c_sq, limits, lanes):
    """Return cost, variance, valid and agreement (4, G) of the ``Fit`` at each motion."""
    fit = np.empty((4, len(T)))
    known, look = 0, np.empty((4, len(pixels.points)), np.float32)
    for i in range(len(pixels.points)):
        known += pixels.points[i, 2] > 0
    for s in range(len(T)):
        _look(pixels, source, trust, T[s], limits, lanes, look)
        fit[0, s] = _weigh(look, c_sq[s], limits.tiny)
        sums, seen_count, total, rr, rt, tt = np.zeros((2, len(lanes))), 0, 0.0, 0.0, 0.0, 0.0
        for i in range(len(pixels.points)):
            seen, left, top, weights = _project(T[s], pixels, i, trust.shape, limits)
            if not seen:
                continue
            w, here_rt, here_tt = look[3, i], np.float32(0), np.float32(0)
            for c in range(len(lanes)):
                t = pixels.maps[i, 0, c]
                r = _read(source, left, top, weights, c) - t
                here_rt, here_tt = here_rt + r * t, here_tt + t * t
                sums[0, c] += w * r
                sums[1, c] += w * t
            seen_count, total = seen_count + 1, total + w
            rr, rt, tt = rr + w * look[0, i], rt + w * here_rt, tt + w * here_tt
        total = max(total, limits.tiny)
        fit[1, s], fit[2, s] = rr / (len(lanes) * total), seen_count / max(known, 1)
        for c in range(len(lanes)):  # less the means
            rr -= sums[0, c] * sums[0, c] / total
            rt -= sums[0, c] * sums[1, c] / total
            tt -= sums[1, c] * sums[1, c] / total
        fit[3, s] = 1 - rr / max(rr + 2 * rt + 2 * tt, limits.tiny)
    return fit
