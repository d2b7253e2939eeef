"""From an image to valid depth in metres, and on to the pose of the vehicle: every step, in order.

Nodes and bags call this, and only convert messages. ``Pipeline`` is both halves; the nodes, which
are two and may run in two processes, call one each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sdepth.card import AFFINE, ForeignCard
from sdepth.config import param
from sdepth.depth.confidence import confidence as confidence_of
from sdepth.depth.daynight import (
    AUTO,
    DAY,
    NIGHT,
    TOPIC,
    DayNightConfig,
    ModeSelector,
    mean_luminance,
)
from sdepth.depth.estimator import DepthEstimator, DepthMap, Estimator
from sdepth.depth.handover import Handover
from sdepth.depth.parallax import FusedDepth
from sdepth.depth.validity import ConfidenceConfig, RangeConfig, in_range, valid_depth
from sdepth.errors import ConfigError
from sdepth.geometry.camera import Camera
from sdepth.odometry.pipeline import THREADS, OdometryPipeline, OdometryResult
from sdepth.scale.ground import find_ground
from sdepth.scale.shift import Shift, ShiftedEstimator
from sdepth.scale.tracker import CAMERA_HEIGHT, MODEL, Scale, ScaleConfig, ScaleTracker
from sdepth.stamp_order import StampOrder
from sdepth.threads import torch_threads

Image = NDArray[np.uint8]
Rectifier = Callable[[Image], tuple[Image, Camera]]
"""Makes an image (H, W, 3) of a pinhole camera, and that camera, of an image as it came."""
Timer = Callable[[str], AbstractContextManager[object]]
"""Makes what is entered while a named step runs."""

_LEAST_ROAD = 0.3  # share of the pixels ahead that must be road before its height is believed


@dataclass(frozen=True)
class DepthConfig:
    """How depth is made, and which of it is valid."""

    mode: str = param(
        AUTO,
        "Which checkpoint: day, night, or auto by the image's brightness",
        choices=(AUTO, DAY, NIGHT),
        dynamic=True,
    )
    depth: RangeConfig = field(default_factory=RangeConfig)
    confidence: ConfidenceConfig = field(default_factory=ConfidenceConfig)
    day_night: DayNightConfig = field(default_factory=DayNightConfig)
    scale: ScaleConfig = field(default_factory=ScaleConfig)


@dataclass(frozen=True)
class DepthResult:
    """What the networks make of an image.

    Attributes:
        image: RGB (H, W, 3), lens distortion gone.
        camera: of that image.
        depth: (h, w) and its camera; metres, if ``scale`` says so; finite where it is valid, and
            only there (``valid_depth``).
        predicted: (h, w), the same before anything is left out.
        mode: whose network it was, ``day`` or ``night``.
        scale: contained in the depth.
        confidence: (h, w), 0..1, 1 is sure; where it was asked for.
    """

    image: Image
    camera: Camera
    depth: DepthMap
    predicted: NDArray[np.float32]
    mode: str
    scale: Scale
    confidence: NDArray[np.float32] | None = None


class DepthPipeline:
    """Image to depth, in order of time.

    Attributes:
        config: in use; ``configure`` replaces it.
        lux: illuminance, where that is what chooses the mode; None while nobody has told it.
        selector: chooses day or night.
        handover: goes from one network to the other.
        tracker: knows what a metre is.
    """

    def __init__(
        self,
        estimators: Mapping[str, DepthEstimator],
        config: DepthConfig,
        timer: Timer = nullcontext,
    ) -> None:
        """Start with nothing seen.

        Args:
            estimators: the network of each mode.
            config: how depth is made.
            timer: of the steps mode, rectify, rescale (network within), clean.

        Raises:
            ConfigError: metres are to come from networks that know none.
        """
        ignorant = [mode for mode, e in estimators.items() if not e.card.metric]
        if config.scale.source == MODEL and ignorant:
            raise ConfigError(
                f"scale.source model: the {' and '.join(ignorant)} weights are not metric; set "
                "scale.source to camera_height, wheel, twist, gps or fixed, or to unknown for "
                "depth up to a factor"
            )
        self._timer = timer
        for estimator in estimators.values():
            estimator.timed = partial(timer, "network")
        self._shifted = {
            mode: ShiftedEstimator(e, config.scale)
            for mode, e in estimators.items()
            if isinstance(e.card, ForeignCard) and e.card.output == AFFINE
        }
        self._estimators: dict[str, Estimator] = {**estimators, **self._shifted}
        self.lux: float | None = None
        self.selector = ModeSelector(config.day_night)
        keeps_own = config.scale.source == MODEL
        self.handover = Handover(self._estimators, config.day_night, returns=keeps_own)
        self.tracker = ScaleTracker(config.scale, model_is_metric=not ignorant)
        self.configure(config)
        self._order = StampOrder()

    def configure(self, config: DepthConfig) -> None:
        """Replace the configuration from the next image on; the scale's source must stay."""
        self.config = config
        self.selector.config = self.handover.config = config.day_night
        self.tracker.config = config.scale
        for estimator in self._shifted.values():
            estimator.config = config.scale

    def shift(self, mode: str) -> Shift | None:
        """Return what the network of a mode lacked of zero at infinity, where it does not say."""
        return self._shifted[mode].shift if mode in self._shifted else None

    def choose_mode(self, image: Image, stamp_ns: int) -> str:
        """Return ``day`` or ``night``: as configured, or where that is ``auto`` by brightness.

        Args:
            image: RGB (H, W, 3) as it came from the camera.
            stamp_ns: time of the image.
        """
        config, stamp_ns = self.config, self._in_order(stamp_ns)
        brightness = self.lux if config.day_night.source == TOPIC else mean_luminance(image)
        if brightness is not None:
            self.selector.update(brightness, stamp_ns)
        return (self.selector.mode or DAY) if config.mode == AUTO else config.mode

    def process(
        self, raw: Image, rectify: Rectifier, stamp_ns: int, confidence: bool = False
    ) -> DepthResult:
        """Return the depth of an image.

        Args:
            raw: RGB (H, W, 3) as it came from the camera.
            rectify: takes the lens distortion out.
            stamp_ns: time of the image; where it goes far back, nothing is carried over.
            confidence: find that even where nothing depends on it; the network runs once more,
                unless it gives that itself.

        Raises:
            ShapeError: the image is not of the camera's size.
            SdepthError: what ``rectify`` raises.
        """
        config = self.config
        # 1. Choose day or night, by the image as it came.
        with self._timer("mode"):
            mode = self.choose_mode(raw, stamp_ns)
        stamp_ns = self._order.last or 0
        # 2. Rectify: from here on the camera is a pinhole.
        with self._timer("rectify"):
            image, camera = rectify(raw)
        with self._timer("rescale"):
            # 3. Predict, by the mode's network; after a change of mode without a step.
            predicted = self.handover.predict(image, camera, mode, stamp_ns)
            sure = None
            if confidence or config.confidence.min > 0:
                sure = confidence_of(predicted, self._estimators[mode], image, camera)
            # 4. Scale: metres, by whoever knows them.
            scale = self._scale(predicted, stamp_ns)
        # 5. Filter: leave out what is not valid.
        with self._timer("clean"):
            least = config.confidence.min
            valid = valid_depth(predicted.depth, config.depth, sure, least, predicted.sky)
        depth = replace(predicted, depth=valid)
        return DepthResult(image, camera, depth, predicted.depth, mode, scale, sure)

    def _scale(self, predicted: DepthMap, stamp_ns: int) -> Scale:
        """Multiply depth, in place, by the factor to metres; return that factor."""
        scale = self.config.scale
        if scale.source == CAMERA_HEIGHT:
            ground = find_ground(predicted.depth, predicted.camera)
            if ground is not None and ground.share >= _LEAST_ROAD:
                self.tracker.observe(scale.camera_height_m / ground.height, stamp_ns)
        found = self.tracker.at(stamp_ns)
        if found.factor != 1:
            np.multiply(predicted.depth, np.float32(found.factor), out=predicted.depth)
        return found

    def _in_order(self, stamp_ns: int) -> int:
        """Return the stamp, or the newest one of a late image; reset where time jumps back."""
        if self._order.take(stamp_ns) == "anew":
            self.tracker.reset()
            for estimator in self._shifted.values():
                estimator.reset()
        return self._order.last or 0


