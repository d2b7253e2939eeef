"""What inverse depth that is known up to scale and shift lacks of zero at infinity."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from math import radians, tan

import numpy as np
from numpy.typing import NDArray

from sdepth.card import ForeignCard
from sdepth.depth.estimator import DepthEstimator, DepthMap, Estimator
from sdepth.depth.foreign import sky_shift, to_depth
from sdepth.geometry.camera import Camera
from sdepth.scale.ground import road_plane
from sdepth.scale.tracker import ROAD, ScaleConfig

_REMEMBERED = 30  # frames whose median counts: three seconds at 10 Hz


@dataclass(frozen=True)
class Shift:
    """What is added to a network's answer, in its unit, and how much that varies."""

    value: float
    sigma: float


class ShiftedEstimator:
    """A network of others that knows inverse depth up to scale and shift, its shift made up for.

    In one image the shift is guessed by what is farthest, which is taken to be at infinity (sky).
    Or the road tells it: on a plane inverse depth is linear in the ray and 0 at the horizon, which
    is where the camera's pitch says. Its slope is one over the camera's height, so that with
    ``camera_height`` the road gives both scale and shift.

    Attributes:
        config: in use; it may be replaced between frames.
        card: of the network.
    """

    def __init__(self, estimator: DepthEstimator, config: ScaleConfig) -> None:
        """Start with nothing seen."""
        assert isinstance(estimator.card, ForeignCard)
        self.config, self.card, self._estimator = config, estimator.card, estimator
        self.reset()

    def reset(self) -> None:
        """Forget what was seen."""
        self._seen: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def shift(self) -> Shift | None:
        """The shift in use and the deviation of those seen; None before the first image."""
        if not self._seen:
            return None
        median = float(np.median(self._seen))
        return Shift(median, 1.4826 * float(np.median(np.abs(np.array(self._seen) - median))))

    def predict(self, image: NDArray[np.uint8], camera: Camera) -> DepthMap:
        """Return depth up to one factor; see ``DepthEstimator.predict``."""
        seen = self._estimator.answer(image, camera)
        self._seen.append(self._observe(seen.depth, seen.camera))
        assert self.shift is not None
        return replace(seen, depth=to_depth(seen.depth, self.card, self.shift.value))

    def answers_as(self, other: Estimator) -> bool:
        """Tell that nobody does: the shift is of the images seen."""
        return False

    def _observe(self, answer: NDArray[np.float32], camera: Camera) -> float:
        """Return what an answer lacks of zero at infinity."""
        sky = sky_shift(answer)
        if self.config.shift != ROAD:
            return sky
        found = road_plane(to_depth(answer, self.card, sky), camera)
        if found is None:
            return self._seen[-1] if self._seen else sky
        (_, slope, at_centre), _ = found
        return sky + float(slope * tan(radians(self.config.camera_pitch_deg)) - at_centre)
