"""The loops of ``parallax``, compiled for one core: ``alignment/fused_target.py`` says how.

Images are (h, w), K is (fx, fy, cx, cy) in pixels, T is (4, 4) in metres.
"""
# ruff: noqa: ANN001, ANN201, ANN202 - the compiler infers the types
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from sdepth.alignment.fused_target import jit


@jit
def sweep(now, past, T_past_now, depth, ratios, K, softness, min_z):
    """Return how unlike two frames look if depth were another (n, h, w), 0 to 1; where (h, w).

    The latter is 1 where both images show the pixel, whichever depth it has; 0 elsewhere.

    Args:
        now: features (h, w, 3) of a frame.
        past: likewise, of the other.
        T_past_now: from the frame to the other.
        depth: (h, w) of the frame, metres, 0 where unknown.
        ratios: (n,), depths to try over ``depth``.
        K: of both.
        softness: squared difference of features that is half unlike (Geman-McClure).
        min_z: least depth that is seen, metres.
    """
    h, w = depth.shape
    fx, fy, cx, cy = K
    T = T_past_now.astype(np.float32)
    unlike, shown = np.zeros((len(ratios), h, w), np.float32), np.zeros((h, w), np.float32)
    for v in range(h):
        for u in range(w):
            x, y = np.float32((u - cx) / fx), np.float32((v - cy) / fy)
            right = fx * (T[0, 0] * x + T[0, 1] * y + T[0, 2])
            down = fy * (T[1, 0] * x + T[1, 1] * y + T[1, 2])
            ahead = T[2, 0] * x + T[2, 1] * y + T[2, 2]
            inside = depth[v, u] > 0
            for j in range(len(ratios)):
                z = depth[v, u] * ratios[j]
                there = max(ahead * z + T[2, 3], np.float32(min_z))
                a = np.float32((right * z + fx * T[0, 3]) / there + cx)
                b = np.float32((down * z + fy * T[1, 3]) / there + cy)
                inside &= (there > min_z) & (0 <= a < w - 1) & (0 <= b < h - 1)
                if not inside:
                    break
                i, k = int(b), int(a)
                b, a = b - np.float32(i), a - np.float32(k)
                off = np.float32(0)
                for c in range(3):
                    top = past[i, k, c] + a * (past[i, k + 1, c] - past[i, k, c])
                    low = past[i + 1, k, c] + a * (past[i + 1, k + 1, c] - past[i + 1, k, c])
                    d = top + b * (low - top) - now[v, u, c]
                    off += d * d
                unlike[j, v, u] = off / (off + softness)
            shown[v, u] = inside
            if not inside:
                unlike[:, v, u] = 0
    return unlike, shown


@jit
def weigh(unlike, sure, logs, prior, least):
    """Return what images say of the log of the ratio (h, w), and one over its variance.

    Bayes' rule over the ratios that were tried, the network being the prior; what that alone says
    is taken out again. Both are 0 where images do not say more than the network.

    Args:
        unlike: (n, h, w) as ``sweep`` has it.
        sure: (h, w), how fast likelihood falls with it; 0: nothing is known.
        logs: (n,) of the ratios.
        prior: standard deviation of the network's log depth.
        least: standard deviation that images have at least.
    """
    n, h, w = unlike.shape
    square, total = np.float32(0), np.float32(0)
    for j in range(n):
        p = np.exp(np.float32(-0.5) * (logs[j] / prior) ** 2)
        square, total = square + p * logs[j] * logs[j], total + p
    before = total / square  # of the prior, as the ratios have it
    log, weight = np.zeros((h, w), np.float32), np.zeros((h, w), np.float32)
    score = np.empty(n, np.float32)
    for v in range(h):
        for u in range(w):
            if sure[v, u] <= 0:
                continue
            for j in range(n):
                score[j] = -sure[v, u] * unlike[j, v, u] - 0.5 * (logs[j] / prior) ** 2
            best = score.max()
            total, mean, square = np.float32(0), np.float32(0), np.float32(0)
            for j in range(n):
                p = np.exp(score[j] - best)
                total, mean = total + p, mean + p * logs[j]
                square += p * logs[j] * logs[j]
            mean /= total
            after = 1 / max(square / total - mean * mean, least * least)
            if after > 2 * before:
                weight[v, u] = after - before
                log[v, u] = min(max(mean * after / weight[v, u], logs[0]), logs[-1])
    return log, weight


