"""Depth at night: regions, one scale per image, the same views by day."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from sdepth.depth.estimator import DepthMap
from tests.helpers import write_drive
from training.data.drive import BLURRED, MOVING, TEXTURELESS
from training.data.open_drive import read_drive
from training.evaluate import Protocol
from training.evaluate.__main__ import main
from training.evaluate.drive_motion import true_motions
from training.evaluate.night import MIN_PIXELS, Scores, inconsistency

WEIGHTS = Path(__file__).parents[2] / "weights" / "day.safetensors"


def _scores(truth: np.ndarray, depth: np.ndarray, mask: np.ndarray) -> dict:
    """Return the numbers of one image."""
    scores = Scores()
    scores.add(
        truth.astype(np.float32), depth.astype(np.float32), mask.astype(np.uint8), Protocol()
    )
    return scores.numbers()


def test_region_is_scaled_as_the_whole_image_is() -> None:
    truth, mask = np.full((20, 30), 10.0), np.zeros((20, 30))
    mask[:4] = TEXTURELESS
    depth = np.where(mask > 0, 6.0, 4.0)  # most of it a 2.5th of the truth: the median's scale

    found = _scores(truth, depth, mask)

    assert found["textureless"]["abs_rel"] == pytest.approx(0.5)
    assert found["all"]["abs_rel"] == pytest.approx(0.5 * 4 / 20)
    assert (found["textureless"]["pixels"], found["textureless"]["images"]) == (120, 1)


def test_pixels_beyond_the_cap_and_tiny_regions_do_not_count() -> None:
    truth, mask = np.full((20, 30), 10.0), np.zeros((20, 30))
    mask[:4], truth[:4] = MOVING, 90.0
    mask.flat[-MIN_PIXELS + 1 :] = BLURRED

    found = _scores(truth, np.full((20, 30), 5.0), mask)

    assert found["moving"] == {"images": 0, "pixels": 0}
    assert found["blurred"] == {"images": 0, "pixels": 0}
    assert found["all"]["pixels"] == 16 * 30


def test_true_depth_is_consistent_and_a_tilted_one_is_not(tmp_path: Path) -> None:
    drive = read_drive(write_drive(tmp_path, 4, (32, 64)) / "sequences" / "00")
    walls = [np.full((32, 64), 10 - 0.5 * i, np.float32) for i in range(4)]
    tilt = np.linspace(0.7, 1.3, 64, dtype=np.float32)

    true = inconsistency([DepthMap(w, drive.camera) for w in walls], true_motions(drive), 1.0)
    still = [DepthMap(walls[0] * tilt, drive.camera)] * 4

    assert true == pytest.approx(0, abs=1e-5)  # float32
    assert (inconsistency(still, true_motions(drive), 1.0) > 0.01).all()


def test_command_scores_night_and_day_over_the_nights_masks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    night, day = (write_drive(tmp_path / d, 3, (32, 64)) for d in ("night", "day"))
    for path in (night / "sequences" / "00" / "mask_2").iterdir():
        cv2.imwrite(str(path), np.full((32, 64), MOVING | BLURRED, np.uint8))
    options = [str(WEIGHTS), str(night), "--day", str(day), "--device", "cpu"]

    assert main(["night", *options, "--json", str(tmp_path / "n.json")]) == 0
    found = json.loads((tmp_path / "n.json").read_text())
    assert found["night"] == found["day"]  # the same images
    for region in ("blurred", "moving"):  # scaled beforehand: float32 rounds once more
        assert found["day"][region] == pytest.approx(found["day"]["all"], rel=1e-5)
    assert found["constant"]["all"]["abs_rel"] == pytest.approx(0, abs=1e-6)  # a wall
    assert "| day | textureless |  |  |  | 0 | 0 |" in capsys.readouterr().out


def test_another_drive_by_day_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    night = write_drive(tmp_path / "night", 3)
    day = write_drive(tmp_path / "day", 3, step_m=0.4)

    assert main(["night", str(WEIGHTS), str(night), "--day", str(day)]) == 2
    assert "not the same drive; render both with the same --seed" in capsys.readouterr().err
