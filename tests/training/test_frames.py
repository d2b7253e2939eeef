"""Frames with truth: their crops, looks and shadows, and the road under the bonnet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sdepth.errors import DataError
from sdepth.geometry.camera import Camera
from tests.helpers import write_drive
from training.data.augment import cast_shadows, change_look
from training.data.drive import OWN
from training.data.frames import CropConfig, Frames, draw_crop
from training.data.open_drive import find_drives, read_drive


def test_crops_stay_inside_and_have_the_aspects_asked_for() -> None:
    camera, rng = Camera(240, 240, 208, 64, 416, 128), np.random.default_rng(0)
    crops = [draw_crop(camera, CropConfig((0.5, 1.0), (1.5, 3.0)), rng) for _ in range(200)]

    assert all(x + w <= 416 and y + h <= 128 for x, y, w, h in crops)
    assert {round(w / h) for _, _, w, h in crops} == {2, 3} | {round(1.5)}


def test_look_changes_pixels_and_nothing_else() -> None:
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)

    looks = [change_look(image, np.random.default_rng(i)) for i in range(20)]

    assert all(x.shape == image.shape and x.dtype == np.uint8 for x in looks)
    assert len({x.tobytes() for x in looks}) == 20
    assert np.array_equal(change_look(image, np.random.default_rng(0), 0.0), image)


def test_shadows_fall_on_the_scene_and_spare_the_sky() -> None:
    image = np.full((96, 320, 3), 200, np.uint8)
    sky = np.zeros((96, 320), np.uint8)
    sky[:40] = 1
    shadowed = [cast_shadows(image, sky, np.random.default_rng(seed)) for seed in range(20)]
    assert all((out[:40] == image[:40]).all() for out in shadowed)
    darker = [float((out[40:] < 190).mean()) for out in shadowed]
    assert np.median(darker) > 0.02
    assert max(darker) < 1
    assert (cast_shadows(image, sky, np.random.default_rng(0)) == shadowed[0]).all()
    assert (image == 200).all()


def test_under_the_own_bonnet_lies_the_road(tmp_path: Path) -> None:
    root = write_drive(tmp_path / "drive", frames=3)
    folder = find_drives(root)[0]
    camera = read_drive(folder).camera
    v = np.arange(camera.height, dtype=np.float32)[:, None] - camera.cy
    road = np.where(v > 2, 1.65 * camera.fy / np.maximum(v, 1), 0)
    road = np.repeat(road, camera.width, 1).astype(np.float32)
    own = np.zeros((camera.height, camera.width), np.uint8)
    own[-camera.height // 6 :] = OWN
    for path in folder.rglob("depth_2/*"):
        hidden = np.where(own > 0, 0, road)
        cv2.imwrite(str(path), np.where(hidden < 255, hidden * 256, 0).astype(np.uint16))
    for path in folder.rglob("mask_2/*"):
        cv2.imwrite(str(path), own)

    shape = camera.width / camera.height
    whole = CropConfig(zoom=(1.0, 1.0), aspect=(shape, shape), look=0.0)
    frames = Frames((str(root),), (camera.height, camera.width), whole, 1.055, 0)
    depth = frames[0, 0]["depth"][0].numpy()

    assert np.allclose(depth[-camera.height // 6 :], road[-camera.height // 6 :], rtol=0.02)


def test_frames_without_masks_are_refused(tmp_path: Path) -> None:
    root = write_drive(tmp_path / "plain", frames=3)
    for mask in root.rglob("mask_2/*"):
        mask.unlink()

    with pytest.raises(DataError, match="no frame has depth_2/ and mask_2/"):
        Frames((str(root),), (64, 96), CropConfig(), 1.055, 0)
