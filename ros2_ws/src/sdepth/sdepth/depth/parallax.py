"""Depth that the network and the camera's own motion agree on.

A camera that moves sees every place from two sides. Around a pixel's depth by the network, nearer
and farther ones are tried: with which does this frame look like one before it (plane sweep,
Collins 1996)? The images are the evidence, the network is the prior, and what earlier frames told
is carried along. Motion knows no metres: the scale stays the network's. Depth stays as it is where
nothing is told: without motion or texture, straight ahead, and on traffic that drives along.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.alignment.frame import brightness_features, resized
from sdepth.alignment.fused_frame import shrink_depth
from sdepth.alignment.traffic import believed_still
from sdepth.depth.fused_parallax import carry, spread, sweep, weigh
from sdepth.geometry.camera import Camera
from sdepth.geometry.projection import MIN_Z
from sdepth.shapes import check_shape

Depth = NDArray[np.float32]
Matrix = NDArray[np.float64]

WIDTH = 320
"""Pixels, at most, of the images that are compared."""
BASE = 0.03
"""Of the median depth: so far from here, at least, was the frame taken that is compared."""
BACK = 12
"""Frames that are remembered: where none of them was taken farther, nothing is told."""
LOGS = np.linspace(-np.log(2.5), np.log(2.5), 13, dtype=np.float32)
"""Log of the depths that are tried, over the network's."""
PRIOR, LEAST = np.float32(0.3), np.float32(0.05)
"""Standard deviation of the network's log depth, and of what parallax says at least."""
SOFTNESS, AROUND = np.float32(0.5), 9
"""Of differences, as ``sweep`` takes it; they are averaged over so many pixels, squared."""
SEEN = 0.2
"""Share of these that both images must show."""
STILL = 0.9
"""A pixel tells something if some depth makes the images unlike by less than this share of how
unlike they are as they come: what stays in its place goes along with the camera, or has none."""
OFF, OFF_TRAFFIC = 0.7, 0.2
"""Log depth off the network's that counts a quarter; likewise where vehicles may drive along. What
drives ahead at our pace looks infinitely far, what comes towards us too near."""
FADING, APART = 0.8, 0.3
"""What earlier frames told counts less by this factor with each frame, and nothing where this one
says otherwise by so much log depth."""
WIDEST = 2.0
"""Pixels to each side that a pixel of the frame before may cover: poses may jump."""
CELL, STEP = 8, 0.38
"""Neighbours that are told together: pixels, and log depth by the network."""
SPECK = 0.3
"""Log depth off its neighbours' that counts a quarter."""


@dataclass(frozen=True)
class FusedDepth:
    """What images and network agree on.

    Attributes:
        depth: (h, w), metres; unknown where the network's was.
        told: share of the pixels of which images, of this frame or before, told anything.
    """

    depth: Depth
    told: float


@dataclass(frozen=True)
class _Frame:
    """What is remembered: features (h, w, 3), and the camera's pose (4, 4)."""

    features: Depth
    T_world_cam: Matrix


@dataclass(frozen=True)
class _Told:
    """Log of depth over the network's (h, w), and one over its variance; 0 where nothing is."""

    log: Depth
    weight: Depth

    def doubted(self, off: Depth) -> _Told:
        """Return the same, less sure the farther it is off the network's."""
        return _Told(self.log, self.weight / (1 + np.square(self.log / off)) ** 2)


