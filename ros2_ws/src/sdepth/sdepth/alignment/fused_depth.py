"""``pyramid.shrink_depth`` of one image, compiled for one core: ``fused_target`` says how."""
# ruff: noqa: ANN001, ANN201 - the compiler infers the types
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from sdepth.alignment.fused_target import jit


@jit
def shrink(depth, height, width, below):
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
