"""How sure a motion is, and a pose after it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sdepth.alignment.solver import Refinement

Matrix = NDArray[np.float64]


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
