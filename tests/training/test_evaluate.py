"""Scores against truth, beside trivial baselines."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from sdepth.checkpoint import save
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from tests.core.test_checkpoint import CARD
from tests.helpers import write_drive
from training.evaluate import Protocol, main, pixel_prior


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

    code = main(
        [
            str(checkpoint),
            str(root),
            "--prior",
            str(root),
            "--json",
            str(out),
            "--sheet",
            str(sheet),
        ]
    )

    printed = capsys.readouterr().out
    assert code == 0
    assert "3 images, 80 m cap, crop none, scaling median" in printed
    assert json.loads(out.read_text())["errors"]["constant"]["abs_rel"] == pytest.approx(
        0, abs=1e-6
    )
    assert cv2.imread(str(sheet)).shape[1] == 3 * 480


def test_depth_from_a_file_is_matched_by_image_number(checkpoint: Path, tmp_path: Path) -> None:
    root = write_drive(tmp_path / "d", frames=3)
    truth = tmp_path / "t.npz"
    np.savez(truth, data=np.full((1, 32, 64), 5, np.float32), frames=np.array([2]))

    assert main([str(checkpoint), str(root), "--truth", str(truth)]) == 0
    np.savez(truth, data=np.full((1, 32, 64), 5, np.float32), frames=np.array([9]))
    assert main([str(checkpoint), str(root), "--truth", str(truth)]) == 2
