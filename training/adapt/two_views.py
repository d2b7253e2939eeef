"""Two frames of a moving camera: how it moved, and where the rays of their pixels meet."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Matrix = NDArray[np.float64]
FINER = 2
"""Flow is found in images so many times as large as the network's."""
BACK_PX, LINE_PX, LEAST_PX = 0.5, 0.5, 0.1
"""At the network's size: what flow there and back may differ by, how far from its epipolar line a
pixel may lie that agrees to a motion, and the least error of flow."""
MISS = 2.5
"""Deviations that an answer may be off."""
POINTS, LEAST_INLIERS, FARTHEST = 3000, 0.5, 1e4
"""Drawn for a motion; the share that must agree to it; and how many steps away they may be."""


@dataclass(frozen=True)
class TwoViews:
    """Motion of unit length between two frames, and what each sees in its unit.

    Attributes:
        T: T_later_earlier (4, 4).
        inverse: inverse depths (2, h, w) seen from the earlier and from the later.
        weight: (2, h, w) of each, one over its variance; 0 where there is no answer.
    """

    T: Matrix
    inverse: Array
    weight: Array


def look(a: NDArray[np.uint8], b: NDArray[np.uint8], K: Matrix, seed: int) -> TwoViews | None:
    """Return the motion from frame ``a`` to ``b`` and what both see, or None if none is found.

    Args:
        a: grey (FINER h, FINER w), the earlier.
        b: likewise, the later.
        K: intrinsics (3, 3) at (h, w), pixels.
        seed: of the pixels that a motion is drawn from.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    forth, back = search.calc(a, b, None), search.calc(b, a, None)  # type: ignore[call-overload]
    flows = [_small(forth, back), _small(back, forth)]
    T = find_motion(*flows[0], K, seed)
    if T is None:
        return None
    both = [intersect(*flows[0], T, K), intersect(*flows[1], np.linalg.inv(T), K)]  # type: ignore[arg-type]
    inverse, weight = (np.stack(x).astype(np.float32) for x in zip(*both, strict=True))
    return TwoViews(T, inverse, weight)


def _small(flow: Array, back: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return flow at the network's size, its pixels, and where flow back leads home (h, w)."""
    h, w = flow.shape[:2]
    v, u = np.indices((h, w), np.float32)
    there = cv2.remap(
        back, u + flow[..., 0], v + flow[..., 1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT, borderValue=(1e4, 1e4, 0, 0),
    )  # fmt: skip
    home = np.linalg.norm(flow + there, axis=2) < FINER * BACK_PX
    size = (w // FINER, h // FINER)
    ok = cv2.resize(home.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.99
    small = cv2.resize(flow, size, interpolation=cv2.INTER_AREA) / FINER
    return np.asarray(small, np.float32), ok


def find_motion(flow: Array, ok: NDArray[np.bool_], K: Matrix, seed: int) -> Matrix | None:
    """Return T_later_earlier (4, 4) of length 1 that most of the flow agrees to, or None.

    Args:
        flow: (h, w, 2) from the earlier frame to the later, pixels.
        ok: (h, w), where it counts.
        K: intrinsics (3, 3).
        seed: of the pixels that are drawn.
    """
    places = np.argwhere(ok)
    if len(places) < 100:
        return None
    rng = np.random.default_rng(seed)
    v, u = places[rng.choice(len(places), min(POINTS, len(places)), replace=False)].T
    before = np.stack([u, v], 1).astype(np.float64)
    after = before + flow[v, u]
    E, inliers = cv2.findEssentialMat(
        before, after, K, method=cv2.USAC_MAGSAC, prob=0.999, threshold=LINE_PX
    )
    if E is None or E.shape != (3, 3) or inliers.mean() < LEAST_INLIERS:
        return None
    _, R, t, *_ = cv2.recoverPose(E, before, after, K, FARTHEST, mask=inliers)
    T = np.eye(4, dtype=np.float64)
    T[:3, :3], T[:3, 3] = R, t[:, 0]
    return T


def intersect(flow: Array, ok: NDArray[np.bool_], T: Matrix, K: Matrix) -> tuple[Array, Array]:
    """Return inverse depth (h, w) in the unit of ``T``, and its weight as ``TwoViews`` has it.

    A pixel's ray r lands at p where (R r + d t) is parallel to p: two equations that are linear in
    its inverse depth d, solved by least squares. What remains, across the epipolar line, says how
    far flow errs, along it too.

    Args:
        flow: (h, w, 2), pixels, to the other frame.
        ok: (h, w), where it counts.
        T: T_other_this (4, 4).
        K: intrinsics (3, 3).
    """
    v, u = np.indices(flow.shape[:2], np.float32)
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    ray = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones_like(u)], -1)
    p = np.stack([(u + flow[..., 0] - cx) / fx, (v + flow[..., 1] - cy) / fy], -1)
    turned, t = ray @ T[:3, :3].T, T[:3, 3]
    A, B = turned[..., :2] - turned[..., 2:] * p, t[:2] - t[2] * p
    square = (B * B).sum(-1)
    inverse = -(A * B).sum(-1) / np.maximum(square, 1e-12)
    miss = fx * np.linalg.norm(A + inverse[..., None] * B, axis=-1)
    error = max(LEAST_PX, 1.48 * float(np.median(miss[ok]))) if ok.any() else np.inf
    fine = ok & (miss < MISS * error) & (inverse > 0)
    return inverse, np.where(fine, square * (fx / error) ** 2, 0)
