"""Adapting to drives: what is left out, what is held out, and that nothing worse is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from bags import from_kitti
from sdepth.checkpoint import load_depth, load_pose, read_card
from sdepth.config import load_config
from sdepth.depth.daynight import DAY, NIGHT
from sdepth.errors import DataError
from tests.helpers import write_drive
from tests.training.test_datasets_custom import write_calib
from training.adapt.__main__ import NOT_BETTER, main, make_arguments
from training.adapt.prepare import divide
from training.adapt.sift import sift
from training.adapt.sources import Options, open_sources
from training.config import ModelConfig, OptimConfig, TrainConfig
from training.data.custom import read_folder
from training.data.drive import image_files
from training.data.triplets import DataConfig
from training.run_folder import WEIGHTS
from training.trainer import train
from training.weights.export import export

SIZE = (64, 96)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return weights of a tiny network that has seen four frames."""
    folder = tmp_path_factory.mktemp("start")
    data = DataConfig((str(write_drive(folder / "data")),), size=SIZE, workers=0)
    model = ModelConfig("tiny", "tiny", (1.0, 100.0), start_depth_m=8.0, pose_output_scale=0.1)
    train(TrainConfig(data=data, model=model, optim=OptimConfig(1, 2)), folder / "run", "cpu")
    export(folder / "run", folder / "start.safetensors")
    return folder / "start.safetensors"


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a drive of 48 frames that move."""
    return write_drive(tmp_path_factory.mktemp("drive"), 48, SIZE, step_m=0.18)


def change(root: Path, name: str, frames: range, make: object) -> Path:
    """Return the drive with some of its images made anew by ``make``, of the image before."""
    for i in frames:
        path = root / f"sequences/{name}/image_2/{i:06d}.png"
        cv2.imwrite(str(path), make(cv2.imread(str(path))))  # type: ignore[operator]
    return root


def adapted(start: Path, folder: Path, *args: object, steps: int = 3) -> int:
    """Return the exit code of the command."""
    words = [*args, folder / "day.safetensors", "--day-from", start, "--night-from", start]
    words += ["--work", folder / "run", "--steps", steps, "--set", "optim.batch=2"]
    return main([*map(str, words)])


@pytest.fixture(scope="module")
def first(start: Path, drive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Return where the drive was adapted to, and the exit code."""
    folder = tmp_path_factory.mktemp("first")
    return folder, adapted(start, folder, drive)


