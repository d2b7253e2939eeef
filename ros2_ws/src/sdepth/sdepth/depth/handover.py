"""Cross-fade between the networks of day and night, so that depth does not jump."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.depth.daynight import DayNightConfig
from sdepth.depth.estimator import DepthMap, Estimator
from sdepth.geometry.camera import Camera

Depth = NDArray[np.float32]


class Handover:
    """Runs the mode's network; for some frames after a change both, cross-fading.

    Two networks never agree on scale. While both see the same frames, the new one takes over the
    scale of the old one (median of log ratios over pixels, then frames), and depth goes from one
    to the other in equal steps of log depth. Afterwards the scale it took over slowly returns to
    its own, where that is in metres.
    """

    def __init__(
        self,
        estimators: Mapping[str, Estimator],
        config: DayNightConfig,
        returns: bool = True,
    ) -> None:
        """Take the network of each mode; the first frame decides which comes first.

        Args:
            estimators: the networks.
            config: over how many frames, and how fast the scale returns; it may be replaced
                between frames.
            returns: whether a scale taken over returns to the network's own. No, where metres
                come from elsewhere; and where a network knows none, there is nothing to return to.
        """
        self._estimators = estimators
        self.config = config
        self._returns = returns and all(e.card.metric for e in estimators.values())
        self._mode = ""
        self._log_scale = 0.0
        self._before: tuple[str, float] | None = None
        self._log_ratios: list[float] = []
        self._last_ns = 0

    @property
    def scale(self) -> float:
        """What depth of the network in use is multiplied by; 1 long after a change."""
        return float(np.exp(self._log_scale))

    def predict(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        mode: str,
        stamp_ns: int,
    ) -> DepthMap:
        """Return the depth of an image.

        Args:
            image: RGB (H, W, 3).
            camera: intrinsics of that image.
            mode: which network is wanted.
            stamp_ns: time of the image; where it goes back, nothing is carried over.

        Raises:
            ShapeError: the image is not of the camera's size.
        """
        config, seen = self.config, self._estimators[mode].predict(image, camera)
        if not self._mode or stamp_ns < self._last_ns:
            self._mode, self._log_scale, self._before = mode, 0.0, None
            self._last_ns = stamp_ns
        elif mode != self._mode and self._alike(mode, self._mode):
            pass  # one network by day and by night: nothing to hand over
        elif mode != self._mode and config.crossfade_frames > 0:
            self._before, self._log_ratios = (self._mode, self._log_scale), []
        elif mode != self._mode or config.crossfade_frames == 0:
            self._log_scale, self._before = 0.0, None
        seconds, self._mode, self._last_ns = (stamp_ns - self._last_ns) * 1e-9, mode, stamp_ns
        if self._before is not None:
            return self._fade(seen, image, camera, *self._before, config.crossfade_frames)
        if self._returns:
            step = config.scale_return_per_s * seconds
            self._log_scale -= float(np.clip(self._log_scale, -step, step))
        return replace(seen, depth=np.multiply(seen.depth, np.float32(self.scale)))

    def _alike(self, mode: str, other: str) -> bool:
        """Tell whether two modes give the same depth."""
        return self._estimators[mode].answers_as(self._estimators[other])

    def _fade(
        self,
        seen: DepthMap,
        image: NDArray[np.uint8],
        camera: Camera,
        mode: str,
        log_scale: float,
        frames: int,
    ) -> DepthMap:
        """Return depth between that of the mode before, with its scale, and what is ``seen``."""
        before = self._estimators[mode].predict(image, camera)
        old = _log(before.depth, seen.depth) + np.float32(log_scale)
        new = np.log(seen.depth)
        self._log_ratios.append(float(np.median(old - new)))
        self._log_scale = float(np.median(self._log_ratios))
        if len(self._log_ratios) >= frames:
            self._before = None
        share = np.float32(len(self._log_ratios) / (frames + 1))
        blend = (1 - share) * old + share * (new + np.float32(self._log_scale))
        return replace(seen, depth=np.exp(blend))


def _log(depth: Depth, like: Depth) -> Depth:
    """Return log depth at the size of another map, resampled as inverse depth."""
    if depth.shape == like.shape:
        return np.log(depth)
    height, width = like.shape
    return -np.log(np.asarray(cv2.resize(np.reciprocal(depth), (width, height)), np.float32))
