"""Public data sets as bags: what nodes get is what training sees."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bags import from_nuscenes, from_robotcar
from bags.read import count_messages, read_messages
from bags.write import CAMERA_INFO, COMPRESSED, IMAGE, STATIC_TF, TRUTH
from sdepth_ros.conversions import read_transform, to_lens, to_rgb
from tests.training.trees import ROBOTCAR_MODEL, pictures, write_nuscenes, write_robotcar
from training.data import robotcar

MODEL = "98 98 63.5 47.5\n" + ROBOTCAR_MODEL.split("\n", 1)[1]
LENS = {
    "translation": [1.7, 0.0, 1.51],
    "rotation": [0.5, -0.5, 0.5, -0.5],
    "camera_intrinsic": [[80.0, 0, 51.0], [0, 80, 30.7], [0, 0, 1]],
    "width": 100,
    "height": 56,
}


@pytest.mark.parametrize(("flag", "topic"), [([], IMAGE), (["--compressed"], COMPRESSED)])
def test_robotcar_becomes_a_bag_of_rectified_crops(
    tmp_path: Path, flag: list[str], topic: str
) -> None:
    traversal, models = write_robotcar(tmp_path, pictures(4, (96, 128)), MODEL, bulge=1)
    args = [str(traversal), str(tmp_path / "bag"), "--models", str(models), "--crop", "96x64+16+8"]
    assert from_robotcar.main([*args, *flag]) == 0
    drive = robotcar.read(traversal, models)
    (_, time, image), *rest = read_messages(tmp_path / "bag", topic)
    assert (time, len(rest)) == (drive.frames[0].stamp_ns, 3)
    np.testing.assert_array_equal(to_rgb(image), drive.read(drive.frames[0])[8:72, 16:112])
    (_, _, info), *_ = read_messages(tmp_path / "bag", CAMERA_INFO)
    assert to_lens(info).rectified == drive.camera.cropped(16, 8, 96, 64)


def test_a_nuscenes_scene_becomes_a_bag_with_its_jpegs_and_the_vehicles_path(
    tmp_path: Path,
) -> None:
    jpegs = [cv2.imencode(".jpg", p)[1].tobytes() for p in pictures(4, (56, 100))]
    root = write_nuscenes(tmp_path / "in", jpegs, LENS, {"scene-0103": "day", "scene-0001": "x"})
    bag = tmp_path / "bag"
    args = [str(root), str(bag), "--scene", "scene-0103", "--compressed"]
    assert from_nuscenes.main(args) == 0
    assert count_messages(bag) == {COMPRESSED: 4, CAMERA_INFO: 4, TRUTH: 4, STATIC_TF: 1}
    images = [bytes(message.data) for _, _, message in read_messages(bag, COMPRESSED)]
    assert images == jpegs
    _, _, last = list(read_messages(bag, TRUTH))[-1]
    T_odom_base = read_transform(last.pose.pose.position, last.pose.pose.orientation)
    np.testing.assert_allclose(T_odom_base[:3, 3], [1.5, 0, 0], atol=1e-9)
    _, _, tf = next(read_messages(bag, STATIC_TF))
    assert tf.transforms[0].transform.translation.z == 1.51


def test_an_unknown_scene_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_nuscenes(tmp_path / "in", [b"jpeg"], LENS, {"scene-0103": "day"})
    assert from_nuscenes.main([str(root), str(tmp_path / "bag"), "--scene", "scene-7"]) == 2
    assert "no scene of light all, named one of scene-7" in capsys.readouterr().err


def test_missing_images_are_left_out_of_a_bag_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traversal, models = write_robotcar(tmp_path, pictures(4, (96, 128)), MODEL)
    image = sorted((traversal / "stereo/left").iterdir())[2]
    image.unlink()
    args = [str(traversal), str(tmp_path / "bag"), "--models", str(models), "--crop", "none"]
    assert from_robotcar.main(args) == 2
    assert f"1 missing of 4 images: {image}" in capsys.readouterr().err
    assert from_robotcar.main([*args, "--skip-broken"]) == 0
    assert count_messages(tmp_path / "bag")[IMAGE] == 3