def pinhole(camera: Camera) -> Rectifier:
    """Return the rectifier of a camera without distortion: it returns images unchanged."""
    return lambda image: (image, camera)


def rectified(image: Image, camera: Camera) -> Rectifier:
    """Return a rectifier for one image that was rectified before, with its camera."""
    return lambda _: (image, camera)


@dataclass(frozen=True)
class FrameResult:
    """Depth and motion of a frame; ``fused``: depth as the frames before have it, too."""

    depth: DepthResult
    odometry: OdometryResult
    fused: FusedDepth | None = None


class Pipeline:
    """Image to depth and pose, in order of time."""

    def __init__(self, depth: DepthPipeline, odometry: OdometryPipeline) -> None:
        """Join the two halves."""
        self.depth, self.odometry = depth, odometry

    def process(
        self,
        raw: Image,
        rectify: Rectifier,
        stamp_ns: int,
        T_base_cam: NDArray[np.float64] | None = None,
        fuse: bool = False,
    ) -> FrameResult:
        """Return depth and motion of a frame, and its depth fused where that is asked for.

        Other arguments, and errors, are those of the halves.
        """
        seen = self.depth.process(raw, rectify, stamp_ns)
        view = seen.image, seen.camera, seen.depth.depth
        with torch_threads(THREADS):
            metric, small = seen.scale.metric, seen.depth.seen
            moved = self.odometry.process(*view, stamp_ns, T_base_cam, metric, small)
            fused = self.odometry.fuse(*view, moved) if fuse else None
        if fused is not None:
            depth = in_range(fused.depth, seen.depth.depth, self.depth.config.depth)
            fused = replace(fused, depth=depth)
        return FrameResult(seen, moved, fused)
