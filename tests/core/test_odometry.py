"""Odometry on a rendered drive towards a wall: what it finds, and what it says when it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sdepth.alignment.frame import Viewer, levels
from sdepth.alignment.refiner import Refiner
from sdepth.checkpoint import save
from sdepth.errors import CheckpointError, ShapeError
from sdepth.geometry.camera import Camera
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from sdepth.odometry.motion import LOST_VARIANCE
from sdepth.odometry.odometry import Odometry, OdometryState
from tests.core.test_checkpoint import CARD

WIDTH, HEIGHT = 160, 96
CAMERA = Camera(120, 120, 79.5, 47.5, WIDTH, HEIGHT)
PERIOD_NS = 100_000_000
Image, Depth = NDArray[np.uint8], NDArray[np.float32]
pytestmark = pytest.mark.usefixtures("one_thread")


def see_room(
    z: float, x: float = 0.0, yaw: float = 0.0, finer: float = 1.0
) -> tuple[Image, Depth]:
    """Return image and depth inside a textured room 6 m wide and 4 m high, its wall at z = 12."""
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    ray = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones_like(u)], -1)
    ray = ray @ cv2.Rodrigues(np.array([0.0, yaw, 0.0]))[0].T
    start, low, high = np.array([x, 0, z]), np.array([-3.0, -2, -9]), np.array([3.0, 2, 12])
    reach = (np.where(ray > 0, high, low) - start) / np.where(np.abs(ray) < 1e-9, 1e-9, ray)
    depth = reach.min(-1)  # rays have z = 1 in the camera
    point = start + depth[..., None] * ray
    waves = np.random.default_rng(0).normal(size=(3, 24)) * 2.5 * finer
    value = np.sin(point @ waves + np.arange(24)).mean(-1)
    grey = np.clip(128 + 300 * value, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2), depth.astype(np.float32)


def drive(odometry: Odometry, frames: int, step_m: float = 0.2, start: int = 0) -> OdometryState:
    """Return the state after driving straight ahead; frame i is at i * ``step_m``."""
    for i in range(start, start + frames):
        image, depth = see_room(i * step_m)
        state = odometry.update(image, depth, CAMERA, i * PERIOD_NS)
    return state


def bad_frame(odometry: Odometry, number: int) -> OdometryState:
    """Return the state after a black image, whose depth is a guess."""
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    guess = np.full((HEIGHT, WIDTH), 10, np.float32)
    return odometry.update(black, guess, CAMERA, number * PERIOD_NS)


def test_the_first_frame_is_the_origin() -> None:
    state = drive(Odometry(None, "cpu"), 1)
    np.testing.assert_array_equal(state.T_world_cam, np.eye(4))
    assert state.tracking == "ok"
    assert state.covariance.max() < 1e-3


def test_a_straight_drive_is_followed_within_two_percent() -> None:
    state = drive(Odometry(None, "cpu"), 11)
    np.testing.assert_allclose(state.T_world_cam[:3, 3], [0, 0, 2], atol=0.04)
    np.testing.assert_allclose(state.T_world_cam[:3, :3], np.eye(3), atol=0.005)
    assert state.tracking == "ok"
    assert state.residual_ratio < 1


def test_a_sudden_start_is_followed_where_texture_is_fine() -> None:
    odometry = Odometry(None, "cpu")
    for i in range(10):  # where it stood, and nothing moved, agrees with itself
        image, depth = see_room(max(0, i - 3) * 0.6, finer=6.0)
        state = odometry.update(image, depth, CAMERA, i * PERIOD_NS)
    np.testing.assert_allclose(state.T_world_cam[:3, 3], [0, 0, 3.6], atol=0.07)


def test_a_turn_is_followed() -> None:
    odometry = Odometry(None, "cpu")
    for i in range(8):
        state = odometry.update(*see_room(0.1 * i, 0.05 * i, 0.02 * i), CAMERA, i * PERIOD_NS)
    rotvec = cv2.Rodrigues(state.T_world_cam[:3, :3])[0][:, 0]
    np.testing.assert_allclose(rotvec, [0, 0.14, 0], atol=0.005)
    np.testing.assert_allclose(state.T_world_cam[:3, 3], [0.35, 0, 0.7], atol=0.03)


def test_a_standing_camera_does_not_drift_in_noise() -> None:
    odometry, rng = Odometry(None, "cpu"), np.random.default_rng(0)
    image, depth = see_room(0)
    for i in range(12):
        noisy = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
        state = odometry.update(noisy, depth, CAMERA, i * PERIOD_NS)
    assert np.linalg.norm(state.T_world_cam[:3, 3]) < 0.01
    assert state.tracking == "ok"


def test_depth_of_another_size_with_holes_will_do() -> None:
    odometry = Odometry(None, "cpu")
    for i in range(6):
        image, depth = see_room(0.2 * i)
        depth = cv2.resize(depth, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
        depth[:10], depth[20:25, 10:20] = np.nan, np.inf
        state = odometry.update(image, depth.astype(np.float32), CAMERA, i * PERIOD_NS)
    np.testing.assert_allclose(state.T_world_cam[:3, 3], [0, 0, 1], atol=0.04)


def test_a_bad_frame_goes_on_at_the_last_velocity_and_says_so() -> None:
    odometry = Odometry(None, "cpu")
    before = drive(odometry, 5)
    state = bad_frame(odometry, 5)
    assert state.tracking == "degraded"
    np.testing.assert_allclose(state.T_world_cam[2, 3], 1.0, atol=0.04)
    assert np.linalg.eigvalsh(state.covariance - before.covariance).min() > 0
    after = drive(odometry, 1, start=6)
    assert after.tracking == "ok"
    np.testing.assert_allclose(after.T_world_cam[2, 3], 1.2, atol=0.04)


def test_several_bad_frames_are_lost_and_good_ones_found_again() -> None:
    odometry = Odometry(None, "cpu")
    before = drive(odometry, 5)
    states = [bad_frame(odometry, i) for i in range(5, 12)]
    assert [s.tracking for s in states] == ["degraded"] * 4 + ["lost"] * 3
    np.testing.assert_array_equal(states[-1].covariance, np.eye(6) * LOST_VARIANCE)
    after = drive(odometry, 4, start=12)
    assert after.tracking == "ok"
    assert after.covariance[2, 2] > 10 * before.covariance[2, 2]


def test_covariance_is_positive_definite_and_grows_with_the_way() -> None:
    odometry = Odometry(None, "cpu")
    covariances = [drive(odometry, 3, start=s).covariance for s in (0, 3, 6)]
    for covariance in covariances:
        np.testing.assert_array_equal(covariance, covariance.T)
        assert np.linalg.eigvalsh(covariance).min() > 0
    assert np.all(np.diff([np.trace(c) for c in covariances]) > 0)


def test_reset_starts_again_at_the_origin() -> None:
    odometry = Odometry(None, "cpu")
    drive(odometry, 5)
    odometry.reset()
    np.testing.assert_array_equal(drive(odometry, 1, start=5).T_world_cam, np.eye(4))


@pytest.mark.parametrize("stamp_ns", [0, 20 * PERIOD_NS], ids=["back", "pause"])
def test_a_jump_in_time_keeps_the_pose_and_forgets_the_velocity(stamp_ns: int) -> None:
    odometry = Odometry(None, "cpu")
    before = drive(odometry, 5)
    state = odometry.update(*see_room(0.8), CAMERA, stamp_ns)
    np.testing.assert_allclose(state.T_world_cam, before.T_world_cam, atol=0.02)
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    after = odometry.update(black, see_room(0.8)[1], CAMERA, stamp_ns + 50 * PERIOD_NS)
    assert after.tracking == "degraded"
    np.testing.assert_array_equal(after.T_world_cam, state.T_world_cam)


def test_after_a_pause_of_years_the_covariance_is_still_one() -> None:
    odometry = Odometry(None, "cpu")
    drive(odometry, 5)
    state = bad_frame(odometry, 2**31 * 10)
    assert state.tracking == "degraded"
    assert np.linalg.eigvalsh(state.covariance).min() > 0
    assert state.covariance.max() > 0.9 * LOST_VARIANCE


@pytest.mark.parametrize("size", [(1, 1), (1, 256), (3, 5), (16, 3000)])
def test_an_image_too_small_to_align_does_no_harm(size: tuple[int, int]) -> None:
    odometry, (height, width) = Odometry(None, "cpu"), size
    camera = Camera(width, width, width / 2, height / 2, width, height)
    image, depth = np.full((*size, 3), 99, np.uint8), np.full(size, 10, np.float32)
    states = [odometry.update(image, depth, camera, i * PERIOD_NS) for i in range(3)]
    np.testing.assert_allclose(states[-1].T_world_cam, np.eye(4), atol=1e-3)


@pytest.mark.parametrize("metres", [np.nan, 1e10, -5.0], ids=str)
def test_without_any_depth_it_never_claims_to_track(metres: float) -> None:
    odometry = Odometry(None, "cpu")
    unknown = np.full((HEIGHT, WIDTH), metres, np.float32)
    states = [
        odometry.update(see_room(0.2 * i)[0], unknown, CAMERA, i * PERIOD_NS) for i in range(7)
    ]
    assert [s.tracking for s in states[1:]] == ["degraded"] * 4 + ["lost"] * 2


def test_another_size_than_the_cameras_is_refused() -> None:
    with pytest.raises(ShapeError, match="image"):
        Odometry(None, "cpu").update(
            np.zeros((10, 10, 3), np.uint8), np.ones((10, 10), np.float32), CAMERA, 0
        )


def test_a_missing_checkpoint_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"none\.safetensors"):
        Odometry(Path("none.safetensors"), "cpu")


def test_a_useless_pose_network_does_no_harm(tmp_path: Path) -> None:
    torch.manual_seed(0)
    pose = PoseNet("tiny", 10.0)
    save(tmp_path / "net.safetensors", DepthNet("tiny"), pose, CARD)
    state = drive(Odometry(tmp_path / "net.safetensors", "cpu"), 6)
    np.testing.assert_allclose(state.T_world_cam[:3, 3], [0, 0, 1], atol=0.04)


def with_features(folder: Path, strides: Sequence[int]) -> Odometry:
    """Return odometry by the features of a checkpoint, drawn at random."""
    torch.manual_seed(0)
    refiner = Refiner("unet", strides)
    card = replace(CARD, features="unet", feature_strides=tuple(strides))
    path = folder / "net.safetensors"
    save(path, DepthNet("tiny"), PoseNet("tiny"), card, refiner=refiner)
    return Odometry(path, "cpu")


@pytest.mark.parametrize("strides", [(8, 4, 2), (4, 2), (2,)])
def test_a_drive_is_followed_by_features_from_a_checkpoint(
    strides: Sequence[int], tmp_path: Path
) -> None:
    odometry = with_features(tmp_path, strides)
    state = drive(odometry, 6)
    np.testing.assert_allclose(state.T_world_cam[:3, 3], [0, 0, 1], atol=0.04)
    assert state.tracking == "ok"
    assert 0 < state.residual_ratio < 1
    assert 0.6 < state.valid <= 1
    degraded = bad_frame(odometry, 6)
    assert degraded.tracking == "degraded"
    np.testing.assert_allclose(degraded.T_world_cam[2, 3], 1.2, atol=0.06)
    assert np.isnan([degraded.residual_ratio, degraded.valid]).all()


def test_levels_carry_confidence_and_the_intrinsics_of_their_size() -> None:
    refiner = Refiner("unet", (8, 4, 2))
    views = [Viewer(refiner, 2).look(*see_room(z), CAMERA, 0) for z in (0, 0.2)]
    found = levels(*views)
    sizes = [(12, 20), (24, 40), (48, 80)]  # of 320 x 192, twice the image, at strides 8, 4, 2
    assert [tuple(level.depth.shape) for level in found] == [
        (1, 1, 2 * h, 2 * w) for h, w in sizes
    ]
    for level, (h, w) in zip(found, sizes, strict=True):
        expected = torch.from_numpy(CAMERA.resized(2 * w, 2 * h).K).float()
        assert torch.allclose(level.K, expected[None])
        assert level.target_confidence is not None
        assert level.target_confidence.shape == level.depth.shape


@pytest.mark.parametrize(
    ("kind", "strides", "image", "expected"),
    [
        ("intensity", (4, 2, 1), (370, 1226), (96, 320)),
        ("intensity", (4, 2, 1), (96, 160), (96, 160)),
        ("intensity", (4, 2, 1), (16, 3000), (8, 320)),
        ("intensity", (4, 2, 1), (1, 1), (8, 8)),
        ("unet", (8, 4, 2), (370, 1226), (192, 640)),
        ("unet", (4, 2), (96, 320), (192, 640)),
        ("unet", (4, 2), (480, 640), (480, 640)),
        ("unet", (8, 4), (96, 160), (384, 640)),
    ],
)
def test_images_get_the_size_that_features_want(
    kind: str, strides: Sequence[int], image: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert Refiner(kind, strides).input_size(*image) == expected


def test_intrinsics_follow_a_resize_that_changes_the_aspect() -> None:
    image, depth = see_room(0)
    camera = CAMERA.cropped(0, 0, 150, 90)  # 16 fits neither side twice
    viewer = Viewer(Refiner("unet", (2,)), 2)
    view = viewer.look(image[:90, :150].copy(), depth[:90, :150].copy(), camera, 0)
    h, w = view.depth[0].shape[2:]
    assert h / w != pytest.approx(90 / 150)
    expected = torch.from_numpy(camera.resized(w, h).K).float()
    assert torch.allclose(view.K[0][0], expected, atol=1e-4)
