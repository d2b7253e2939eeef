"""Depth scored against truth, beside trivial baselines, and results side by side."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from sdepth.checkpoint import bundled, save
from sdepth.errors import ConfigError, DataError
from sdepth.geometry.camera import Camera
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from tests.core.test_checkpoint import CARD
from tests.helpers import write_drive
from training.evaluate import Protocol, evaluate, pixel_prior, read_examples
from training.evaluate.__main__ import main
from training.evaluate.baselines import FAR_M, flat_ground
from training.evaluate.depth import SHOWN

EIGEN = "kitti_raw/2011_09_26/2011_09_26_drive_0052_sync/derived_by_us/gt_depths_eigen_0052.npz"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    save(tmp_path / "net.safetensors", DepthNet("tiny"), PoseNet("tiny"), CARD)
    return tmp_path / "net.safetensors"


def test_true_depth_scores_no_error_and_a_constant_does() -> None:
    truth = np.random.default_rng(0).uniform(2, 70, (40, 60)).astype(np.float32)

    perfect, constant = (Protocol().score(truth, d) for d in (3 * truth, np.full_like(truth, 9)))

    assert perfect.abs_rel == pytest.approx(0, abs=1e-6)
    assert perfect.delta1 == 1
    assert constant.abs_rel > 0.3


def test_metric_scoring_sees_a_wrong_scale() -> None:
    truth = np.full((40, 60), 10, np.float32)

    assert Protocol(scale="none").score(truth, 1.5 * truth).abs_rel == pytest.approx(0.5, rel=1e-5)


def test_prior_is_the_mean_of_each_pixel(tmp_path: Path) -> None:
    root = write_drive(tmp_path, frames=3, step_m=1.0)  # a wall at 10, 9, 8 m

    assert pixel_prior(root, (8, 16), 80.0, stride=1) == pytest.approx(np.full((8, 16), 9.0))


def test_command_prints_the_protocol_and_writes_files(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_drive(tmp_path / "d", frames=3)
    out, sheet = tmp_path / "n.json", tmp_path / "s.png"
    files = ["--prior", root, "--json", out, "--sheet", sheet]

    assert main(["depth", *map(str, [checkpoint, root, *files])]) == 0

    printed, found = capsys.readouterr().out, json.loads(out.read_text())
    assert "3 images\nsynth: truth 0.001 to 80 m" in printed
    assert "scaling median (mask-then-median)" in printed
    assert found["protocol"]["id"] == "synth"
    assert found["errors"]["constant"]["abs_rel"] == pytest.approx(0, abs=1e-6)
    assert cv2.imread(str(sheet)).shape[1] == 3 * 480


@pytest.mark.usefixtures("engine_cache")
def test_networks_are_scored_in_the_precision_asked_for(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, found = write_drive(tmp_path / "d", frames=2), {}
    for precision in ("fp32", "bf16"):
        out = tmp_path / f"{precision}.json"
        command = [checkpoint, root, "--precision", precision, "--json", out]
        assert main(["depth", *map(str, command)]) == 0
        assert f"network in {precision}\n" in capsys.readouterr().out
        found[precision] = json.loads(out.read_text())

    assert found["bf16"]["precision"] == "bf16"
    exact, rounded = (f["errors"]["net"]["abs_rel"] for f in found.values())
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)


def test_part_of_a_test_set_is_called_that(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_drive(tmp_path / "d", frames=2)

    assert main(["depth", str(checkpoint), str(root), "--protocol", "kitti-eigen"]) == 0
    assert "2 of the 697 images" in capsys.readouterr().out


def test_no_more_than_a_few_examples_are_kept(checkpoint: Path, tmp_path: Path) -> None:
    root = write_drive(tmp_path / "d", frames=19, step_m=0.1)

    _, seen, scales, _ = evaluate(checkpoint, read_examples(root, None, 1), Protocol(), None)

    assert len(scales) == 19
    assert SHOWN / 2 <= len(seen) <= SHOWN


def test_depth_from_a_file_is_matched_by_image_number(checkpoint: Path, tmp_path: Path) -> None:
    root = write_drive(tmp_path / "d", frames=3)
    truth = tmp_path / "t.npz"
    np.savez(truth, data=np.full((1, 32, 64), 5, np.float32), frames=np.array([2]))

    assert main(["depth", str(checkpoint), str(root), "--truth", str(truth)]) == 0
    np.savez(truth, data=np.full((1, 32, 64), 5, np.float32), frames=np.array([9]))
    assert main(["depth", str(checkpoint), str(root), "--truth", str(truth)]) == 2


def test_test_list_orders_images_and_names_drives(tmp_path: Path) -> None:
    root = write_drive(tmp_path, frames=3, step_m=1.0)
    write_drive(tmp_path, frames=2, step_m=2.0, name="01")
    lines = tmp_path / "list.txt"
    lines.write_text("1 1 l\n0 000002 l\n\n00/0\n")

    walls = [e.truth[0, 0] for e in read_examples(root, None, 1, lines)]

    assert walls == [8, 8, 10]
    lines.write_text("1 7 l\n")
    with pytest.raises(DataError, match="no image of '1 7 l' in 2 drives"):
        list(read_examples(root, None, 1, lines))


def test_truth_may_be_a_folder_of_arrays(tmp_path: Path) -> None:
    root = write_drive(tmp_path / "d", frames=2)
    (tmp_path / "gt").mkdir()
    np.save(tmp_path / "gt/000000_depth.npy", np.full((32, 64), 3.0))
    np.save(tmp_path / "gt/000001.npy", np.full((32, 64), 4.0))
    (tmp_path / "list.txt").write_text("0 1\n0 0\n")
    np.save(tmp_path / "gt/000_depth.npy", np.full((32, 64), 5.0))  # of the list's first

    assert [e.truth[0, 0] for e in read_examples(root, tmp_path / "gt", 1)] == [3, 4]
    (tmp_path / "gt/000001.npy").unlink()
    listed = read_examples(root, tmp_path / "gt", 1, tmp_path / "list.txt")
    assert [e.truth[0, 0] for e in listed] == [5, 3]


def test_truth_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    root, truth = write_drive(tmp_path / "d", frames=2), tmp_path / "t.npz"
    one = np.ones((1, 32, 64), np.float32)
    np.savez(truth, data=np.array([[one, None]], dtype=object), frames=np.arange(1))
    with pytest.raises(DataError, match="pickled arrays are not opened"):
        list(read_examples(root, truth, 1))
    truth.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(DataError, match="no depths that can be read"):
        list(read_examples(root, truth, 1))
    np.savez(truth, data=one)
    with pytest.raises(DataError, match="1 depths for 0 images of None; give its list"):
        list(read_examples(root, truth, 1))
    (tmp_path / "list.txt").write_text("0 0\n0 1\n")
    with pytest.raises(DataError, match="1 depths for 2 images"):
        list(read_examples(root, truth, 1, tmp_path / "list.txt"))


def test_results_of_two_protocols_are_not_set_side_by_side(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_drive(tmp_path / "d", frames=2)
    files = {name: str(tmp_path / f"{name}.json") for name in ("a", "b", "metres", "half")}
    start = ["depth", str(checkpoint), str(root), "--json"]
    for name, options in (("a", []), ("metres", ["--scale", "none"]), ("half", ["--stride", "2"])):
        assert main([*start, files[name], *options]) == 0
    Path(files["b"]).write_text(Path(files["a"]).read_text())

    assert main(["compare", files["a"], files["b"]]) == 0
    assert capsys.readouterr().out.count("| net |") == 2 + 3  # three tables before this one
    assert main(["compare", files["a"], files["metres"]]) == 2
    assert "different protocols (scale median and none)" in capsys.readouterr().err
    assert main(["compare", files["a"], files["half"]]) == 2
    assert "2 and 1 images" in capsys.readouterr().err
    assert main(["compare", str(checkpoint)]) == 2


def test_real_lorries_and_bridges_are_scored_as_published(shared_data: Path) -> None:
    """A traffic jam under a bridge, 25 of Eigen's images."""
    truth = shared_data / EIGEN
    if not truth.is_file():
        pytest.skip(f"{truth} is not there")
    from training.evaluate.protocols import find

    examples = read_examples(shared_data / "kitti_raw", truth, 1)
    rows, _, scales, _ = evaluate(bundled("day"), examples, find("kitti-eigen"), None)

    assert len(scales) == 25
    assert f"{rows['constant'].abs_rel:.3f}" == "0.354"
    assert rows["day"].abs_rel == pytest.approx(0.227, abs=0.02)  # of the weights that ship


