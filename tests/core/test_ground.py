"""The road in a depth image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdepth.geometry.camera import Camera
from sdepth.scale.ground import find_ground
from training.data.drive import read_depth
from training.data.open_drive import find_drives, read_drive

CAMERA = Camera(190.0, 190.0, 159.5, 47.5, 320, 96)
RENDERED = Path(__file__).parents[2] / "data/synth/day_test"


def plane(height: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Return the depth (96, 320) of a road seen from a camera at a height, and no sky."""
    x = (np.arange(320) - CAMERA.cx) / CAMERA.fx
    y = (np.arange(96) - CAMERA.cy) / CAMERA.fy
    down = np.array([np.sin(roll), np.cos(roll) * np.cos(pitch), -np.sin(pitch)])
    inv_depth = (down[0] * x[None] + down[1] * y[:, None] + down[2]) / height
    return np.where(inv_depth > 1e-3, 1 / np.maximum(inv_depth, 1e-3), np.inf).astype(np.float32)


@pytest.mark.parametrize("height", [0.3, 1.65, 40.0])
@pytest.mark.parametrize(("pitch", "roll"), [(0.0, 0.0), (0.08, 0.0), (-0.05, 0.06)])
def test_a_plane_is_found_exactly_in_any_unit(height: float, pitch: float, roll: float) -> None:
    found = find_ground(plane(height, pitch, roll), CAMERA)

    assert found is not None
    assert found.height == pytest.approx(height, rel=1e-5)
    up = [-np.sin(roll), -np.cos(roll) * np.cos(pitch), np.sin(pitch)]
    assert found.up == pytest.approx(up, abs=1e-5)
    assert found.share == 1


def test_cars_noise_and_holes_hardly_move_it() -> None:
    rng = np.random.default_rng(0)
    depth = plane(1.5) * rng.normal(1, 0.03, (96, 320)).astype(np.float32)
    depth[60:85, 130:190] = 6.0  # a car ahead
    depth[:, 200:215] = np.nan

    found = find_ground(depth, CAMERA)
    assert found is not None
    assert found.height == pytest.approx(1.5, rel=0.01)
    assert 0.5 < found.share < 0.9


@pytest.mark.parametrize(
    "depth",
    [np.full((96, 320), np.nan), np.full((96, 320), np.inf), np.full((96, 320), 5.0)],
    ids=["unknown", "sky", "wall"],
)
def test_where_no_road_is_none_is_found(depth: np.ndarray) -> None:
    assert find_ground(depth.astype(np.float32), CAMERA) is None


def test_an_upward_camera_sees_no_road() -> None:
    camera = Camera(190.0, 190.0, 159.5, 150.0, 320, 96)

    assert find_ground(np.full((96, 320), 5, np.float32), camera) is None


@pytest.mark.skipif(not RENDERED.exists(), reason="data/synth/day_test is not rendered")
def test_rendered_drives_have_the_height_they_were_driven_at() -> None:
    errors = []
    for folder in find_drives(RENDERED):
        drive = read_drive(folder)
        frame = drive.frames[20]
        assert frame.depth is not None
        found = find_ground(read_depth(frame.depth), drive.camera)
        assert found is not None
        assert drive.camera_height_m is not None
        errors.append(abs(found.height / drive.camera_height_m - 1))
    assert np.median(errors) < 0.03
    assert sorted(errors)[-2] < 0.05  # one drives over the top of a hill, where no plane is
