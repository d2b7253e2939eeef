"""Odometry among lorries that keep pace with the camera: the road tells that it moves."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sdepth.alignment.traffic import TRAFFIC_TRUST, believed_still
from sdepth.geometry.camera import Camera
from sdepth.odometry.odometry import Odometry

WIDTH, HEIGHT = 320, 96
CAMERA = Camera(200, 200, 159.5, 40.5, WIDTH, HEIGHT)
LORRIES = ((-3.6, -0.9, 9.0), (1.0, 3.6, 12.0))
"""Left and right side, metres, and distance of what drives ahead of the camera."""
pytestmark = pytest.mark.usefixtures("one_thread")


def see_road(z: float, scale: float = 1.0) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return image and depth of a road between faint walls, and of lorries as fast as we are."""
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    ray = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones_like(u)], -1)
    low, high = np.array([-9.0, -7, -9]), np.array([9.0, 1.6, 80])
    reach = np.where(ray > 0, high, low) / np.where(np.abs(ray) < 1e-9, 1e-9, ray)
    depth = reach.min(-1)
    waves = np.random.default_rng(0).normal(size=(3, 24)) * 2.5
    world = depth[..., None] * ray + [0, 0, z]
    value = 0.12 * np.sin(world @ waves + np.arange(24)).mean(-1)
    for left, right, distance in LORRIES:
        at = distance * ray
        on = (at[..., 0] > left) & (at[..., 0] < right) & (at[..., 1] > -2) & (at[..., 1] < 1.3)
        value = np.where(on, np.sin(at @ waves + np.arange(24)).mean(-1), value)
        depth = np.where(on, distance, depth)
    grey = np.clip(128 + 300 * value, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2), (scale * depth).astype(np.float32)


def test_lorries_that_keep_pace_do_not_hide_the_motion() -> None:
    odometry = Odometry(None, "cpu")
    for i in range(8):
        state = odometry.update(*see_road(0.8 * i), CAMERA, i * 100_000_000)
    assert state.tracking == "ok"
    np.testing.assert_allclose(state.T_world_cam[:3, 3], [0, 0, 5.6], atol=0.15)


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_what_stands_on_the_road_is_believed_less_whatever_the_unit(scale: float) -> None:
    depth = see_road(0, scale)[1]
    weight = believed_still(depth, CAMERA)
    for left, right, distance in LORRIES:
        u = int(CAMERA.fx * (left + right) / 2 / distance + CAMERA.cx)
        assert weight[int(CAMERA.cy), u] == np.float32(TRAFFIC_TRUST)
    assert weight[-5, WIDTH // 2] == 1  # the road
    assert weight[40, 5] == weight[40, -5] == 1  # the walls


def test_without_a_road_all_is_believed_alike() -> None:
    assert (believed_still(np.full((HEIGHT, WIDTH), 5, np.float32), CAMERA) == 1).all()
