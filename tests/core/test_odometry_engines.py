"""Odometry by the networks of a checkpoint in engines, and what it does not do twice."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sdepth.checkpoint import save
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from sdepth.odometry.odometry import Odometry
from sdepth.odometry.pipeline import AlignmentConfig, load_odometry
from tests.core.test_checkpoint import CARD
from tests.core.test_odometry import CAMERA, drive, see_room, with_features

pytestmark = pytest.mark.usefixtures("one_thread", "engine_cache")


def test_any_engine_finds_the_path_that_pytorch_finds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with_features(tmp_path, (4, 2))
    config, path = AlignmentConfig("learned"), tmp_path / "net.safetensors"
    expected = drive(load_odometry(config, path, "cpu"), 6).T_world_cam
    caplog.set_level("INFO")
    for precision, tolerance in (("fp32", 1e-4), ("int8", 2e-3)):  # which is depth's alone
        found = load_odometry(config, path, "cpu", "auto", precision)
        np.testing.assert_allclose(drive(found, 6).T_world_cam, expected, atol=tolerance)
    assert {*found.engines} == {"pose", "features"}
    assert "features: engine " in caplog.text


def test_what_depth_has_made_of_an_image_is_not_made_again(tmp_path: Path) -> None:
    save(tmp_path / "net.safetensors", DepthNet("tiny"), PoseNet("tiny"), CARD)
    viewer = Odometry(tmp_path / "net.safetensors", "cpu")._viewer
    image, depth = see_room(0)
    small = np.full((64, 96, 3), 7, np.uint8)  # the size of the checkpoint's images
    assert viewer.look(image, depth, CAMERA, 0, small).image is small
    mean = viewer.look(image, depth, CAMERA, 0, small[:32]).image
    np.testing.assert_array_equal(mean, cv2.resize(image, (96, 64), interpolation=cv2.INTER_AREA))


def test_pixels_of_a_keyframe_are_taken_once() -> None:
    odometry = Odometry(None, "cpu")
    drive(odometry, 2, step_m=0.01)
    assert odometry._key is not None
    pixels = odometry._key.pixels
    drive(odometry, 3, step_m=0.01, start=2)
    assert odometry._key.pixels is pixels
