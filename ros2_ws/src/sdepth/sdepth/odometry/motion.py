"""Camera poses into the pose and the twist of the vehicle's base, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.alignment.solver import Refinement
from sdepth.geometry.camera import R_BODY_OPTICAL

Matrix = NDArray[np.float64]

LOST_VARIANCE = 9999.0
"""Variance, m^2 and rad^2, of a pose that is not known."""
_LEVEL = np.eye(4)
_LEVEL[:3, :3] = R_BODY_OPTICAL
_LEAST_VARIANCE = 0.05**2  # of a twist: the difference of two poses is never sharper


@dataclass(frozen=True)
class Motion:
    """Pose of the base in odom and its twist in the base; covariances (6, 6): xyz, then rotation.

    Attributes:
        T_odom_base: (4, 4), metres.
        velocity: (3,) m/s, in the base frame.
        angular_velocity: (3,) rad/s, in the base frame.
        pose_covariance: in the odom frame's axes.
        twist_covariance: in the base frame's axes.
    """

    T_odom_base: NDArray[np.float64]
    velocity: NDArray[np.float64]
    angular_velocity: NDArray[np.float64]
    pose_covariance: NDArray[np.float64]
    twist_covariance: NDArray[np.float64]


class MotionTracker:
    """Accumulates camera poses into pose and twist of one base frame."""

    def __init__(self) -> None:
        """Start without a pose."""
        self.reset()

    def reset(self) -> None:
        """Forget the last pose."""
        self._stamp_ns: int | None = None
        self._T_odom_world: NDArray[np.float64] | None = None
        self._T_odom_base = np.eye(4)
        self._covariance = np.zeros((6, 6))

    def update(
        self,
        T_world_cam: NDArray[np.float64],
        covariance: NDArray[np.float64],
        T_base_cam: NDArray[np.float64] | None,
        stamp_ns: int,
    ) -> Motion:
        """Return the base's motion.

        Odom is where the base was at the first frame. Without a base, the camera itself moves,
        and odom has body axes (x forward, z up) at its first position, so that a drive lies in
        the ground plane of a viewer.

        Args:
            T_world_cam: (4, 4) camera in its own first frame.
            covariance: (6, 6) of it, xyz then rotation, in the world's axes.
            T_base_cam: (4, 4) mounting of the camera at that time, or None.
            stamp_ns: time of the image, after the last one.
        """
        if self._T_odom_world is None:  # where a camera that moves on its base was at first
            self._T_odom_world = _LEVEL if T_base_cam is None else T_base_cam
        T_odom_world = self._T_odom_world
        T_base_cam = np.eye(4) if T_base_cam is None else T_base_cam
        T_odom_base = T_odom_world @ T_world_cam @ np.linalg.inv(T_base_cam)
        turn = np.kron(np.eye(2), T_odom_world[:3, :3])
        pose_covariance = turn @ covariance @ turn.T
        motion = self._since_last(T_odom_base, pose_covariance, stamp_ns)
        self._stamp_ns, self._T_odom_base = stamp_ns, T_odom_base
        self._covariance = pose_covariance
        return motion

    def _since_last(
        self, T_odom_base: NDArray[np.float64], covariance: NDArray[np.float64], stamp_ns: int
    ) -> Motion:
        """Return the motion with the twist since the last pose, unknown where that is."""
        # Turned into other axes, what was 9999 is a little less.
        if self._stamp_ns is None or self._covariance.max() > 0.99 * LOST_VARIANCE:
            unknown = np.eye(6) * LOST_VARIANCE
            return Motion(T_odom_base, np.zeros(3), np.zeros(3), covariance, unknown)
        seconds = (stamp_ns - self._stamp_ns) * 1e-9
        T_last_base = np.linalg.inv(self._T_odom_base) @ T_odom_base
        # What this step added to the pose's covariance, in the base's axes, per time.
        turn = np.kron(np.eye(2), T_odom_base[:3, :3].T)
        added = turn @ (covariance - self._covariance) @ turn.T / seconds**2
        return Motion(
            T_odom_base,
            T_last_base[:3, 3] / seconds,
            rotation_vector(T_last_base[:3, :3]) / seconds,
            covariance,
            positive(added),
        )


def up_to_scale(motion: Motion) -> Motion:
    """Return the motion with unknown scale: position and speed get ``LOST_VARIANCE``."""
    pose, twist = motion.pose_covariance.copy(), motion.twist_covariance.copy()
    for covariance in (pose, twist):
        covariance[:3], covariance[:, :3] = 0, 0
        covariance[:3, :3] = np.eye(3) * LOST_VARIANCE
    return replace(motion, pose_covariance=pose, twist_covariance=twist)


def rotation_vector(R: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation vector (3,), radians, of a rotation matrix (3, 3)."""
    if np.trace(R) < 2.99:
        return np.asarray(cv2.Rodrigues(R)[0][:, 0], np.float64)
    # OpenCV takes less than 1e-5 radians for none.
    sine = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]]) / 2
    length = float(np.linalg.norm(sine))
    share = np.arcsin(length) / length if length > 1e-12 else 1.0
    return np.asarray(share * sine, np.float64)


def positive(matrix: NDArray[np.float64], least: float = _LEAST_VARIANCE) -> NDArray[np.float64]:
    """Return the nearest symmetric matrix whose eigenvalues are at least ``least``."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray((vectors * np.maximum(values, least)) @ vectors.T, np.float64)


def step_covariance(
    found: Refinement, T_cam_key: Matrix, scale_sigma: float, correlation: float
) -> Matrix:
    """Return the covariance (6, 6) of a motion in the camera's axes: noise and scale of depth.

    Args:
        found: the motion, a batch of one.
        T_cam_key: (4, 4), that motion.
        scale_sigma: as ``OdometryConfig`` has it.
        correlation: likewise.
    """
    hessian = found.hessian[0].double().cpu().numpy()
    noise = np.linalg.inv(hessian) * float(found.variance[0]) * correlation
    t = T_cam_key[:3, 3] * scale_sigma
    noise[:3, :3] += np.outer(t, t)
    return np.asarray((noise + noise.T) / 2 + np.eye(6) * 1e-10, np.float64)


def propagate(
    covariance: Matrix, T_world_key: Matrix, T_world_cam: Matrix, step: Matrix
) -> Matrix:
    """Return the covariance after a step: the keyframe's, levered by it, and the step's own."""
    x, y, z = T_world_cam[:3, 3] - T_world_key[:3, 3]
    lever = np.eye(6)
    lever[:3, 3:] = [[0, z, -y], [-z, 0, x], [y, -x, 0]]
    turn = np.kron(np.eye(2), T_world_cam[:3, :3])
    moved = lever @ covariance @ lever.T + turn @ step @ turn.T
    return np.asarray((moved + moved.T) / 2, np.float64)
