"""Camera poses into vehicle motion."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sdepth.geometry.camera import R_BODY_OPTICAL
from sdepth.odometry.motion import MotionTracker, positive, rotation_vector
from sdepth_ros.conversions import from_q_xyzw, to_q_xyzw

SECOND = 1_000_000_000
T_BASE_CAM = np.eye(4)
T_BASE_CAM[:3, :3] = R_BODY_OPTICAL
T_BASE_CAM[:3, 3] = 1.5, 0.0, 1.2


def ahead(z: float) -> NDArray[np.float64]:
    """Return T_world_cam of a camera that moved along its optical axis."""
    T = np.eye(4)
    T[2, 3] = z
    return T


@pytest.mark.parametrize("T_base_cam", [T_BASE_CAM, None])
def test_a_camera_that_looks_ahead_drives_along_x(T_base_cam: NDArray[np.float64] | None) -> None:
    tracker = MotionTracker()
    tracker.update(np.eye(4), np.eye(6), T_base_cam, SECOND)
    motion = tracker.update(ahead(3.0), np.eye(6), T_base_cam, 3 * SECOND)
    np.testing.assert_allclose(motion.T_odom_base[:3, 3], [3, 0, 0], atol=1e-12)


def test_the_base_starts_at_the_origin_and_its_twist_is_unknown() -> None:
    motion = MotionTracker().update(np.eye(4), np.eye(6), T_BASE_CAM, SECOND)
    np.testing.assert_allclose(motion.T_odom_base, np.eye(4), atol=1e-12)
    assert motion.twist_covariance[0, 0] > 1e3


def test_twist_is_in_the_base_frame() -> None:
    tracker = MotionTracker()
    tracker.update(np.eye(4), np.eye(6), T_BASE_CAM, 0)
    motion = tracker.update(ahead(3.0), np.eye(6), T_BASE_CAM, SECOND // 2)
    np.testing.assert_allclose(motion.velocity, [6, 0, 0], atol=1e-12)
    np.testing.assert_allclose(motion.angular_velocity, 0, atol=1e-12)


def test_a_turn_to_the_left_is_positive_about_z() -> None:
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.array([0, -0.1, 0.0]))[0]  # y points down
    tracker = MotionTracker()
    tracker.update(np.eye(4), np.eye(6), T_BASE_CAM, 0)
    motion = tracker.update(T, np.eye(6), T_BASE_CAM, SECOND)
    np.testing.assert_allclose(motion.angular_velocity, [0, 0, 0.1], atol=1e-9)


def test_covariance_turns_with_the_axes_and_stays_positive() -> None:
    tracker = MotionTracker()
    tracker.update(np.eye(4), np.zeros((6, 6)), None, 0)
    motion = tracker.update(ahead(1), np.diag([1, 2, 3, 4, 5, 6.0]), None, SECOND)
    np.testing.assert_allclose(np.diag(motion.pose_covariance), [3, 1, 2, 6, 4, 5])
    np.testing.assert_allclose(np.diag(motion.twist_covariance), [1, 2, 3, 4, 5, 6])
    assert np.linalg.eigvalsh(positive(-np.eye(6))).min() > 0


def test_after_a_lost_pose_the_twist_is_unknown() -> None:
    T_base_cam, tracker = T_BASE_CAM.copy(), MotionTracker()
    T_base_cam[:3, :3] = from_q_xyzw(to_q_xyzw(R_BODY_OPTICAL))  # as it comes in a message
    tracker.update(np.eye(4), np.eye(6) * 9999.0, T_base_cam, 0)
    motion = tracker.update(ahead(1), np.eye(6), T_base_cam, SECOND)
    assert motion.twist_covariance[0, 0] > 1e3
    np.testing.assert_array_equal(motion.velocity, 0)


@pytest.mark.parametrize("rotvec", [(0, 0, 0), (1e-13, 0, 0), (0.1, -0.2, 0.3), (0, 3.0, 0)])
def test_rotation_vectors_survive(rotvec: tuple[float, float, float]) -> None:
    R = cv2.Rodrigues(np.array(rotvec, float))[0]
    np.testing.assert_allclose(rotation_vector(R), rotvec, atol=1e-9)


def test_a_camera_that_turns_on_a_standing_base_moves_no_base() -> None:
    tracker = MotionTracker()
    for step in range(3):
        T_base_cam = T_BASE_CAM.copy()
        T_base_cam[:3, :3] = cv2.Rodrigues(np.array([0, 0, 0.1 * step]))[0] @ R_BODY_OPTICAL
        T_world_cam = np.linalg.inv(T_BASE_CAM) @ T_base_cam
        motion = tracker.update(T_world_cam, np.eye(6), T_base_cam, step * SECOND)
        np.testing.assert_allclose(motion.T_odom_base, np.eye(4), atol=1e-12)
