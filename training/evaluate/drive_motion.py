"""A checkpoint over a drive: depth of every frame, and every kind of motion between neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sdepth.alignment.refiner import fixed_refiner
from sdepth.checkpoint import load_pose, load_refiner
from sdepth.depth.estimator import DepthEstimator
from sdepth.errors import DataError
from training.data.drive import Drive

Poses = NDArray[np.float64]

INITIAL, REFINED, INTENSITY = "initial", "refined", "intensity"
STRAIGHT, UNTURNED = "straight ahead", "initial, not turned"
"""Kinds of motion: the pose network's; refined by the checkpoint's own features; refined by fixed
intensity features; always one metre forward; the pose network's without its rotation."""


@dataclass(frozen=True)
class DriveMotion:
    """What a checkpoint says about a drive of N frames.

    Attributes:
        depth: (N, h, w) at the network's size, metres or metres up to one factor.
        T_true: T_later_earlier (N - 1, 4, 4) of neighbours, metres.
        T: the same per kind of motion, in the unit of ``depth``.
        kept: (N - 1,) per kind of refinement, whether it believed its result.
    """

    depth: NDArray[np.float32]
    T_true: Poses
    T: dict[str, Poses]
    kept: dict[str, NDArray[np.bool_]]


class MotionEstimator:
    """A checkpoint's networks and refinements, ready for drives."""

    def __init__(self, checkpoint: Path, device: str = "auto", batch: int = 16) -> None:
        """Load the checkpoint; ``batch`` pairs are refined at once.

        Raises:
            CheckpointError: the checkpoint cannot be used.
            ConfigError: no such device.
        """
        self._depth = DepthEstimator(checkpoint, device, resolution="model")
        self._batch, self.device = batch, self._depth.device
        self._pose, self.card = load_pose(checkpoint, self.device)
        self._refiners = {INTENSITY: fixed_refiner().to(self.device)}
        if self.card.features:
            self._refiners[REFINED] = load_refiner(checkpoint, self.device)[0]

    def __call__(self, drive: Drive) -> DriveMotion:
        """Return depth and motions of a drive whose poses are known.

        Raises:
            DataError: fewer than two frames, or poses unknown.
        """
        images = [drive.read(frame) for frame in drive.frames]
        depth = np.stack([self._depth.predict(image, drive.camera).depth for image in images])
        rgb = torch.stack([self._to_input(image) for image in images])
        height, width = self.card.input_size
        K = torch.from_numpy(drive.camera.resized(width, height).K).float()
        T_true = true_motions(drive)
        found: dict[str, list[Tensor]] = {}
        for first in range(0, len(T_true), self._batch):
            rows = slice(first, min(first + self._batch, len(T_true)))
            later = slice(rows.start + 1, rows.stop + 1)
            part = self._motions(rgb[rows], rgb[later], torch.from_numpy(depth[rows]), K)
            for name, values in part.items():
                found.setdefault(name, []).append(values)
        whole = {name: torch.cat(parts).cpu().numpy() for name, parts in found.items()}
        kept = {k: whole.pop(f"{k} kept").astype(np.bool_) for k in self._refiners}
        T = {kind: T.astype(np.float64) for kind, T in whole.items()}
        return DriveMotion(depth, T_true, T | _trivial(T[INITIAL]), kept)

    @torch.inference_mode()
    def _motions(
        self, earlier: Tensor, later: Tensor, depth: Tensor, K: Tensor
    ) -> dict[str, Tensor]:
        """Return T_later_earlier per kind, and "KIND kept" per refinement."""
        earlier, later = earlier.to(self.device), later.to(self.device)
        depth, K = depth[:, None].to(self.device), K.to(self.device).expand(len(depth), 3, 3)
        found = {INITIAL: self._pose(earlier, later)}
        for kind, refiner in self._refiners.items():
            result = refiner(earlier, later, depth, K, found[INITIAL])
            found |= {kind: result.T_src_tgt, f"{kind} kept": result.ok}
        return found

    def _to_input(self, image: NDArray[np.uint8]) -> Tensor:
        """Return the image (3, h, w) in [0, 1] at the network's size."""
        height, width = self.card.input_size
        small = image
        if image.shape[:2] != (height, width):
            small = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
        return torch.from_numpy(small).permute(2, 0, 1).float() / 255


def true_motions(drive: Drive) -> Poses:
    """Return T_later_earlier (N - 1, 4, 4) of neighbouring frames, metres.

    Raises:
        DataError: fewer than two frames, or poses unknown.
    """
    T_world_cam = true_poses(drive)
    return np.asarray(np.linalg.inv(T_world_cam[1:]) @ T_world_cam[:-1], np.float64)


def true_poses(drive: Drive) -> Poses:
    """Return T_world_cam (N, 4, 4) of every frame, metres.

    Raises:
        DataError: fewer than two frames, or poses unknown.
    """
    known = [f.T_world_cam for f in drive.frames if f.T_world_cam is not None]
    if len(known) < max(2, len(drive.frames)):
        raise DataError(
            f"drive {drive.name}: {len(known)} poses for {len(drive.frames)} frames; motion is "
            "judged where every frame has one (poses/NN.txt) and there are two at least"
        )
    return np.stack(known)


def chain(T_later_earlier: Poses) -> Poses:
    """Return T_world_cam (N + 1, 4, 4) of N motions; the world is the first camera."""
    path = [np.eye(4)]
    for T in T_later_earlier:
        path.append(path[-1] @ np.linalg.inv(T))
    return np.stack(path)


def _trivial(T_initial: Poses) -> dict[str, Poses]:
    """Return the motions that need no network, or only half of it."""
    straight = np.tile(np.eye(4), (len(T_initial), 1, 1))
    unturned = straight.copy()
    straight[:, 2, 3] = -1.0
    unturned[:, :3, 3] = T_initial[:, :3, 3]
    return {STRAIGHT: straight, UNTURNED: unturned}