@jit
def carry(depth, weight, T, K, min_z, widest):
    """Return depth and weight (h, w) seen from elsewhere, 0 where nothing is; the nearest wins.

    Args:
        depth: (h, w), metres.
        weight: (h, w); 0 where depth is unknown.
        T: from here to there.
        K: of both.
        min_z: least depth that is seen, metres.
        widest: pixels that one becomes at most, seen from nearer by, to each side.
    """
    h, w = depth.shape
    fx, fy, cx, cy = K
    found, trust = np.zeros((h, w), np.float32), np.zeros((h, w), np.float32)
    for v in range(h):
        for u in range(w):
            if weight[v, u] <= 0:
                continue
            z = depth[v, u]
            x, y = (u - cx) / fx * z, (v - cy) / fy * z
            ahead = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
            if ahead <= min_z:
                continue
            a = fx * (T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]) / ahead + cx
            b = fy * (T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]) / ahead + cy
            half = min(0.5 * z / ahead, widest)  # of a pixel, as large as it is from there
            if not (-half <= a <= w - 1 + half and -half <= b <= h - 1 + half):
                continue
            for i in range(max(0, np.ceil(b - half)), min(h - 1, np.floor(b + half)) + 1):
                for k in range(max(0, np.ceil(a - half)), min(w - 1, np.floor(a + half)) + 1):
                    if found[i, k] == 0 or ahead < found[i, k]:
                        found[i, k], trust[i, k] = ahead, weight[v, u]
    return found, trust


@jit
def spread(value, weight, guide, cell, step):
    """Return the mean of weighted values, and of weights, around each pixel (h, w).

    Of pixels that are alike in ``guide``: a bilateral grid (Chen et al. 2007), blurred twice.

    Args:
        value: (h, w).
        weight: (h, w).
        guide: (h, w), at least 0.
        cell: side, pixels, of what shares a place of the grid.
        step: of the guide, likewise.
    """
    h, w = value.shape
    layers = int(guide.max() / step) + 2
    grid = np.zeros((h // cell + 2, w // cell + 2, layers, 2), np.float32)
    share = np.float32(1 / cell**2)
    for v in range(h):
        for u in range(w):
            i, k = (v + cell // 2) // cell, (u + cell // 2) // cell
            m = int(guide[v, u] / step + 0.5)
            grid[i, k, m, 0] += share * weight[v, u] * value[v, u]
            grid[i, k, m, 1] += share * weight[v, u]
    grid = _blurred(grid)
    total, trust = np.empty((h, w), np.float32), np.empty((h, w), np.float32)
    for v in range(h):
        i, b = v // cell, np.float32(v % cell) / np.float32(cell)
        for u in range(w):
            k, a = u // cell, np.float32(u % cell) / np.float32(cell)
            m = int(guide[v, u] / step)
            c = np.float32(guide[v, u] / step) - np.float32(m)
            x, y = np.float32(0), np.float32(0)
            for corner in range(8):
                q, r, s = corner & 1, corner >> 1 & 1, corner >> 2
                near = (a if q else 1 - a) * (b if r else 1 - b) * (c if s else 1 - c)
                x += near * grid[i + r, k + q, m + s, 0]
                y += near * grid[i + r, k + q, m + s, 1]
            total[v, u], trust[v, u] = x, y
    return total, trust


@jit
def _blurred(grid):
    """Return a grid (rows, columns, layers, 2) blurred by [1 2 1] / 4 along all but the last.

    In loops: expressions of whole arrays of four dimensions take minutes to compile.
    """
    rows, columns, layers, parts = grid.shape
    old = np.empty_like(grid)
    for di, dk, dm in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        old, grid = grid, old
        for i in range(rows):
            for k in range(columns):
                for m in range(layers):
                    for p in range(parts):
                        x = np.float32(0.5) * old[i, k, m, p]
                        if i >= di and k >= dk and m >= dm:
                            x += np.float32(0.25) * old[i - di, k - dk, m - dm, p]
                        if i + di < rows and k + dk < columns and m + dm < layers:
                            x += np.float32(0.25) * old[i + di, k + dk, m + dm, p]
                        grid[i, k, m, p] = x
    return grid
