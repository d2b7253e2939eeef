"""Where a node's camera comes from, and what it makes of images."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")

from sdepth.errors import CameraError, ConfigError, DataError
from sdepth.geometry.camera import Camera
from sdepth_ros.camera_input import CameraInput, calibration_path
from sdepth_ros.node_params import InputParams
from tests.ros import messages
from tests.training.test_datasets_custom import write_calib

LOG = logging.getLogger(__name__)
K = np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])
P = np.array([50.0, 0, 30, 0, 0, 51, 22, 0, 0, 0, 1, 0])
D = np.array([-0.3, 0.1, 0.0, 0.0, 0.0])
PIXELS = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def camera_input(**params: object) -> CameraInput:
    """Return an input with these parameters."""
    return CameraInput(InputParams(**params), LOG)


def test_a_distorted_image_is_rectified_as_opencv_does() -> None:
    given = camera_input(rectify=True)
    given.update(messages.camera_info(K, 64, 48, d=D, p=P))
    image, camera = given.rectify(PIXELS)
    expected = cv2.undistort(PIXELS, K, D, newCameraMatrix=np.delete(P.reshape(3, 4), 3, 1))
    assert camera == Camera(50, 51, 30, 22, 64, 48)
    assert np.abs(image.astype(int) - expected).max() <= 16  # it samples to 1/32 pixel


def test_without_rectify_the_image_stays_and_one_warning_says_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    given = camera_input()
    for focal in (50.0, 52.0):
        given.update(messages.camera_info(K, 64, 48, d=D, p=np.array([focal, *P[1:]])))
        image, camera = given.rectify(PIXELS)
        np.testing.assert_array_equal(image, PIXELS)
        assert camera.fx == focal
    assert [r.levelname for r in caplog.records if "set rectify:=true" in r.message] == ["WARNING"]


@pytest.mark.parametrize("rectify", [False, True])
def test_without_distortion_nothing_is_done(
    rectify: bool, caplog: pytest.LogCaptureFixture
) -> None:
    given = camera_input(rectify=rectify)
    given.update(messages.camera_info(K, 64, 48))
    image, camera = given.rectify(PIXELS)
    np.testing.assert_array_equal(image, PIXELS)
    assert camera == Camera(60, 60, 31.5, 23.5, 64, 48)
    assert not caplog.records


def test_the_same_camera_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    build = cv2.initUndistortRectifyMap
    monkeypatch.setattr(
        cv2, "initUndistortRectifyMap", lambda *args: built.append(1) or build(*args)
    )
    given = camera_input(rectify=True)
    for _ in range(3):
        given.update(messages.camera_info(K, 64, 48, d=D))
        given.rectify(PIXELS)
    assert len(built) == 1


def test_a_camera_that_cannot_be_used_leaves_the_one_before() -> None:
    given = camera_input(rectify=True)
    given.update(messages.camera_info(K, 64, 48))
    for bad in ({"distortion_model": "omni", "d": D}, {"k": np.zeros(9)}):
        with pytest.raises(CameraError, match="camera_info: "):
            given.update(messages.camera_info(K, 64, 48, **bad))
    assert given.rectify(PIXELS)[1].fx == 60


@pytest.mark.parametrize("rectify", [False, True])
def test_an_image_of_another_size_is_refused(rectify: bool) -> None:
    given = camera_input(rectify=rectify)
    roi = messages.RegionOfInterest(x_offset=4, y_offset=8, height=40, width=32, do_rectify=False)
    given.update(messages.camera_info(K, 64, 48, d=D, roi=roi, binning_x=2))
    with pytest.raises(CameraError, match="camera_info is for 16x40, the image is 64x48"):
        given.rectify(PIXELS)


def test_a_calibration_file_holds_until_a_camera_info_comes(tmp_path: Path) -> None:
    path = write_calib(tmp_path / "camera.yaml", [0.0] * 5, image_width=64, image_height=48)
    given = camera_input(camera_info_url=path.as_uri())
    assert given.rectify(PIXELS)[1].fx == 80
    given.update(messages.camera_info(K, 64, 48))
    assert given.rectify(PIXELS)[1].fx == 60


def test_an_image_of_another_size_than_the_file_names_the_file(tmp_path: Path) -> None:
    path = write_calib(tmp_path / "camera.yaml", [0.0] * 5)
    with pytest.raises(CameraError, match=r"camera\.yaml is for 128x64, the image is 64x48"):
        camera_input(camera_info_url=str(path)).rectify(PIXELS)


def test_urls_name_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "share/ament_index/resource_index/packages/my_car"
    marker.parent.mkdir(parents=True)
    (tmp_path / "share/my_car").mkdir()
    marker.touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/me")
    share = tmp_path / "share/my_car"
    assert calibration_path("package://my_car/config/a b.yaml") == share / "config/a b.yaml"
    assert calibration_path("file:///a%20b.yaml") == Path("/a b.yaml")
    assert calibration_path("~/a.yaml") == Path("/home/me/a.yaml")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("package://no_such_package/a.yaml", "no package 'no_such_package' is installed"),
        ("package://my_car", r"expected a path, file:///PATH or package://PACKAGE/PATH"),
        ("http://host/a.yaml", "got 'http://host/a.yaml', expected a path"),
        ("package:///a.yaml", "no package ''"),
    ],
)
def test_other_urls_are_refused(
    url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=f"camera_info_url: .*{message}"):
        calibration_path(url)


def test_a_package_is_refused_where_no_workspace_is_sourced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    with pytest.raises(ConfigError, match="no package 'my_car' is installed here; source"):
        calibration_path("package://my_car/a.yaml")


def test_a_missing_or_malformed_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.yaml: no calibration"):
        camera_input(camera_info_url=str(tmp_path / "none.yaml"))
    path = write_calib(tmp_path / "camera.yaml", [0.0] * 5, camera_matrix={"data": [0.0] * 9})
    with pytest.raises(CameraError, match=r"camera\.yaml: .*uncalibrated"):
        camera_input(camera_info_url=str(path))
