"""From an image to depth in metres: which network, handed over, at what scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdepth.depth.confidence import mirror_confidence
from sdepth.depth.daynight import AUTO, DAY, TOPIC, DayNightConfig, ModeSelector, mean_luminance
from sdepth.depth.estimator import DepthEstimator, DepthMap
from sdepth.depth.handover import Handover
from sdepth.errors import ConfigError
from sdepth.geometry.camera import Camera
from sdepth.scale.ground import find_ground
from sdepth.scale.tracker import CAMERA_HEIGHT, MODEL, Scale, ScaleConfig, ScaleTracker
from sdepth.stamp_order import StampOrder

_LEAST_ROAD = 0.3  # share of the pixels ahead that must be road before its height is believed


@dataclass(frozen=True)
class Seen:
    """What is seen in an image.

    Attributes:
        depth: and its camera; metres, if ``scale`` says so.
        mode: whose network saw it, ``day`` or ``night``.
        scale: contained in the depth.
        confidence: (h, w), 0..1, 1 is sure; where it was asked for.
    """

    depth: DepthMap
    mode: str
    scale: Scale
    confidence: NDArray[np.float32] | None = None


class DepthPipeline:
    """Answers images in order of time."""

    def __init__(self, estimators: Mapping[str, DepthEstimator], scale: ScaleConfig) -> None:
        """Start with nothing seen.

        Args:
            estimators: the network of each mode.
            scale: where metres come from.

        Raises:
            ConfigError: they are to come from networks that know none.
        """
        ignorant = [mode for mode, e in estimators.items() if not e.card.metric]
        if scale.source == MODEL and ignorant:
            raise ConfigError(
                f"scale.source model: the {' and '.join(ignorant)} weights are not metric; set "
                "scale.source to camera_height, wheel, twist, gps or fixed, or to unknown for "
                "depth up to a factor"
            )
        self._estimators = estimators
        self.selector = ModeSelector()
        self.handover = Handover(estimators, DayNightConfig(), returns=scale.source == MODEL)
        self.tracker = ScaleTracker(scale, model_is_metric=not ignorant)
        self._order = StampOrder()

    def choose(
        self,
        image: NDArray[np.uint8],
        stamp_ns: int,
        mode: str,
        config: DayNightConfig,
        lux: float | None = None,
    ) -> str:
        """Return ``mode``, or where that is ``auto`` day or night.

        Args:
            image: RGB (H, W, 3) as it came from the camera.
            stamp_ns: time of the image.
            mode: ``auto``, ``day`` or ``night``.
            config: when it is night.
            lux: illuminance, where that is the configuration's source; while nobody tells it the
                mode stays, and is ``day`` at first.
        """
        self.selector.config = config
        brightness = lux if config.source == TOPIC else mean_luminance(image)
        if brightness is not None:
            self.selector.update(brightness, self._in_order(stamp_ns))
        return (self.selector.mode or DAY) if mode == AUTO else mode

    def process(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        mode: str,
        stamp_ns: int,
        config: DayNightConfig,
        scale: ScaleConfig,
        confidence: bool = False,
    ) -> Seen:
        """Return what the network of a mode sees in an image.

        Args:
            image: RGB (H, W, 3), lens distortion gone.
            camera: intrinsics of that image.
            mode: ``day`` or ``night``, as ``choose`` says.
            stamp_ns: time of the image; where it goes far back, nothing is carried over.
            config: how depth goes over after a change of mode.
            scale: where metres come from: the source as at the start.
            confidence: find that, too; the network runs once more.

        Raises:
            ShapeError: the image is not of the camera's size.
        """
        stamp_ns = self._in_order(stamp_ns)
        self.handover.config = config
        seen = self.handover.predict(image, camera, mode, stamp_ns)
        sure = None
        if confidence:
            sure = mirror_confidence(seen, self._estimators[mode], image, camera)
        self.tracker.config = scale
        if scale.source == CAMERA_HEIGHT:
            ground = find_ground(seen.depth, seen.camera)
            if ground is not None and ground.share >= _LEAST_ROAD:
                self.tracker.observe(scale.camera_height_m / ground.height, stamp_ns)
        found = self.tracker.at(stamp_ns)
        if found.factor != 1:
            np.multiply(seen.depth, np.float32(found.factor), out=seen.depth)
        return Seen(seen, mode, found, sure)

    def _in_order(self, stamp_ns: int) -> int:
        """Return the stamp, or for a late image the newest one; forget all where time is anew."""
        if self._order.take(stamp_ns) == "anew":
            self.tracker.reset()
        assert self._order.last is not None
        return self._order.last
