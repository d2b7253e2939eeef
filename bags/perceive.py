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
from training.data.recording import Recording, Shot


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

    shot: Shot
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
    for shot in recording.shots():
        try:
            image = read_image(shot.image) if isinstance(shot.image, Path) else shot.image()
        except DataError:
            if skip_broken:
                continue
            raise
        stamp, camera, night = shot.stamp_ns, recording.camera, choices.day_night
        mode = pipeline.choose(image, stamp, choices.mode, night)
        seen = pipeline(image, camera, mode, stamp, night, choices.scale, choices.confidence)
        yield Perceived(shot, image, seen, odometry.update(image, seen.depth.depth, camera, stamp))
        count += 1
    if not count:
        raise DataError(f"{recording.name}: no image can be decoded")