def test_flat_ground_is_a_road_that_ends_at_a_wall() -> None:
    camera = Camera(100, 100, 20, 30, 40, 60)

    depth = flat_ground(camera, 1.5)

    assert depth.shape == (60, 40)
    assert depth[40] == pytest.approx(np.full(40, 15))  # 10 rows below the horizon, f h / 10
    assert depth[:35] == pytest.approx(np.full((35, 40), FAR_M))
    with pytest.raises(ConfigError, match="camera height -1 m"):
        flat_ground(camera, -1)


def test_flat_ground_and_metres_stand_beside_scaled_errors(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = write_drive(tmp_path / "d", frames=2), tmp_path / "n.json"
    command = ["depth", str(checkpoint), str(root), "--json", str(out)]

    assert main(command) == 0
    assert "flat ground" not in capsys.readouterr().out  # nobody knows the height
    assert main([*command, "--camera-height", "1.2"]) == 0
    assert "| abs_rel, metres | delta1, metres |" in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert set(found["errors"]) == {"net", "constant", "flat ground"}
    assert found["metres"]["constant"]["abs_rel"] == pytest.approx(15 / 9.75 - 1, rel=0.01)


def test_drives_that_know_their_height_are_compared_with_flat_ground(
    checkpoint: Path, tmp_path: Path
) -> None:
    root = write_drive(tmp_path / "d", frames=1)
    (root / "sequences/00/meta.json").write_text('{"camera_height_m": 1.4}')

    found = evaluate(checkpoint, read_examples(root, None, 1), Protocol(), None)

    assert "flat ground" in found.metres
