"""Organised clouds: positions, colours and bytes."""

from __future__ import annotations

import numpy as np
import pytest

from sdepth.depth.cloud import color_by_height, xyzrgb_cloud
from sdepth.errors import ConfigError, ShapeError
from sdepth.geometry.camera import Camera

CAMERA = Camera(fx=4.0, fy=4.0, cx=1.5, cy=0.5, width=4, height=2)
DEPTH = np.full((2, 4), 2.0, np.float32)
IMAGE = np.zeros((2, 4, 3), np.uint8)


def test_points_lie_where_the_pixels_look() -> None:
    cloud = xyzrgb_cloud(DEPTH, IMAGE, CAMERA)
    assert cloud.shape == (2, 4, 4)
    np.testing.assert_allclose(cloud[0, 0, :3], [2 * -1.5 / 4, 2 * -0.5 / 4, 2])
    np.testing.assert_allclose(cloud[1, 3, :3], [2 * 1.5 / 4, 2 * 0.5 / 4, 2])


def test_a_red_pixel_is_stored_as_bytes_b_g_r_0() -> None:
    image = IMAGE.copy()
    image[0, 1] = (255, 10, 20)
    cloud = xyzrgb_cloud(DEPTH, image, CAMERA)
    assert cloud[0, 1].tobytes()[12:] == bytes([20, 10, 255, 0])
    assert cloud.view(np.uint32)[0, 1, 3] == 0x00FF0A14


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0, -1.0])
def test_pixels_without_depth_become_nan_points(bad: float) -> None:
    depth = DEPTH.copy()
    depth[0, 0] = bad
    cloud = xyzrgb_cloud(depth, IMAGE, CAMERA)
    assert np.isnan(cloud[0, 0, :3]).all()
    assert np.isfinite(cloud[1, :, :3]).all()


def test_stride_takes_every_nth_point_unchanged() -> None:
    depth = np.arange(1, 9, dtype=np.float32).reshape(2, 4)
    full = xyzrgb_cloud(depth, IMAGE, CAMERA)
    np.testing.assert_array_equal(xyzrgb_cloud(depth, IMAGE, CAMERA, stride=2), full[::2, ::2])


@pytest.mark.parametrize("size", [(2, 4), (6, 12), (3, 5), (1, 2)])
def test_points_have_the_colour_of_the_nearest_pixel(size: tuple[int, int]) -> None:
    image = np.arange(3 * size[0] * size[1], dtype=np.uint8).reshape(*size, 3)
    v, u = np.mgrid[:2, :4]
    rows, columns = (v * 2 + 1) * size[0] // 4, (u * 2 + 1) * size[1] // 8

    colour = xyzrgb_cloud(DEPTH, image, CAMERA).view(np.uint8)[..., 12:]

    np.testing.assert_array_equal(colour[..., 2::-1], image[rows, columns])
    assert not colour[..., 3].any()


def test_height_above_the_road_runs_from_blue_to_red() -> None:
    camera = Camera(100.0, 100.0, 1.0, 50.0, 3, 101)
    depth, image = np.full((101, 3), 10, np.float32), np.zeros((101, 3, 3), np.uint8)
    cloud = xyzrgb_cloud(depth, image, camera)
    points = cloud[..., :3].copy()

    color_by_height(cloud, None, 5.0)

    blue, _, red, zero = np.moveaxis(cloud.view(np.uint8)[..., 12:], -1, 0).astype(int)
    np.testing.assert_array_equal(cloud[..., :3], points)
    assert ((red > blue) == (points[..., 1] < -1.0))[:, 0].mean() > 0.95  # half of 5 m over -1.5
    assert not zero.any()


def test_wrong_size_and_stride_are_refused() -> None:
    with pytest.raises(ShapeError, match="depth"):
        xyzrgb_cloud(DEPTH[:1], IMAGE, CAMERA)
    with pytest.raises(ConfigError, match="stride 0"):
        xyzrgb_cloud(DEPTH, IMAGE, CAMERA, stride=0)