def test_worse_weights_are_written_only_when_asked(
    start: Path, drive: Path, first: tuple[Path, int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, code = first
    assert code == NOT_BETTER
    assert not (folder / "day.safetensors").exists()

    assert adapted(start, folder, drive, "--force") == NOT_BETTER  # goes on with what is there
    said = capsys.readouterr().out
    assert "not better (" in said
    assert "AbsRel" in said  # the drive has truth, so it is counted
    card = read_card(folder / "day.safetensors")
    assert card.depth_architecture == "tiny"
    assert card.training_data.endswith("frames of 00")
    load_pose(folder / "day.safetensors")


def test_report_is_a_page_and_a_picture(first: tuple[Path, int]) -> None:
    page = (first[0] / "run/report.html").read_text()
    assert "not better" in page
    assert "src='data:image/webp" in page
    assert cv2.imread(str(first[0] / "run/report.png")).shape[1] > 500


def test_last_fifth_is_not_trained_on(drive: Path, first: tuple[Path, int]) -> None:
    folder = first[0]
    trained = {p.stem for p in image_files(folder / "run/day/drives/sequences/00/image_2")}
    kept = sift(open_sources([drive], Options(), folder)[0], SIZE).frames
    first_held = len(kept) - round(0.2 * len(kept))
    assert trained == {frame.name for frame in kept[:first_held]}


def test_same_steps_give_the_same_weights(
    start: Path, drive: Path, first: tuple[Path, int], tmp_path: Path
) -> None:
    adapted(start, tmp_path, drive)
    a, b = (load_depth(n / "run/day/run" / WEIGHTS)[0] for n in (first[0], tmp_path))
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    assert all(bool((x == y).all()) for x, y in pairs)


@pytest.mark.parametrize(
    ("frames", "make", "said"),
    [
        (20, None, r"20 by day of 20 frames"),
        (48, lambda image: np.zeros_like(image), "48 black or blank"),
    ],
    ids=["short", "black"],
)
def test_nothing_to_learn_from_is_one_line(
    start: Path, tmp_path: Path, frames: int, make: object, said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    root = write_drive(tmp_path / "data", frames, SIZE, step_m=0.15)
    if make:
        change(root, "00", range(frames), make)

    assert adapted(start, tmp_path, root) == 2

    (line,) = (x for x in capsys.readouterr().err.splitlines() if "too little" in x)
    assert said in line


def test_standing_scene_is_left_out(start: Path, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    root = write_drive(tmp_path / "data", 48, SIZE, step_m=0.0)
    assert adapted(start, tmp_path, root) == 2
    assert "47 standing" in capsys.readouterr().err


def test_drive_that_says_nothing_about_depth_is_not_learned_from(
    start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_drive(tmp_path / "data", 60, SIZE, step_m=0.12)
    change(root, "00", range(60), lambda image: (100 + 0.12 * image).astype(np.uint8))
    assert adapted(start, tmp_path, root) == NOT_BETTER
    assert "of the picture says how far it is" in capsys.readouterr().out
    assert not (tmp_path / "run/day/run").exists()


def test_options_stand_where_one_likes() -> None:
    words = ["A", "--steps", "3", "B", "--night-drive", "N", "out.safetensors", "--force"]
    options = make_arguments().parse_intermixed_args(words)
    assert [p.name for p in options.drives + options.night_drives] == ["A", "B", "N"]
    assert (options.out.name, options.steps, options.force) == ("out.safetensors", 3, True)


def test_images_of_two_cameras_are_one_line(start: Path, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    root = write_drive(tmp_path / "data", 48, SIZE, step_m=0.15)
    change(root, "00", range(30, 48), lambda image: image[:40])
    assert adapted(start, tmp_path, root) == 2
    assert "recorded with another camera" in capsys.readouterr().err


def test_images_ask_for_their_calibration(start: Path, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    root = write_drive(tmp_path / "data", 48, (64, 128), step_m=0.15)
    folder = root / "sequences/00/image_2"
    assert adapted(start, tmp_path, folder) == 2
    assert "--calib" in capsys.readouterr().err
    calib = write_calib(tmp_path / "camera.yaml", [0.0] * 5)
    (source,) = open_sources([folder], Options(calib), tmp_path)
    assert len(sift(source, SIZE).frames) > 40


def test_images_are_rectified_before_anything_is_learned(tmp_path: Path) -> None:
    root = write_drive(tmp_path / "data", 12, (64, 128), step_m=0.15)
    folder = root / "sequences/00/image_2"
    calib = write_calib(tmp_path / "camera.yaml", [-0.3, 0.1, 0.0, 0.0, 0.0])
    (source,) = open_sources([folder], Options(calib), tmp_path)

    found = sift(source, (64, 128))

    drive = read_folder(folder, calib, Options().fps)
    assert len(found.images) == 12
    for image, frame in zip(found.images, drive.frames, strict=True):
        assert np.array_equal(image, drive.read(frame))


def test_day_and_night_are_told_apart_and_a_cut_parts(tmp_path: Path) -> None:
    root = write_drive(tmp_path / "data", 60, SIZE, step_m=0.1)
    change(root, "00", range(30, 60), lambda image: image // 8)
    rng = np.random.default_rng(1)
    other = cv2.resize(rng.integers(0, 255, (16, 24, 3), np.uint8), SIZE[::-1])
    change(root, "00", range(10, 13), lambda _: np.roll(other, int(rng.integers(40)), 1))
    drives = [sift(source, SIZE) for source in open_sources([root], Options(), tmp_path)]

    day, night = (divide(drives, mode) for mode in (DAY, NIGHT))

    assert day.frames > 20
    assert night.frames > 3
    names = [[frame.name for frame in s.frames] for s in day.train]
    assert len(names) > 1
    assert not any("000009" in run and "000013" in run for run in names)


def test_night_learns_with_the_day_as_prior(start: Path, tmp_path: Path) -> None:
    root = write_drive(tmp_path / "data", 48, SIZE, step_m=0.18, name="00")
    night = write_drive(tmp_path / "night", 48, SIZE, step_m=0.18, name="01")  # as bright

    adapted(start, tmp_path, root, "--night-drive", night, "--force", steps=2)

    config = load_config(TrainConfig, tmp_path / "run/night/run/config.yaml")
    assert config.prior.weight > 0
    assert config.prior.day == (str(tmp_path / "run/day/drives"),)
    assert Path(config.prior.day_weights) in {start, *(tmp_path / "run/day").glob("candidate*")}
    assert read_card(tmp_path / "day_night.safetensors").domain == NIGHT
    page = (tmp_path / "run/report.html").read_text()
    assert "By day" in page
    assert "By night" in page


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two drives."""
    root = tmp_path_factory.mktemp("fleet")
    for name in ("00", "01"):
        write_drive(root, 48, SIZE, step_m=0.18, name=name)
    return root


@pytest.mark.slow
def test_ray_gives_what_one_by_one_does(start: Path, fleet: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    drives = sorted((fleet / "sequences").iterdir())
    alone, by_ray = tmp_path / "alone", tmp_path / "ray"

    adapted(start, alone, *drives, steps=2)
    adapted(start, by_ray, *drives, "--workers", 2, steps=2)

    depths = sorted((alone / "run/day/drives").rglob("depth_2/*.png"))
    assert {p.parts[-3] for p in depths} == {"00", "01"}
    for path in depths:
        assert path.read_bytes() == (by_ray / path.relative_to(alone)).read_bytes()
    a, b = (load_depth(n / "run/day/run" / WEIGHTS)[0] for n in (alone, by_ray))
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    assert all(bool((x == y).all()) for x, y in pairs)
    assert (alone / "run/day/verdict.json").read_text() == (
        by_ray / "run/day/verdict.json"
    ).read_text()


@pytest.mark.slow
def test_two_processes_learn_and_one_writes(start: Path, fleet: Path, tmp_path: Path) -> None:
    out = tmp_path / "day.safetensors"
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words += ["-m", "training.adapt", fleet, out, "--day-from", start, "--night-from", start]
    words += ["--work", tmp_path / "run", "--steps", "2", "--force", "--set", "optim.batch=1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}

    done = subprocess.run(
        [sys.executable, *map(str, words)],
        env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert done.stderr.count("frames in 2 drives") == 2  # each takes its share
    assert done.stdout.count("by day\n") == 1
    assert done.returncode in (0, 1), done.stderr[-2000:]  # torchrun makes 1 of "not better"
    load_depth(out)
    assert (tmp_path / "run/report.html").is_file()


def test_bags_are_drives_too(tmp_path: Path) -> None:
    root = write_drive(tmp_path / "data", 6, SIZE, step_m=0.3)
    assert from_kitti.main([str(root / "sequences/00"), str(tmp_path / "bag")]) == 0
    (source,) = open_sources([tmp_path / "bag"], Options(), tmp_path / "scratch")
    assert source.recording.count == 6
    assert len(sift(source, SIZE).frames) == 6
    with pytest.raises(DataError, match="no such"):
        open_sources([tmp_path / "none.mcap"], Options(), tmp_path / "scratch")
