"""A recording through depth and odometry, frame by frame, as the nodes do it, without ROS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdepth.depth.daynight import AUTO, DayNightConfig
from sdepth.depth.estimator import DepthEstimator
from sdepth.errors import DataError
from sdepth.odometry.odometry import Odometry, OdometryState
from sdepth.pipeline import DepthPipeline, Seen
from sdepth.scale.tracker import ScaleConfig
from training.data.drive import read_image
from training.data.recording import RecordedFrame, Recording


@dataclass(frozen=True)
class Choices:
    """What decides on the network and on metres.

    Attributes:
        mode: ``day``, ``night``, or ``auto`` by the images' brightness.
        day_night: when it is night.
        scale: where metres come from.
        confidence: whether to find how sure depth is.
    """

    mode: str = AUTO
    day_night: DayNightConfig = field(default_factory=DayNightConfig)
    scale: ScaleConfig = field(default_factory=ScaleConfig)
    confidence: bool = False


@dataclass(frozen=True)
class Perceived:
    """A frame, RGB (H, W, 3), what is seen in it, and where the camera is."""

    recorded: RecordedFrame
    image: NDArray[np.uint8]
    seen: Seen
    state: OdometryState


def perceive(
    recording: Recording,
    estimators: Mapping[str, DepthEstimator],
    odometry: Odometry,
    choices: Choices,
    skip_broken: bool = False,
) -> Iterator[Perceived]:
    """Yield every frame of a recording, perceived.

    Raises:
        DataError: an image is broken, unless those are skipped, or all are.
        ConfigError: metres are to come from networks that know none.
    """
    pipeline = DepthPipeline(estimators, choices.scale)
    count = 0
    for recorded in recording.frames():
        try:
            image = (
                read_image(recorded.image)
                if isinstance(recorded.image, Path)
                else recorded.image()
            )
        except DataError:
            if skip_broken:
                continue
            raise
        stamp, camera, night = recorded.stamp_ns, recording.camera, choices.day_night
        mode = pipeline.choose(image, stamp, choices.mode, night)
        scale, confidence = choices.scale, choices.confidence
        seen = pipeline.process(image, camera, mode, stamp, night, scale, confidence)
        state = odometry.update(image, seen.depth.depth, camera, stamp)
        yield Perceived(recorded, image, seen, state)
        count += 1
    if not count:
        raise DataError(f"{recording.name}: no image can be decoded")