class Parallax:
    """Corrects the depth of one camera, frame by frame."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.reset()

    def reset(self) -> None:
        """Forget all frames: the world, or the camera, is another."""
        self._past: deque[_Frame] = deque(maxlen=BACK)
        self._known: tuple[Depth, Depth, Matrix] | None = None

    def update(
        self, image: NDArray[np.uint8], depth: Depth, camera: Camera, T_world_cam: Matrix,
        below_m: float = np.inf,
    ) -> FusedDepth:  # fmt: skip
        """Return the depth of the next frame as the frames before have it, too.

        Args:
            image: RGB (H, W, 3).
            depth: (h, w) of the same view at any size, metres; not finite or <= 0 where unknown.
            camera: intrinsics of the image; lens distortion must be gone.
            T_world_cam: pose (4, 4) of the camera, in the depth's unit.
            below_m: depth from here on is not touched, metres.

        Raises:
            ShapeError: the image is not (camera.height, camera.width, 3), the depth not (h, w).
        """
        check_shape("image", image, f"{camera.height} {camera.width} 3")
        check_shape("depth", depth, "h w")
        # 1. Small: features of brightness, and the network's depth.
        width = min(WIDTH, camera.width, depth.shape[1])
        height = min(max(1, round(camera.height * width / camera.width)), depth.shape[0])
        now = _Frame(brightness_features(resized([image], (height, width))), T_world_cam)
        said = shrink_depth(np.require(depth, np.float32, ["C", "W"]), height, width, below_m)
        if self._past and self._past[-1].features.shape != now.features.shape:
            self.reset()
        # 2. What this frame and one before it tell of each pixel, and what was known.
        told = self._tell(now, said, camera.resized(width, height))
        self._past.append(now)
        seen = told.weight > 0
        if not seen.any():
            return FusedDepth(depth, 0.0)
        # 3. With what is told of neighbours, against the network as the prior.
        nearest = said[said > 0].min()
        guide = np.log(np.maximum(said, nearest) / nearest)
        total, trust = spread(told.log, told.weight, guide, CELL, STEP)
        speck = (told.log - total / np.maximum(trust, 1e-6)) / SPECK
        weight = told.weight / (1 + np.square(speck)) ** 2
        log = (weight * told.log + total) / (weight + trust + PRIOR**-2)
        factor = np.exp(cv2.resize(log, depth.shape[::-1]))
        return FusedDepth(np.where(depth < below_m, depth * factor, depth), float(seen.mean()))

    def _tell(self, now: _Frame, said: Depth, camera: Camera) -> _Told:
        """Return what images tell of a frame; remember it."""
        K = camera.fx, camera.fy, camera.cx, camera.cy
        still = believed_still(said, camera) == 1
        off = np.where(still, OFF, OFF_TRAFFIC).astype(np.float32)
        told = _rescaled(self._compare(now, said, K)).doubted(off)
        if self._known is not None:
            told = _joined(told, self._carried(now, said, K).doubted(off))
        self._known = said * np.exp(told.log), told.weight, now.T_world_cam
        return told

    def _compare(self, now: _Frame, said: Depth, K: tuple[float, ...]) -> _Told:
        """Return what the last frame tells that was taken far enough from here."""
        least = BASE * float(np.median(said[said > 0])) if (said > 0).any() else np.inf
        nothing = _Told(np.zeros_like(said), np.zeros_like(said))
        for past in reversed(self._past):
            T_past_now = np.linalg.inv(past.T_world_cam) @ now.T_world_cam
            if np.linalg.norm(T_past_now[:3, 3]) > least:
                break
        else:
            return nothing
        pair = now.features, past.features, T_past_now
        unlike, shown = sweep(*pair, said, np.exp(LOGS), K, SOFTNESS, MIN_Z)
        shown = cv2.blur(shown, (AROUND, AROUND))
        for layer in unlike:
            cv2.blur(layer, (AROUND, AROUND), layer)
        unlike /= np.maximum(shown, SEEN)
        square = np.square(now.features - past.features).sum(2)
        as_they_come = cv2.blur(square / (square + SOFTNESS), (AROUND, AROUND))
        fully = (shown > SEEN) & (unlike.min(0) < STILL * as_they_come)
        if not fully.any():
            return nothing
        # Noise is what remains at the best depth; errors of neighbours are taken as independent.
        noise = max(float(np.median(unlike.min(0)[fully])), 1e-3)
        sure = np.where(fully, AROUND * np.sqrt(shown) / noise, 0).astype(np.float32)
        return _Told(*weigh(unlike, sure, LOGS, PRIOR, LEAST))

    def _carried(self, now: _Frame, said: Depth, K: tuple[float, ...]) -> _Told:
        """Return what was known of the frame before, seen from here."""
        assert self._known is not None
        *before, T_world_before = self._known
        T_now_before = np.linalg.inv(now.T_world_cam) @ T_world_before
        depth, weight = carry(*before, T_now_before, K, MIN_Z, WIDEST)
        both = (depth > 0) & (said > 0)
        log = np.log(np.where(both, depth, 1) / np.where(both, said, 1))
        near = both & (np.abs(log) < LOGS[-1])
        return _Told(np.where(near, log, 0), np.where(near, np.float32(FADING) * weight, 0))


def _rescaled(told: _Told) -> _Told:
    """Return the same at the network's scale: the weighted median of the logs is 0."""
    if not (known := told.weight > 0).any():
        return told
    logs, weights = told.log[known], told.weight[known]
    order = np.argsort(logs)
    along = np.cumsum(weights[order], dtype=np.float64)
    middle = logs[order[np.searchsorted(along, along[-1] / 2)]]
    return _Told(np.where(known, told.log - middle, 0), told.weight)


def _joined(now: _Told, before: _Told) -> _Told:
    """Return what both tell; this frame alone where they contradict each other."""
    against = (now.weight > 0) & (np.abs(now.log - before.log) > APART)
    kept = np.where(against, 0, before.weight)
    weight = now.weight + kept
    log = (now.weight * now.log + kept * before.log) / np.maximum(weight, np.float32(1e-9))
    return _Told(log.astype(np.float32), weight.astype(np.float32))
