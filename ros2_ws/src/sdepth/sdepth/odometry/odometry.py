"""Images and their depth to the path of the camera: what the odometry node calls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sdepth.alignment.frame import FARTHEST_M, View, Viewer, levels
from sdepth.alignment.refiner import Refiner, fixed_refiner
from sdepth.alignment.search import search
from sdepth.alignment.solver import RefineConfig, Refinement
from sdepth.checkpoint import load_refiner, read_card
from sdepth.depth.estimator import pick_device
from sdepth.engines import FEATURES, POSE, Engine, Source, choose
from sdepth.geometry.camera import Camera
from sdepth.odometry.guesses import forward, rivals, transform
from sdepth.odometry.motion import LOST_VARIANCE, Matrix, propagate, step_covariance
from sdepth.shapes import check_shape

Tracking = Literal["ok", "degraded", "lost"]

BY_ENGINE = ("unet", "random")
"""Features that engines run; the others are too small, or the depth network's."""


@dataclass(frozen=True)
class OdometryConfig:
    """How motion is found.

    Attributes:
        keyframe_move: a new keyframe is taken when the camera has moved by this share of the
            median depth, or turned by as many radians,
        keyframe_valid: or when less than this share of the keyframe is still seen.
        min_depth_share: a keyframe needs depth on this share of its pixels.
        min_agreement: features must agree at least so well (1 equal, 0 unrelated).
        lost_after: bad frames in a row after which the camera is lost.
        max_gap_s: a longer pause between frames forgets the velocity.
        scale_sigma: relative deviation of the depth's scale, which the path inherits.
        correlation: residuals per independent one: neighbouring pixels err alike. Chosen with
            ``scale_sigma`` so that the normalised squared error of motions since the keyframe
            is near 1 per degree of freedom where a network gives the depth: 0.1 to 1.1 on nine
            of twelve rendered drives (median of all 0.5). On three, where traffic is taken for
            the world, it is 80 to 400: no covariance knows that. With exact depth, 15 would do.
        refine: the refinement's own settings.
    """

    keyframe_move: float = 0.07
    keyframe_valid: float = 0.6
    min_depth_share: float = 0.2
    min_agreement: float = 0.3
    lost_after: int = 5
    max_gap_s: float = 1.0
    scale_sigma: float = 0.1
    correlation: float = 1000.0
    refine: RefineConfig = field(default_factory=lambda: RefineConfig(cell=2))


@dataclass(frozen=True)
class OdometryState:
    """Where the camera is.

    Attributes:
        T_world_cam: (4, 4) metres; the world is the camera's first frame.
        covariance: (6, 6) of it: x y z, then a rotation vector, in the world's axes; m, rad.
        tracking: ``ok``; ``degraded``: this pose is extrapolated; ``lost``: so were several.
        residual_ratio: alignment cost of the refined motion over that of the first guess, at the
            coarse levels times at the finest; NaN where no refinement was believed.
        valid: share of the keyframe's pixels with depth that are seen; NaN likewise.
    """

    T_world_cam: Matrix
    covariance: Matrix
    tracking: Tracking
    residual_ratio: float = float("nan")
    valid: float = float("nan")


@dataclass(frozen=True)
class _Found:
    """A motion since the keyframe that is believed."""

    refined: Refinement
    residual_ratio: float


