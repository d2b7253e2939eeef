"""Intrinsics under resize, crop and flip."""

from __future__ import annotations

import numpy as np
import pytest

from sdepth.errors import CameraError
from sdepth.geometry.camera import Camera, check_same_size

CAMERA = Camera(fx=700.0, fy=710.0, cx=601.25, cy=183.5, width=1226, height=370)


def ray(camera: Camera, u: float, v: float) -> tuple[float, float]:
    """Return x / z and y / z of the ray through a pixel."""
    return (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy


@pytest.mark.parametrize("size", [(640, 192), (613, 185), (2452, 740), (1, 1)])
def test_resize_keeps_rays_through_image_borders(size: tuple[int, int]) -> None:
    small = CAMERA.resized(*size)
    assert (small.width, small.height) == size
    assert ray(small, -0.5, -0.5) == pytest.approx(ray(CAMERA, -0.5, -0.5))
    far_corner = ray(CAMERA, CAMERA.width - 0.5, CAMERA.height - 0.5)
    assert ray(small, small.width - 0.5, small.height - 0.5) == pytest.approx(far_corner)


def test_resize_there_and_back_returns_the_camera() -> None:
    back = CAMERA.resized(640, 192).resized(1226, 370)
    np.testing.assert_allclose(back.K, CAMERA.K, rtol=1e-12)


def test_resize_keeps_the_focal_ratio() -> None:
    assert CAMERA.resized(640, 100).focal_ratio == pytest.approx(CAMERA.focal_ratio)


def test_crop_keeps_the_ray_of_every_pixel() -> None:
    crop = CAMERA.cropped(left=100, top=20, width=600, height=300)
    assert (crop.width, crop.height) == (600, 300)
    assert ray(crop, 7, 9) == pytest.approx(ray(CAMERA, 107, 29))


@pytest.mark.parametrize(
    "box", [(-1, 0, 10, 10), (0, -1, 10, 10), (1217, 0, 10, 10), (0, 361, 10, 10)]
)
def test_crop_outside_the_image_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(CameraError, match="leaves the 1226x370 image"):
        CAMERA.cropped(*box)


def test_flip_mirrors_the_ray_of_every_pixel() -> None:
    x, y = ray(CAMERA, 7, 9)
    mirrored = CAMERA.flipped()
    assert ray(mirrored, CAMERA.width - 1 - 7, 9) == pytest.approx((-x, y))
    assert mirrored.flipped() == CAMERA


@pytest.mark.parametrize(
    "K",
    [
        CAMERA.K.T,
        CAMERA.K + np.diag([0.0, 0.0, 1.0]),
        CAMERA.K + 7.0 * np.eye(3, k=1),
        CAMERA.K - np.diag([0.0, 0.0, 1.0]),
    ],
)
def test_a_matrix_that_is_not_of_the_four_numbers_is_refused(K: np.ndarray) -> None:
    with pytest.raises(CameraError, match="expected fx 0 cx, 0 fy cy, 0 0 1, row by row"):
        Camera.from_matrix(K, CAMERA.width, CAMERA.height)


def test_a_matrix_and_a_projection_give_the_camera() -> None:
    P = np.hstack([CAMERA.K, [[-386.1], [0.2], [0.003]]])
    for K in (CAMERA.K, P, CAMERA.K + 1e-9 * np.eye(3, k=-1)):
        assert Camera.from_matrix(K, CAMERA.width, CAMERA.height) == CAMERA


def test_zero_intrinsics_are_refused_as_uncalibrated() -> None:
    with pytest.raises(CameraError, match="uncalibrated"):
        Camera.from_matrix(np.zeros((3, 3)), 640, 192)


@pytest.mark.parametrize("bad", [{"fx": -1.0}, {"cy": float("nan")}, {"fy": float("inf")}])
def test_impossible_intrinsics_are_refused(bad: dict[str, float]) -> None:
    good = {"fx": 1.0, "fy": 1.0, "cx": 0.0, "cy": 0.0}
    with pytest.raises(CameraError, match="expected finite numbers and fx, fy > 0"):
        Camera(**{**good, **bad}, width=4, height=4)


@pytest.mark.parametrize("bad", [{"fx": 1e-160}, {"fy": 1e38}, {"cx": -1e300}])
def test_intrinsics_that_no_lens_has_are_refused(bad: dict[str, float]) -> None:
    good = {"fx": 1.0, "fy": 1.0, "cx": 0.0, "cy": 0.0}
    with pytest.raises(CameraError, match="of a 4x4 image: expected pixels"):
        Camera(**{**good, **bad}, width=4, height=4)


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(CameraError, match="image size 0x4"):
        Camera(1.0, 1.0, 0.0, 0.0, width=0, height=4)


def test_a_projection_matrix_gives_its_intrinsics() -> None:
    P = np.hstack([CAMERA.K, [[45.0], [0.2], [0.003]]])
    assert Camera.from_matrix(P, 1226, 370) == CAMERA


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(
        CameraError, match="camera_info is for 1226x370, the image is 4x2; it must"
    ):
        check_same_size(np.zeros((2, 4, 3), np.uint8), CAMERA)
