"""All real sets in one table: what is there is scored, what is not is named."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sdepth.checkpoint import bundled, load_depth
from sdepth.errors import DataError
from tests.helpers import write_drive
from tests.training.test_stereo import rows, write_pair
from training.evaluate.__main__ import main
from training.evaluate.page import fill
from training.evaluate.predictors import Predictor, of_checkpoint, of_network
from training.evaluate.real import path_length, read_path, watch
from training.evaluate.real_sets import _Plain, load_sets


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder of data with one stereo sequence, 06, of three pairs."""
    write_pair(tmp_path / "data/kitti_odom/sequences/06", ("image_0", "image_1"), rows((0, 1)), 3)
    return tmp_path / "data"


def test_table_names_what_is_scored_and_what_is_missing(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page, cache = tmp_path / "n.json", tmp_path / "page.md", tmp_path / "cache"
    page.write_text("before\n<!-- real -->\nold\n<!-- end of real -->\nafter\n")
    command = ["real", str(bundled("day")), "--data", str(data), "--cache", str(cache)]

    command += ["--prior", str(write_drive(tmp_path / "trained", frames=1))]
    assert main([*command, "--no-paths", "--json", str(out), "--page", str(page)]) == 0

    printed, found = capsys.readouterr().out, json.loads(out.read_text())
    assert "\n| KITTI 06 * | stereo | 1 | " in printed
    assert f"left out: nuScenes: no {data / 'nuscenes_sample'}" in printed
    assert set(found["sets"]["KITTI 06"]["errors"]) == {
        "day", "per-pixel mean", "flat ground", "constant",
    }  # fmt: skip
    assert (
        found["weights"]["day"]
        == json.loads(bundled("day").with_suffix(".json").read_text())["sha256"]
    )
    text = page.read_text()
    assert text.startswith("before\n<!-- real -->\n| set |")
    assert text.endswith("|\n<!-- end of real -->\nafter\n")
    assert "old" not in text


def test_folder_without_any_set_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["real", str(bundled("day")), "--data", str(tmp_path)]) == 2
    assert "no real images with truth" in capsys.readouterr().err


def test_stereo_is_matched_once_and_again_for_other_images(data: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    load_sets(data, 3, cache)
    (made,) = cache.glob("06-3-*.npz")
    os.utime(made, (1, 1))

    (one,), _ = load_sets(data, 3, cache)

    assert made.stat().st_mtime == 1
    assert (len(one.examples), one.may_choose) == (1, True)
    (data / "kitti_odom/sequences/06/image_1/000000.png").write_bytes(b"cut")
    with pytest.raises(DataError):
        load_sets(data, 3, cache)


def test_network_in_training_scores_as_its_checkpoint_will(data: Path, tmp_path: Path) -> None:
    net, card = load_depth(bundled("day"))
    net.train()
    frozen = next(m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)).eval()
    now = of_network(net, card.input_size, card.depth_range_m, card.focal_ratio)
    sets, _ = load_sets(data, 1, tmp_path / "cache")

    found, later = watch(sets, now), watch(sets, of_checkpoint(bundled("day")))

    assert found["KITTI 06"].abs_rel == pytest.approx(later["KITTI 06"].abs_rel, rel=1e-4)
    assert net.training
    assert not frozen.training


def test_path_is_as_long_as_depth_makes_it(tmp_path: Path) -> None:
    root = write_drive(tmp_path, frames=6, size=(96, 192), step_m=0.3)
    drive, length_m = read_path(root / "sequences/00")
    ratios = []
    for factor in (1.0, 1.5):
        walls = iter(np.arange(10, 8, -0.3) * factor)
        depth = Predictor((96, 192), lambda *_, w=walls: np.full((96, 192), next(w), np.float32))  # type: ignore[misc]
        ratios.append(path_length(drive, length_m, depth))

    assert length_m == pytest.approx(1.5)
    assert ratios == pytest.approx([1, 1.5], rel=0.05)


def test_drive_without_poses_has_no_path(data: Path) -> None:
    with pytest.raises(DataError, match="0 poses for 3 images"):
        read_path(data / "kitti_odom/sequences/06")


class _Attack:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_nothing_that_an_info_file_names_is_called(tmp_path: Path) -> None:
    (tmp_path / "info.pkl").write_bytes(
        pickle.dumps({"a": [1, 2.5], "b": _Attack(tmp_path / "x")})
    )

    with (tmp_path / "info.pkl").open("rb") as file:
        found = _Plain(file).load()

    assert found["a"] == [1, 2.5]
    assert not (tmp_path / "x").exists()


def test_page_without_marks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("<!-- real -->\n")

    with pytest.raises(DataError, match=r"page\.md: no part to write"):
        fill(tmp_path / "page.md", "real", "x")


def test_public_samples_are_read_with_cameras_and_truth(shared_data: Path, tmp_path: Path) -> None:
    names = ("nuscenes_sample", "stereo_samples", "night_robotcar")
    if not all((shared_data / name).is_dir() for name in names):
        pytest.skip("not all samples are there")
    for name in names:
        (tmp_path / name).symlink_to(shared_data / name)

    sets = {one.name: one for one in load_sets(tmp_path, 3, tmp_path)[0]}

    assert {name: len(one.examples) for name, one in sets.items()} == {
        "KITTI object": 1, "nuScenes front": 1, "nuScenes around": 5, "RobotCar night": 1,
    }  # fmt: skip
    front = sets["nuScenes front"].examples[0]
    below = front.truth[800:][front.truth[800:] > 0]  # the road before the bonnet
    assert 4 < np.median(below) < 8
    assert front.camera_height_m == pytest.approx(1.51, abs=0.01)


def test_sheet_shows_frames_at_hand_by_each_of_several_weights(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, weights = tmp_path / "sheet.png", [str(bundled(name)) for name in ("day", "night")]
    command = ["sheet", str(out), *weights, "--data", str(data), "--cache", str(tmp_path / "c")]

    assert main(command) == 0
    assert "1 frames, 2 weights\nleft out" in capsys.readouterr().out
    sheet = cv2.imread(str(out))
    assert sheet is not None
    assert sheet.shape[1] == 2200
    assert sheet.std() > 40  # an image and two depths, not paper
    assert main([*command, "--night", weights[1]]) == 2
    assert "--night 1 checkpoints beside 2" in capsys.readouterr().err
    assert main(["sheet", str(out), weights[0], "--data", str(tmp_path / "none")]) == 2
