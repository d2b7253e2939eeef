"""nuScenes: scenes come out of the tables as drives, by day or night, and damage is named."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sdepth.errors import CameraError, DataError
from tests.training.trees import pictures, write_nuscenes
from training.data import nuscenes
from training.data.nuscenes import read
from training.data.open_drive import find_drives, read_drive
from training.data.prepare import main

FRONT = [0.5, -0.5, 0.5, -0.5]  # optical axes in a body's: x forward, y left, z up
LENS = {
    "translation": [1.7, 0.0, 1.51],
    "rotation": FRONT,
    "camera_intrinsic": [[80.0, 0, 51.0], [0, 80, 30.7], [0, 0, 1]],
    "width": 100,
    "height": 56,
}
SCENES = {"scene-0103": "Many peds right", "scene-1100": "Night, peds in sidewalk"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root of a day and a night scene of seven images."""
    return write_nuscenes(tmp_path / "nuscenes", jpegs(7), LENS, SCENES)


def jpegs(count: int) -> list[bytes]:
    """Return JPEG files."""
    return [cv2.imencode(".jpg", image)[1].tobytes() for image in pictures(count, (56, 100))]


class NumbersOnly(pickle.Unpickler):
    """Opens a pickle of plain numbers and numpy scalars."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.split(".")[0], name) in {("numpy", "scalar"), ("numpy", "dtype")}:
            return super().find_class(module, name)
        if (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name}")


def test_a_real_key_frame_has_its_lens_and_place(shared_data: Path, tmp_path: Path) -> None:
    sample = shared_data / "nuscenes_sample"
    if not sample.is_dir():
        pytest.skip(f"{sample} is not there")
    with next(sample.glob("*.pkl")).open("rb") as file:
        known = NumbersOnly(file).load()["data_list"][0]["images"]["CAM_FRONT"]
    T_ego_cam, K = np.array(known["cam2ego"]), known["cam2img"]
    q = Rotation.from_matrix(T_ego_cam[:3, :3]).as_quat()[[3, 0, 1, 2]].tolist()
    lens = {"translation": T_ego_cam[:3, 3].tolist(), "rotation": q, "camera_intrinsic": K}
    jpeg = (sample / known["img_path"]).read_bytes()
    lens.update(width=1600, height=900)
    (drive,) = read(write_nuscenes(tmp_path, [jpeg] * 3, lens, {"scene-0103": "day"}))
    assert (drive.camera.fx, drive.camera.cx) == (K[0][0], K[0][2])
    assert drive.camera_height_m == pytest.approx(1.51096, abs=1e-5)
    assert drive.read(drive.frames[0]).shape == (900, 1600, 3)
    moved = np.linalg.inv(drive.frames[0].T_world_cam) @ drive.frames[1].T_world_cam
    np.testing.assert_allclose(moved[:3, 3], 0.5 * T_ego_cam[0, :3], atol=1e-6)


def test_scenes_are_drives_in_order_of_time_looking_ahead(root: Path) -> None:
    day, night = read(root)
    assert [day.name, night.name] == list(SCENES)
    assert np.diff([f.stamp_ns for f in day.frames]).tolist() == [83_333_000] * 6
    assert all(frame.image.is_file() for frame in (*day.frames, *night.frames))
    moved = np.linalg.inv(day.frames[0].T_world_cam) @ day.frames[4].T_world_cam
    np.testing.assert_allclose(moved[:3], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2]], atol=1e-9)


def test_scenes_are_chosen_by_light_and_name(root: Path) -> None:
    names = ["scene-0103", "scene-9999"]
    assert [d.name for d in read(root, "night")] == ["scene-1100"]
    assert [d.name for d in read(root, "day")] == ["scene-0103"]
    assert [d.name for d in read(root, names=names)] == ["scene-0103"]
    with pytest.raises(DataError, match="no scene of light night, named one of scene-0103, "):
        read(root, "night", names)


def test_prepared_scenes_keep_file_names_and_link_to_the_images(
    root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert main(["nuscenes", str(root), str(out), "--light", "night"]) == 0
    (folder,) = find_drives(out)
    made, (was,) = read_drive(folder), read(root, "night")
    assert (made.name, made.camera, made.camera_height_m) == (was.name, was.camera, 1.51)
    assert [f.image.resolve() for f in made.frames] == [f.image for f in was.frames]
    assert made.frames[2].image.name == was.frames[2].image.name


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_tables_read_in_pieces_are_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    before = [d.frames[3].image for d in read(root)]
    monkeypatch.setattr(nuscenes, "_PIECE", piece)
    assert [d.frames[3].image for d in read(root)] == before


def test_missing_images_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for image in (root / "sweeps/CAM_FRONT").iterdir():
        image.unlink()
    assert main(["nuscenes", str(root)]) == 2
    said = capsys.readouterr().err
    assert "10 missing of 14 images: " in said
    assert "sweeps/CAM_FRONT/n015__CAM_FRONT__1532402927695793.jpg (missing)" in said


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("sample_data", lambda text: text[:900], r"sample_data\.json: ends early"),
        ("ego_pose", lambda text: "7", "ends early, or is not a list"),
        ("ego_pose", lambda text: "[]", "nothing under '0-"),
        ("sensor", lambda text: text.replace("channel", "chan"), "nothing under 'channel'"),
        ("sensor", lambda text: text.replace("FRONT", "BACK"), "no images of one CAM_FRONT"),
        ("calibrated_sensor", lambda text: text.replace("80.0", "8000.0"), "are no lens's"),
    ],
)
def test_damaged_tables_are_refused(root: Path, table: str, change: Any, message: str) -> None:
    path = root / f"v1.0-mini/{table}.json"
    path.write_text(change(path.read_text()))
    with pytest.raises((DataError, CameraError), match=message):
        read(root)


def test_the_wrong_folder_is_refused(root: Path) -> None:
    (root / "v1.0-mini/sample.json").unlink()
    with pytest.raises(DataError, match=r"v1\.0-mini: sample\.json missing"):
        read(root)
    with pytest.raises(DataError, match=r"expected one folder of tables.* got none"):
        read(root / "samples")