class Odometry:
    """Follows one camera from frame to frame."""

    def __init__(
        self,
        checkpoint: Path | None = None,
        device: str = "auto",
        config: OdometryConfig | None = None,
        refiner: Refiner | None = None,
        engine: str = "torch",
        precision: str = "fp32",
    ) -> None:
        """Load the pose network and the features that refine its motion.

        Without a pose network only the last velocity guesses the motion; without features of its
        own in the checkpoint, features that need no training refine it.

        Args:
            checkpoint: a .safetensors file with its card beside it.
            device: ``auto``, ``cpu`` or ``cuda:N``.
            config: None for the defaults.
            refiner: features instead of the checkpoint's.
            engine: of the networks, as ``DepthEstimator`` takes it.
            precision: likewise.

        Raises:
            CheckpointError: the checkpoint cannot be used.
            ConfigError: no such device, engine or precision here.
            EngineError: the engine does not answer as PyTorch does.
        """
        self.device = pick_device(device)
        self.config = config or OdometryConfig()
        self.engines: dict[str, str] = {}
        pose_size = None
        self._pose: Engine | None = None
        features: Engine | None = None
        if checkpoint:
            card = read_card(checkpoint)
            source = Source(checkpoint, card, self.device, precision)
            if refiner is None:
                refiner = load_refiner(checkpoint, self.device)[0]
                if card.features in BY_ENGINE and self.device.type == "cpu":
                    features = self._choose(source, FEATURES, engine)
            if card.pose_architecture:  # the smaller network: it follows to the features' library
                pose_size, self._pose = card.input_size, self._choose(source, POSE, engine)
        self._refiner = (refiner or fixed_refiner()).to(self.device).eval()
        self._damping = self._refiner.damping().detach()
        self._viewer = Viewer(self._refiner, self.config.refine.cell, pose_size, features)
        self.reset()

    def _choose(self, source: Source, part: str, engine: str) -> Engine:
        """Return the engine of a part of the checkpoint; keep which and why."""
        chosen, self.engines[part] = choose(replace(source, part=part), engine)
        return chosen

    def reset(self) -> None:
        """Forget everything: the next frame is the origin."""
        self._T_world_cam, self._covariance = np.eye(4), np.eye(6) * 1e-6
        self._key: View | None = None
        self._T_world_key, self._covariance_key = self._T_world_cam, self._covariance
        self._last: View | None = None
        self._velocity: Matrix | None = None
        self._speed = 0.0
        self._missed, self._missed_m = 0, 0.0
        self._turn = 0

    @torch.inference_mode()
    def update(
        self,
        image: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: Camera,
        stamp_ns: int,
        small: NDArray[np.uint8] | None = None,
        below_m: float = FARTHEST_M,
    ) -> OdometryState:
        """Return where the camera is at a frame; the first frame is the origin.

        A frame that cannot be aligned continues at the last velocity and says ``degraded``.
        A pause, or stamps that go back, forget the velocity and keep the pose.

        Args:
            image: RGB (H, W, 3).
            depth: (h, w) of the same view at any size, metres; not finite, <= 0 or beyond 10 km
                where unknown.
            camera: intrinsics of the image; lens distortion must be gone.
            stamp_ns: time of exposure.
            small: the image as a depth network saw it, where one did: it is not made again.
            below_m: depth from here on counts as unknown, metres.

        Raises:
            ShapeError: the image is not (camera.height, camera.width, 3), the depth not (h, w).
        """
        check_shape("image", image, f"{camera.height} {camera.width} 3")
        check_shape("depth", depth, "h w")
        # 1. Features, depth and intrinsics of the frame, from coarse to fine.
        view = self._viewer.look(image, depth, camera, stamp_ns, small, below_m)
        last, self._last = self._last, view
        # 2. The first frame is the origin, and the first keyframe.
        if last is None:
            self._take_key(view)
            return OdometryState(self._T_world_cam, self._covariance, "ok")
        # 3. After a pause the last velocity says nothing.
        seconds = (stamp_ns - last.stamp_ns) * 1e-9
        if paused := not 0 < seconds <= self.config.max_gap_s:
            self._velocity = None
        # 4. Guess the motion since the keyframe in several ways, align each, take the best.
        found = self._find(view, last, seconds)
        # 5. Move there, with a new keyframe where the old one is left behind; or extrapolate.
        if found is None:
            return self._miss(view, seconds, paused)
        return self._move(view, found, seconds)

    def _find(self, view: View, last: View, seconds: float) -> _Found | None:
        """Return the motion since the keyframe, or None where no guess leads to one."""
        if self._key is None or [*map(np.shape, self._key.depth)] != [*map(np.shape, view.depth)]:
            return None
        T_last_key = np.linalg.inv(self._T_world_cam) @ self._T_world_key
        guesses = np.stack(self._guesses(view, last, seconds)) @ T_last_key
        T_cam_key = torch.from_numpy(guesses).float().to(self.device)
        # Every guess at the coarse levels; where they lead to two motions, the finest one decides.
        first = max(1, len(self._damping) - 1)
        pair, config = levels(self._key, view), self.config.refine
        pixels = self._key.pixels if self.device.type == "cpu" else [None] * len(pair)
        coarse = search(pair[:first], T_cam_key, config, self._damping[:first], pixels[:first])
        best = rivals(coarse, self._key.median_depth)
        T_best = coarse.T_src_tgt[best]
        fine = search(pair[-1:], T_best, config, self._damping[-1:], pixels[-1:])
        chosen = int(fine.agreement.argmax())
        found = fine.only(chosen)
        if not found.ok[0] or float(found.agreement[0]) < self.config.min_agreement:
            return None
        return _Found(found, float(coarse.cost_ratio[best[chosen]] * found.cost_ratio[0]))

    def _guesses(self, view: View, last: View, seconds: float) -> list[Matrix]:
        """Return guesses of T_cam_last: the last velocity's, the network's, and other speeds."""
        guesses = [self._extrapolate(seconds)]
        if self._pose is not None and last.image is not None and view.image is not None:
            (motion,) = self._pose.run(last.image[None], view.image[None])
            guesses.append(transform(motion[0].astype(np.float64)))
        # A false motion is a good start for the same one: other speeds are always tried, too.
        steps, self._turn = forward(last.median_depth), self._turn + 1
        known = self._velocity is not None
        return guesses + ([steps[self._turn % len(steps)]] if known else steps)

    def _extrapolate(self, seconds: float) -> Matrix:
        """Return T_cam_last at the last velocity; no motion where it is unknown."""
        return np.eye(4) if self._velocity is None else transform(self._velocity * seconds)

    def _move(self, view: View, aligned: _Found, seconds: float) -> OdometryState:
        """Return the aligned pose; take a new keyframe where the old one is left behind."""
        assert self._key is not None
        found = aligned.refined
        T_cam_key = found.T_src_tgt[0].double().cpu().numpy()
        rotvec = cv2.Rodrigues(T_cam_key[:3, :3])[0]
        T_cam_key[:3, :3] = cv2.Rodrigues(rotvec)[0]  # float32 has made it not quite a rotation
        T_world_cam = self._T_world_key @ np.linalg.inv(T_cam_key)
        T_cam_last = np.linalg.inv(T_world_cam) @ self._T_world_cam
        turn = cv2.Rodrigues(T_cam_last[:3, :3])[0][:, 0]
        if seconds > 0:
            self._velocity = np.concatenate([turn, T_cam_last[:3, 3]]) / seconds
            self._speed = float(np.linalg.norm(self._velocity[3:]))
        self._T_world_cam, self._missed, self._missed_m = T_world_cam, 0, 0.0
        sigmas = self.config.scale_sigma, self.config.correlation
        step = step_covariance(found, T_cam_key, *sigmas)
        self._covariance = propagate(self._covariance_key, self._T_world_key, T_world_cam, step)
        moved = float(np.linalg.norm(T_cam_key[:3, 3])) / self._key.median_depth
        moved = max(moved, float(np.linalg.norm(rotvec)))
        seen = float(found.valid[0])
        if moved > self.config.keyframe_move or seen < self.config.keyframe_valid:
            self._take_key(view)
        return OdometryState(T_world_cam, self._covariance, "ok", aligned.residual_ratio, seen)

    def _miss(self, view: View, seconds: float, paused: bool) -> OdometryState:
        """Return the extrapolated pose of a frame that could not be aligned."""
        self._missed += 1
        lost = self._missed >= self.config.lost_after
        if lost:
            self._velocity = None
        self._T_world_cam = self._T_world_cam @ np.linalg.inv(self._extrapolate(seconds))
        # As if all motion since could be wrong, and all in one direction: errors add, not squares.
        metres = max(self._speed * abs(seconds), 0.02 * view.median_depth, 0.1)
        metres = min(metres, LOST_VARIANCE**0.5)  # beyond that it is not known anyhow
        grown = (self._missed_m + metres) ** 2 - self._missed_m**2
        self._missed_m += metres
        turned = 0.02**2 * (2 * self._missed - 1)
        self._covariance = self._covariance + np.diag([grown] * 3 + [turned] * 3)
        if lost or paused or self._key is None:
            self._take_key(view)  # nothing to wait for: go on from here
        if lost:
            return OdometryState(self._T_world_cam, np.eye(6) * LOST_VARIANCE, "lost")
        return OdometryState(self._T_world_cam, self._covariance, "degraded")

    def _take_key(self, view: View) -> None:
        """Make a frame the keyframe, if it has depth."""
        if view.depth_share >= self.config.min_depth_share:
            self._key = view
            self._T_world_key, self._covariance_key = self._T_world_cam, self._covariance
