"""Image to depth for any pinhole camera."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sdepth.checkpoint import load_depth, read_card, save, write_card
from sdepth.depth.daynight import DAY, NIGHT
from sdepth.depth.estimator import DepthEstimator, load_estimators
from sdepth.errors import CheckpointError, ConfigError, ShapeError
from sdepth.geometry.camera import Camera
from sdepth.models.depth_net import DepthNet, disp_to_depth
from sdepth.models.pose_net import PoseNet
from tests.core.test_checkpoint import CARD

CAMERA = Camera(60.0, 60.0, 47.5, 31.5, 96, 64)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "net.safetensors"
    save(path, DepthNet("tiny"), PoseNet("tiny"), CARD)
    return path


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)


def test_depth_is_the_networks_for_the_canonical_camera(
    checkpoint: Path, image: np.ndarray
) -> None:
    focal = CARD.focal_ratio * (96 * 64) ** 0.5
    camera = Camera(focal, focal, 47.5, 31.5, 96, 64)
    net, card = load_depth(checkpoint)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        expected = disp_to_depth(net(batch, 1)[0], card.depth_range_m)[0, 0].numpy()

    depth = DepthEstimator(checkpoint, "cpu").predict(image, camera).depth

    assert np.allclose(depth, expected, rtol=1e-4)


def test_twice_the_focal_length_is_twice_the_depth(checkpoint: Path, image: np.ndarray) -> None:
    estimator = DepthEstimator(checkpoint, "cpu")
    tele = Camera(120.0, 120.0, 47.5, 31.5, 96, 64)

    near, far = (estimator.predict(image, camera).depth for camera in (CAMERA, tele))
    assert np.allclose(far, 2 * near, rtol=1e-5)


def test_depth_comes_at_the_size_asked_for(checkpoint: Path) -> None:
    image, camera = np.zeros((100, 200, 3), np.uint8), Camera(100.0, 100.0, 99.5, 49.5, 200, 100)

    full = DepthEstimator(checkpoint, "cpu", "input").predict(image, camera)
    small = DepthEstimator(checkpoint, "cpu", "model").predict(image, camera)

    assert (full.depth.shape, full.camera) == ((100, 200), camera)
    assert (small.depth.shape, small.camera) == ((64, 96), camera.resized(96, 64))


def test_image_of_another_size_than_its_camera_is_refused(checkpoint: Path) -> None:
    with pytest.raises(
        ShapeError, match=r"image: got shape \(10, 10, 3\), expected \(64, 96, 3\)"
    ):
        DepthEstimator(checkpoint, "cpu").predict(np.zeros((10, 10, 3), np.uint8), CAMERA)


def test_unknown_device_and_resolution_are_named(checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="device 'warp9'"):
        DepthEstimator(checkpoint, "warp9")
    with pytest.raises(ConfigError, match="resolution 'huge'"):
        DepthEstimator(checkpoint, "cpu", "huge")


def _night(checkpoint: Path, **changes: object) -> Path:
    """Return a copy of a checkpoint whose card says something else."""
    path = checkpoint.with_name("night.safetensors")
    path.write_bytes(checkpoint.read_bytes())
    write_card(path, replace(read_card(checkpoint), domain=NIGHT, **changes))
    return path


def test_one_network_by_day_and_by_night_is_loaded_once(
    checkpoint: Path,
) -> None:
    found = load_estimators(checkpoint, _night(checkpoint), "cpu", engine="auto")

    assert found[NIGHT]._engine is found[DAY]._engine
    assert found[NIGHT].answers_as(found[DAY])
    assert found[NIGHT].card.domain == NIGHT
    assert not found[NIGHT].answers_as(DepthEstimator(checkpoint, "cpu"))


def test_a_card_of_its_own_counts_where_the_network_is_one(
    checkpoint: Path, image: np.ndarray
) -> None:
    night = _night(checkpoint, focal_ratio=2 * CARD.focal_ratio)
    found = load_estimators(checkpoint, night, "cpu")

    assert found[NIGHT]._engine is found[DAY]._engine
    assert not found[NIGHT].answers_as(found[DAY])
    by_day, by_night = (found[mode].predict(image, CAMERA).depth for mode in (DAY, NIGHT))
    assert np.allclose(by_night, by_day / 2, rtol=1e-5)


def test_networks_that_differ_are_both_loaded(checkpoint: Path) -> None:
    farther = _night(checkpoint, depth_range_m=(1.0, 200.0))
    found = load_estimators(checkpoint, farther, "cpu")

    assert found[NIGHT]._engine is not found[DAY]._engine
    farther.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="night"):
        load_estimators(checkpoint, farther, "cpu")
