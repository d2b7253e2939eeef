"""The synthetic world: the same bytes every time, true geometry, masks that mean something."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sdepth.errors import DataError
from sdepth.geometry.warp import warp
from training.data.drive import MOVING, SKY, TEXTURELESS, Drive, read_depth, read_image, read_mask
from training.data.open_drive import read_drive
from training.synth import library
from training.synth.__main__ import main
from training.synth.camera_look import Look
from training.synth.config import DatasetConfig, draw_sequence
from training.synth.generate import generate
from training.synth.render import textureless

SMALL = DatasetConfig("day", 1, 4, 96, 32, 3)


def _bytes(root: Path) -> dict[str, bytes]:
    """Return every file under ``root`` by its path."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set ``SMALL``."""
    out = tmp_path_factory.mktemp("synth") / "a"
    generate(out, SMALL)
    return out


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> list[Drive]:
    """Three short drives."""
    out = tmp_path_factory.mktemp("synth") / "warp"
    generate(out, DatasetConfig("day", 3, 3, 160, 48, 11))
    return [read_drive(out / "sequences" / f"{i:02d}") for i in range(3)]


def test_the_same_arguments_give_the_same_bytes(made: Path, tmp_path: Path) -> None:
    generate(tmp_path / "b", SMALL)
    assert _bytes(made) == _bytes(tmp_path / "b")


@pytest.mark.parametrize(("sequences", "frames"), [(2, 1), (1, 3)], ids=["each one", "share one"])
def test_two_workers_give_the_bytes_of_one(tmp_path: Path, sequences: int, frames: int) -> None:
    config = DatasetConfig("day", sequences, frames, 64, 24, 5)
    generate(tmp_path / "one", config, workers=1)
    generate(tmp_path / "two", config, workers=2)
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")


def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    config = DatasetConfig("dusk", 1, 6, 64, 24, 4)
    generate(tmp_path, config)
    before = _bytes(tmp_path)
    lost = sorted(tmp_path.rglob("image_2/*.png"))[::2]
    for path in [*lost, *tmp_path.rglob("calib.txt")]:
        path.unlink()
    generate(tmp_path, config)
    assert _bytes(tmp_path) == before


def test_finished_frames_are_not_rendered_again(made: Path) -> None:
    stamps = {p: p.stat().st_mtime_ns for p in made.rglob("*.png")}
    generate(made, SMALL)
    assert stamps == {p: p.stat().st_mtime_ns for p in made.rglob("*.png")}


def test_other_arguments_are_refused_with_a_way_out(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = [str(made), "--domain", "night", "--sequences", "1", "--frames", "4", "--size", "96x32"]
    assert main([*args, "--seed", "3"]) == 2
    said = capsys.readouterr().err
    assert "domain 'day' (now 'night')" in said
    assert "another folder" in said


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match="not empty"):
        generate(tmp_path, SMALL)


@pytest.mark.parametrize("size", ["96", "96x", "8x8", "axb"])
def test_a_bad_size_is_refused(
    size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "x"), "--size", size]) == 2
    assert "WIDTHxHEIGHT" in capsys.readouterr().err


def test_the_reader_of_drives_reads_it_back(made: Path) -> None:
    drive = read_drive(made / "sequences" / "00")
    cfg = draw_sequence(SMALL, 0)
    assert len(drive.frames) == 4
    assert drive.camera_height_m == cfg.camera_height_m
    np.testing.assert_allclose(drive.camera.K, cfg.camera.K, rtol=1e-8)
    np.testing.assert_allclose(drive.frames[0].T_world_cam, np.eye(4), atol=1e-12)
    assert drive.frames[3].stamp_ns == 300_000_000
    assert read_image(drive.frames[0].image).shape == (32, 96, 3)


def test_the_camera_moves_forward_at_the_speed_of_meta(made: Path) -> None:
    drive = read_drive(made / "sequences" / "00")
    meta = json.loads((made / "sequences/00/meta.json").read_text())
    step = drive.frames[1].T_world_cam[:3, 3] - drive.frames[0].T_world_cam[:3, 3]
    assert step[2] > 0.9 * np.linalg.norm(step)
    assert np.linalg.norm(step) * 10 == pytest.approx(meta["speed_mps"]["mean"], rel=0.1)


