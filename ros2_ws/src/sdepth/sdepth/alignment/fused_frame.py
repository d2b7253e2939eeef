"""What ``pyramid`` does of one image, compiled for one core: ``fused_target`` says how."""
# ruff: noqa: ANN001, ANN201, ANN202 - the compiler infers the types
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from sdepth.alignment.fused_target import jit


@jit
def shrink_image(rgb, stride, weights):
    """Return brightness (h, w) in 0..1 of RGB (H, W, 3), uint8, the mean of each square."""
    h, w = rgb.shape[0] // stride, rgb.shape[1] // stride
    grey = np.zeros((h, w), np.float32)
    share = 1 / (255 * stride * stride)
    red, green = np.float32(share * weights[0]), np.float32(share * weights[1])
    blue = np.float32(share * weights[2])
    for v in range(h * stride):
        row = grey[v // stride]
        for u in range(w * stride):
            p = rgb[v, u]
            row[u // stride] += red * p[0] + green * p[1] + blue * p[2]
    return grey


@jit
def even(grey, window, noise):
    """Return brightness (h, w) less its mean over a window, over its contrast there."""
    h, w = grey.shape
    mean, square = _means(grey, 3)
    mean, square = _window(mean, window // 6), _window(square, window // 6)
    rows, columns = mean.shape
    found = np.empty((h, w), np.float32)
    left, right, share = np.empty(w, np.int32), np.empty(w, np.int32), np.empty(w, np.float32)
    for u in range(w):
        left[u], right[u], share[u] = _between(u, w, columns)
    m, s = np.empty(columns, np.float32), np.empty(columns, np.float32)
    floor = np.float32(noise * noise)
    for v in range(h):
        top, bottom, b = _between(v, h, rows)
        for i in range(columns):
            m[i] = mean[top, i] + b * (mean[bottom, i] - mean[top, i])
            s[i] = square[top, i] + b * (square[bottom, i] - square[top, i])
        for u in range(w):
            i, j, a = left[u], right[u], share[u]
            middle = m[i] + a * (m[j] - m[i])
            spread = s[i] + a * (s[j] - s[i]) - middle * middle
            spread = max(spread, np.float32(0)) + floor
            found[v, u] = (grey[v, u] - middle) / np.sqrt(spread)
    return found


@jit
def features(value):
    """Return (h, w, 3): the value (h, w) and twice its change along u and v."""
    h, w = value.shape
    found = np.empty((h, w, 3), np.float32)
    for v in range(h):
        above, here, below = value[max(v - 1, 0)], value[v], value[min(v + 1, h - 1)]
        for u in range(w):
            found[v, u, 0] = here[u]
            found[v, u, 1] = here[min(u + 1, w - 1)] - here[max(u - 1, 0)]
            found[v, u, 2] = below[u] - above[u]
    return found


@jit
def shrink_depth(depth, height, width, below):
    """Return depth (height, width), 0 where unknown, of depth (H, W) known from 0 to ``below``."""
    H, W = depth.shape
    below, zero, one = np.float32(below), np.float32(0), np.float32(1)
    found = np.zeros((height, width), np.float32)
    inverse, known = np.empty(W, np.float32), np.empty(W, np.float32)
    for v in range(height):
        top, bottom = v * H // height, -(-(v + 1) * H // height)
        inverse[:], known[:] = zero, zero
        for y in range(top, bottom):  # rows first: long loops fill a core's vectors
            row = depth[y]
            for x in range(W):
                here = (row[x] > zero) & (row[x] < below)
                known[x] += one if here else zero
                inverse[x] += one / row[x] if here else zero
        for u in range(width):
            left, right = u * W // width, -(-(u + 1) * W // width)
            total, count = zero, zero
            for x in range(left, right):
                total += inverse[x]
                count += known[x]
            if 2 * count >= np.float32((bottom - top) * (right - left)):
                found[v, u] = count / total
    return found


@jit
def _means(x, side):
    """Return the means of x and of its square over blocks, at the border of what there is."""
    h, w = x.shape
    rows, columns = -(-h // side), -(-w // side)
    mean, square = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
    for v in range(h):
        for u in range(w):
            mean[v // side, u // side] += x[v, u]
            square[v // side, u // side] += x[v, u] * x[v, u]
    for i in range(rows):
        for j in range(columns):
            tall, wide = min(h - i * side, side), min(w - j * side, side)
            mean[i, j] /= np.float32(tall * wide)
            square[i, j] /= np.float32(tall * wide)
    return mean, square


@jit
def _window(x, reach):
    """Return the mean over a window around each pixel, of what of it there is."""
    h, w = x.shape
    along, found = np.empty((h, w), np.float32), np.empty((h, w), np.float32)
    for v in range(h):
        for u in range(w):
            first, last = max(u - reach, 0), min(u + reach, w - 1)
            total = np.float32(0)
            for i in range(first, last + 1):
                total += x[v, i]
            along[v, u] = total / np.float32(last + 1 - first)
    for v in range(h):
        first, last = max(v - reach, 0), min(v + reach, h - 1)
        found[v] = 0
        for i in range(first, last + 1):
            for u in range(w):
                found[v, u] += along[i, u]
        found[v] /= np.float32(last + 1 - first)
    return found


@jit
def _between(i, count, smaller):
    """Return the pixels of a smaller image that pixel ``i`` is between, and the second's share."""
    at = max((i + 0.5) * smaller / count - 0.5, 0.0)
    first = min(int(at), smaller - 1)
    return first, min(first + 1, smaller - 1), np.float32(at - first)
