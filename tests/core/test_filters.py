"""Depth without flying pixels, and in its range."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sdepth.depth.cloud import drop_above_road, within_height, xyzrgb_cloud
from sdepth.depth.validity import drop_edges, edge_window, within
from sdepth.geometry.camera import Camera
from sdepth.scale.ground import Ground
from sdepth_ros.depth_outputs import to_millimetres


def test_both_sides_of_a_jump_go_and_nothing_else() -> None:
    depth = np.full((6, 10), 20, np.float32)
    depth[:, :5] = 5

    kept = np.isfinite(drop_edges(depth, 0.3))

    assert (kept == [[True] * 4 + [False] * 2 + [True] * 4] * 6).all()


def test_a_pixel_between_two_surfaces_makes_no_point() -> None:
    camera = Camera(100.0, 100.0, 4.5, 2.5, 10, 6)
    depth = np.full((6, 10), 20, np.float32)
    depth[:, :4], depth[:, 4] = 5, 12  # what resizing makes of an edge
    image = np.zeros((6, 10, 3), np.uint8)

    points = xyzrgb_cloud(drop_edges(depth, 0.3), image, camera)[..., 2]

    assert sorted({*points[np.isfinite(points)].tolist()}) == [5, 20]


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_network_s_edge_goes_whole_at_every_size(scale: int) -> None:
    camera = Camera(185.0, 185.0, 15.5, 4.5, 32, 10).resized(32 * scale, 10 * scale)
    depth = np.full((10, 32), 30, np.float32)
    depth[:, :16] = 10
    large = 1 / cv2.resize(1 / depth, (camera.width, camera.height))  # as the estimator does

    kept = drop_edges(large, 0.25, edge_window(camera))

    left = kept[np.isfinite(kept)]
    assert len(left) >= 0.8 * kept.size
    assert set(np.round(left)) == {10, 30}


def test_nothing_goes_beside_a_hole() -> None:
    depth = np.full((6, 10), 20, np.float32)
    depth[2, 5] = np.nan

    kept = drop_edges(depth, 0.3)

    assert np.isnan(kept).sum() == 1


def test_what_is_high_above_the_road_goes_wherever_the_camera_looks() -> None:
    up = np.array([0.0, -np.cos(0.2), -np.sin(0.2)])  # it looks down
    road = Ground(1.5, up, 1.0)
    cloud = np.zeros((1, 3, 4), np.float32)
    for i, height in enumerate((0.0, 4.9, 5.1)):
        cloud[0, i, :3] = 30 * np.array([0, -np.sin(0.2), np.cos(0.2)]) + (height - 1.5) * up

    drop_above_road(cloud, road, 5.0)

    assert [*np.isfinite(cloud[0, :, 0])] == [True, True, False]
    drop_above_road(cloud, None, 0.0)
    assert np.isfinite(cloud[0, 1]).all()


def test_the_road_stays() -> None:
    rows = np.arange(110, 192, dtype=np.float32)[:, None]
    road = np.repeat(1.5 * 380 / (rows - 96), 640, 1)  # from 1.5 m, focal length 380, up to 40 m

    assert np.isfinite(drop_edges(road, 0.2)).all()


def test_no_share_means_no_change() -> None:
    depth = np.random.default_rng(0).uniform(1, 80, (5, 7)).astype(np.float32)

    assert drop_edges(depth, 0.0) is depth


def test_out_of_range_is_told_by_its_side() -> None:
    depth = np.array([[0.05, 1, 29, 31, np.nan]], np.float32)

    found = within(depth, 0.1, 30)

    assert np.array_equal(found, [[-np.inf, 1, 29, np.inf, np.nan]], equal_nan=True)


def test_millimetres_are_whole_and_0_where_unknown() -> None:
    depth = np.array([[1.2344, 1.2346, np.nan, np.inf, -np.inf, 65.5, 66.0]], np.float32)

    assert to_millimetres(depth).tolist() == [[1234, 1235, 0, 0, 0, 65500, 0]]


def test_points_above_and_below_the_band_go() -> None:
    camera = Camera(100.0, 100.0, 1.0, 50.0, 3, 101)
    depth = np.full((101, 3), 10, np.float32)

    cloud = xyzrgb_cloud(depth, np.zeros((101, 3, 3), np.uint8), camera)

    within_height(cloud, -1.0, 2.0)

    kept = np.isfinite(cloud[..., :3]).all((1, 2))

    assert [*np.flatnonzero(kept)] == [*range(30, 61)]  # 2 m up to 1 m down, 0.1 m a row
