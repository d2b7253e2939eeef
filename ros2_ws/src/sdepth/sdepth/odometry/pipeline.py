"""From an image with its depth to pose and twist of the vehicle: every step, in order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdepth.alignment.refiner import fixed_refiner
from sdepth.checkpoint import bundled
from sdepth.config import param
from sdepth.depth.daynight import DAY
from sdepth.depth.parallax import FusedDepth, Parallax
from sdepth.engines import AUTO
from sdepth.errors import ImageError
from sdepth.geometry.camera import Camera
from sdepth.odometry.motion import Motion, MotionTracker, up_to_scale
from sdepth.odometry.odometry import Odometry, OdometryState
from sdepth.stamp_order import StampOrder, fault
from sdepth.threads import torch_threads

THREADS = 1
"""Of torch, for odometry: on images this small a second thread mostly waits."""


@dataclass(frozen=True)
class AlignmentConfig:
    """What frames are aligned by."""

    features: str = param(
        "fixed",
        "What frames are aligned by: brightness, or what the checkpoint learned (better by night)",
        choices=("fixed", "learned"),
    )
    max_depth_m: float = param(
        80.0,
        "Depth as far as this or farther is not aligned by, metres: no more than where its source "
        "clips, or sky counts as a surface there",
        range=(0.1, 10000.0),
        dynamic=True,
    )


@dataclass(frozen=True)
class OdometryResult:
    """Where a frame was taken.

    Attributes:
        state: pose of the camera, as aligned.
        motion: pose and twist of the base, or of the camera itself.
        first: whether it is the origin: nothing is known of any motion before.
    """

    state: OdometryState
    motion: Motion
    first: bool


class OdometryPipeline:
    """Image and depth to motion, in order of time.

    Attributes:
        config: in use; it may be replaced between frames.
    """

    def __init__(
        self,
        odometry: Odometry,
        config: AlignmentConfig,
        timer: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Start at the origin.

        Args:
            odometry: aligns frames.
            config: what they are aligned by; its features are those that ``odometry`` has.
            timer: of the steps align, pose and fuse.
        """
        self.config = config
        self._odometry, self._tracker, self._timer = odometry, MotionTracker(), timer
        self._order, self._parallax = StampOrder(), Parallax()
        self.reset()

    def reset(self) -> None:
        """Make the next frame the origin."""
        self._first = True
        self._fused = False
        self._odometry.reset()
        self._tracker.reset()

    def process(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        depth: NDArray[np.float32],
        stamp_ns: int,
        T_base_cam: NDArray[np.float64] | None = None,
        metric: bool = True,
        small: NDArray[np.uint8] | None = None,
    ) -> OdometryResult:
        """Return the motion up to a frame.

        Args:
            image: RGB (H, W, 3), lens distortion gone.
            camera: of that image.
            depth: (h, w) of the same view at any size, metres; not finite or <= 0 where unknown.
            stamp_ns: time of exposure; far back, the path begins anew.
            T_base_cam: (4, 4) mounting of the camera at that time, or None: the camera itself
                is followed.
            metric: whether depth is in metres; otherwise nothing is promised of lengths.
            small: the image as a depth network saw it, where one did: it is not made again.

        Raises:
            ImageError: the frame is late or comes twice.
            ShapeError: the image is not of the camera's size.
        """
        # 1. Once each, in order; where time begins anew, so does the path.
        self._check_order(stamp_ns)
        with self._timer("align"):
            # 2. Align with the keyframe, by depth nearer than where a source may clip its sky.
            below_m = self.config.max_depth_m
            state = self._odometry.update(image, depth, camera, stamp_ns, small, below_m)
        # 3. Accumulate: pose and twist of what carries the camera.
        with self._timer("pose"):
            motion = self._tracker.update(
                state.T_world_cam, state.covariance, T_base_cam, stamp_ns
            )
        # 4. What is fused from here on must follow each other.
        if not self._fused:
            self._parallax.reset()
        self._fused = False
        first, self._first = self._first, False
        return OdometryResult(state, motion if metric else up_to_scale(motion), first)

    def fuse(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        depth: NDArray[np.float32],
        result: OdometryResult,
    ) -> FusedDepth:
        """Return the depth of a frame as the frames before have it, too; see ``Parallax``.

        That is, the frames since the last that was not fused, or could not be followed. Depth
        stays as it is where the motion is but a guess.

        Args:
            image: as ``process`` took it just now; so are camera and depth.
            camera: likewise.
            depth: likewise.
            result: what it returned.
        """
        if result.state.tracking != "ok":
            return FusedDepth(depth, 0.0)
        self._fused = True
        with self._timer("fuse"):
            pose = result.state.T_world_cam
            return self._parallax.update(image, depth, camera, pose, self.config.max_depth_m)

    def _check_order(self, stamp_ns: int) -> None:
        """Refuse a frame that is late or comes twice; begin anew where time does."""
        before = self._order.last
        order = self._order.take(stamp_ns)
        if order == "late":
            wrong = fault(stamp_ns, stamp_ns if before is None else before)
            raise ImageError(
                f"{wrong}; expected each image once, in order, stamped by its driver; does "
                "another publisher send, too?"
            )
        if order == "anew":
            said = "stamps went back (a bag looped?), odometry starts anew"
            logging.getLogger(__name__).warning(said)
            self.reset()


def load_odometry(
    config: AlignmentConfig,
    checkpoint: Path | None,
    device: str,
    engine: str = "torch",
    precision: str = "fp32",
) -> Odometry:
    """Return what aligns frames by the configured features, on ``THREADS``.

    Args:
        config: which features.
        checkpoint: None: the one that ships.
        device: as ``Odometry`` takes it, like the others.
        engine: library that runs the networks; one for depth networks alone: ``auto``.
        precision: of the networks; ``int8``, which depth networks alone have: ``auto``.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        ConfigError: no such device, engine or precision here.
        EngineError: an engine does not answer as PyTorch does.
    """
    fixed = fixed_refiner() if config.features == "fixed" else None
    path = checkpoint or bundled(DAY)
    engine = AUTO if engine == "tensorrt" else engine
    precision = AUTO if precision == "int8" else precision
    with torch_threads(THREADS):  # engines take as many as PyTorch has
        odometry = Odometry(path, device, refiner=fixed, engine=engine, precision=precision)
    for part, why in odometry.engines.items():
        logging.getLogger(__name__).info("%s: engine %s", part, why)
    return odometry


def warm_up(odometry: Odometry) -> None:
    """Show the odometry, and what fuses depth, two images: the first are slow."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (96, 320, 3), np.uint8)
    camera, depth = Camera(160.0, 160.0, 159.5, 47.5, 320, 96), np.full((96, 320), 5, np.float32)
    parallax, T_world_cam = Parallax(), np.eye(4)
    for i in range(2):
        odometry.update(image, depth, camera, i * 100_000_000)
        T_world_cam[0, 3] = 0.25 * i  # to the right by 8 pixels: parallax has something to tell
        parallax.update(np.roll(image, -8 * i, axis=1), depth, camera, T_world_cam.copy())
    odometry.reset()
