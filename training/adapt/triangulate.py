"""Depth and motion of a drive without any network: where rays of neighbouring frames meet.

Dense optical flow (DIS, Kroeger et al. 2016) finds every pixel again in the next frame, the
essential matrix (MAGSAC++, Barath et al. 2020) says how the camera moved, and each pixel's ray is
cut with that of its neighbour. What moves by itself leaves its epipolar line, what has no texture
or lies in the direction of travel is not certain: neither is trusted. Only lengths need more:
poses, or else the depth network's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from sdepth.geometry.warp import warp
from training.adapt.prepare import Stretch
from training.adapt.two_views import FINER, MISS, Array, Matrix, TwoViews, look

CERTAIN = 0.12
"""Relative deviation of depth that is still trusted."""
FAR_M = 80.0
SMOOTH = 4
"""So many pairs before and after are neighbours: lengths that the network says are their median.
"""
ASIDE_DEG, AGREEING = 30.0, 0.7
"""A motion is one if it goes the way of so many of its neighbours; noise, as nights have it, looks
like turning and moving aside."""
STEP = 1.2
"""Depth is tried farther and nearer by this factor: does the warped image change?"""
SIGNAL = 0.005
"""Change of the warped image, 0..1, from which on it says something about depth."""


@dataclass(frozen=True)
class Triangulated:
    """What a stretch of N frames says itself.

    Attributes:
        depth: (N, h, w) at the network's size, metres, 0 where it is not trusted.
        T_later_earlier: (N - 1, 4, 4), metres; where none is found, the way of the pair before.
    """

    depth: Array
    T_later_earlier: Matrix


def triangulate(stretch: Stretch, depth: Array) -> Triangulated:
    """Return what the frames of a stretch say of depth and motion.

    Args:
        stretch: frames that follow each other, moving.
        depth: (N, h, w) the network's, metres: it says the unit where there are no poses.

    Raises:
        DataError: an image is missing or damaged.
    """
    K = stretch.camera.K
    greys = [_grey(stretch, i) for i in range(len(stretch.frames))]
    pairs = steady([look(a, b, K, seed) for seed, (a, b) in enumerate(pairwise(greys))])
    lengths = _lengths(stretch, pairs, depth)
    fused = [_fuse(pairs, lengths, i, depth.shape[1:]) for i in range(len(greys))]
    inverse, certain = (np.stack(x) for x in zip(*fused, strict=True))
    answer = np.where(certain, 1 / np.maximum(inverse, 1 / FAR_M), 0).astype(np.float32)
    motion, images = _motions(pairs, lengths), np.stack(stretch.images)
    trusted = certain & _has_texture(images, answer, motion, K)
    return Triangulated(np.where(trusted, answer, 0), motion)


def _grey(stretch: Stretch, i: int) -> NDArray[np.uint8]:
    """Return a frame, grey, finer than the network sees it."""
    frame, (h, w) = stretch.frames[i], stretch.images[i].shape[:2]
    whole = stretch.source.recording.rectified(frame.pixels(), frame.name)
    grey = cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY)
    how = cv2.INTER_AREA if grey.shape[1] > FINER * w else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (FINER * w, FINER * h), interpolation=how), np.uint8)


def steady(pairs: list[TwoViews | None]) -> list[TwoViews | None]:
    """Return pairs without those that go another way than their neighbours."""
    kept = list[TwoViews | None]()
    for i, pair in enumerate(pairs):
        near = [*pairs[max(0, i - SMOOTH) : i], *pairs[i + 1 : i + SMOOTH + 1]]
        ways = [pair.T[:3, 3] @ p.T[:3, 3] for p in near if p and pair]
        same = [way > np.cos(np.radians(ASIDE_DEG)) for way in ways]
        kept.append(pair if np.mean(same or [True]) >= AGREEING else None)
    return kept


def _motions(pairs: list[TwoViews | None], lengths: NDArray[np.float64]) -> Matrix:
    """Return T_later_earlier (N - 1, 4, 4) of such lengths; a pair without goes as one before."""
    T, motions = next((pair.T for pair in pairs if pair), np.eye(4)), []
    for pair, length in zip(pairs, lengths, strict=True):
        T = pair.T if pair else T
        motions.append(T.copy())
        motions[-1][:3, 3] *= length
    return np.stack(motions)


def _lengths(stretch: Stretch, pairs: list[TwoViews | None], depth: Array) -> NDArray[np.float64]:
    """Return how far the camera went between frames (N - 1,): by poses, or by the network."""
    if stretch.has_poses:
        at = np.stack([f.T_world_cam[:3, 3] for f in stretch.frames if f.T_world_cam is not None])
        return np.linalg.norm(np.diff(at, axis=0), axis=1)
    each = np.full(len(pairs), np.nan)
    for i, pair in enumerate(pairs):
        if pair and (sure := pair.weight * pair.inverse**2 > CERTAIN**-2).any():
            each[i] = np.median((depth[i : i + 2] * pair.inverse)[sure])
    near = [each[max(0, i - SMOOTH) : i + SMOOTH + 1] for i in range(len(each))]
    return np.array([np.nanmedian(x) if np.isfinite(x).any() else 0.0 for x in near])


def _fuse(
    pairs: list[TwoViews | None], lengths: NDArray[np.float64], i: int, size: tuple[int, ...]
) -> tuple[Array, NDArray[np.bool_]]:
    """Return inverse depth (h, w) of frame ``i`` by both neighbours, and where it is certain."""
    seen = [(pairs[k], lengths[k], i - k) for k in (i - 1, i) if 0 <= k < len(pairs)]
    views = [(p.inverse[s] / n, p.weight[s] * n**2) for p, n, s in seen if p and n > 0]
    if not views:
        return np.zeros(size, np.float32), np.zeros(size, np.bool_)
    inverse, weight = (np.stack(x) for x in zip(*views, strict=True))
    total = weight.sum(0)
    mean = (weight * inverse).sum(0) / np.maximum(total, 1e-12)
    apart = (np.abs(inverse - mean) * np.sqrt(weight)).max(0)
    sure = mean * np.sqrt(total) > 1 / CERTAIN
    return mean, sure & (apart < MISS) & (mean > 1 / FAR_M)


def _has_texture(
    images: NDArray[np.uint8], depth: Array, T: Matrix, K: Matrix
) -> NDArray[np.bool_]:
    """Return where another depth would show (N, h, w): elsewhere flow is only guessed."""
    rgb = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    other = torch.cat([rgb[1:], rgb[-2:-1]])
    T_other = np.concatenate([T, np.linalg.inv(T[-1:])])
    z = torch.from_numpy(np.maximum(depth, 1e-3))[:, None]
    K_all = torch.from_numpy(K).float().expand(len(rgb), 3, 3)
    signal = signal_of(other, z, torch.from_numpy(T_other).float(), K_all)
    return np.asarray((signal > SIGNAL)[:, 0].numpy())


@torch.no_grad()
def signal_of(image_src: Tensor, depth: Tensor, T_src_now: Tensor, K: Tensor) -> Tensor:
    """Return how much the warped image changes around a pixel as its depth does (B, 1, H, W).

    Args:
        image_src: (B, 3, H, W) in [0, 1].
        depth: (B, 1, H, W) of the other frame, metres.
        T_src_now: (B, 4, 4).
        K: intrinsics (B, 3, 3), pixels.
    """
    far, near = (warp(image_src, depth * step, T_src_now, K)[0] for step in (STEP, 1 / STEP))
    return F.avg_pool2d((far - near).abs().mean(1, keepdim=True), 5, 1, 2)