def _errors(index: int) -> list[float]:
    """Return the error of frame 1 warped onto 0: true depth, 1.3 x depth, and not warped."""
    from training.synth.render import SequenceRenderer

    drawn = draw_sequence(DatasetConfig("day", 9, 2, 160, 48, 251, every=2), index)
    r = SequenceRenderer(replace(drawn, look=Look(), noise=0.2, bonnet=None))  # a plain camera
    first, second = r.frame(0), r.frame(1)
    images = [torch.tensor(f.image / 255).permute(2, 0, 1)[None].float() for f in (first, second)]
    depth = torch.tensor(first.depth)[None, None]
    known = (depth > 0) & ~torch.tensor(first.mask & MOVING > 0)[None, None]
    T_world_cam = r.ego.T_world_cam[::2]
    T = torch.tensor(np.linalg.inv(T_world_cam[1]) @ T_world_cam[0])[None].float()
    K = torch.tensor(drawn.camera.K)[None].float()
    errors = []
    for scaled, T_src_tgt in ((depth, T), (1.3 * depth, T), (depth, torch.eye(4)[None])):
        seen, inside = warp(images[1], scaled, T_src_tgt, K)
        diff = (seen - images[0]).abs().mean(1, keepdim=True)
        errors.append(diff[known & inside].mean().item())
    return errors


def test_true_depth_and_pose_explain_the_next_frame() -> None:
    true, scaled, identity = np.mean(
        [_errors(i) for i in (2, 4, 8)], axis=0
    )  # houses or trees near
    assert true < 0.4 * identity
    assert true < 0.7 * scaled


def test_masks_mark_sky_where_there_is_no_depth(drives: list[Drive]) -> None:
    for drive in drives:
        frame = drive.frames[0]
        depth, mask = read_depth(frame.depth), read_mask(frame.mask)
        assert (depth[mask & SKY > 0] == 0).all()
        assert (depth[-1] > 0).all()
        assert not (mask & SKY & -(mask & TEXTURELESS > 0).astype(np.uint8)).any()


def test_moving_cars_are_where_the_next_frame_disagrees() -> None:
    config = DatasetConfig("day", 40, 1, 96, 32, 0)
    ahead = next(i for i in range(40) if draw_sequence(config, i).lead_car)
    from training.synth.render import SequenceRenderer

    mask = SequenceRenderer(draw_sequence(config, ahead)).frame(0).mask
    assert 0.001 < (mask & MOVING > 0).mean() < 0.5


def test_textureless_is_a_plain_wall_and_not_bricks() -> None:
    albedo = np.full((20, 40), 0.3, np.float32)
    albedo[:, 20:] *= np.random.default_rng(0).uniform(0.8, 1.2, (20, 20)).astype(np.float32)
    flat = textureless(albedo)
    assert flat[:, :17].all()
    assert not flat[:, 23:].any()


def test_night_is_the_same_drive_in_the_dark(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, DatasetConfig("night", 1, 4, 96, 32, 3))
    for name in ("poses/00.txt", "sequences/00/calib.txt", "sequences/00/depth_2/000002.png"):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()
    day, night = (cv2.imread(str(p / "sequences/00/image_2/000002.png")) for p in (made, tmp_path))
    assert night.mean() < 0.6 * day.mean()


def test_dusk_goes_from_day_to_night() -> None:
    daylight = draw_sequence(DatasetConfig("dusk", 1, 100, 96, 32, 0), 0).daylight()
    assert (daylight[:40] == 1).all()
    assert (daylight[60:] == 0).all()
    assert (np.diff(daylight) <= 0).all()


def test_sequences_differ_in_what_makes_scale_drift() -> None:
    draws = [draw_sequence(DatasetConfig("day", 30, 10, 96, 32, 0), i) for i in range(30)]
    for name, spread in (("speed", 8), ("camera_height_m", 0.5), ("focal", 0.2)):
        assert np.ptp([getattr(d, name) for d in draws]) > spread


def test_every_second_frame_is_that_of_the_whole_drive(tmp_path: Path) -> None:
    whole, half = (DatasetConfig("day", 1, n, 64, 24, 6, every=e) for n, e in ((3, 1), (2, 2)))
    generate(tmp_path / "whole", whole)
    generate(tmp_path / "half", half)
    all_, kept = (read_drive(tmp_path / n / "sequences/00") for n in ("whole", "half"))
    assert kept.frames[1].stamp_ns == all_.frames[2].stamp_ns == 200_000_000
    np.testing.assert_array_equal(kept.frames[1].T_world_cam, all_.frames[2].T_world_cam)
    depths = [read_depth(f.depth) for f in (kept.frames[1], all_.frames[2])]
    np.testing.assert_array_equal(*depths)


def test_a_street_is_the_same_whatever_was_built_before() -> None:
    config = DatasetConfig("day", 3, 1, 64, 24, 6)
    from training.synth.render import SequenceRenderer

    alone = SequenceRenderer(draw_sequence(config, 2)).frame(0).image
    library._library.cache_clear()
    for i in (0, 1):
        SequenceRenderer(draw_sequence(config, i))
    np.testing.assert_array_equal(SequenceRenderer(draw_sequence(config, 2)).frame(0).image, alone)
