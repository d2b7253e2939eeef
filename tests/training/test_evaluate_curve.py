"""Scores over the steps of a training: each checkpoint is scored once, in the order of steps."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import pytest

from sdepth.checkpoint import read_card, save
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from tests.core.test_checkpoint import CARD
from tests.helpers import write_drive
from training.evaluate.__main__ import main
from training.evaluate.sizes import at_size


def keep(run: Path, step: int) -> None:
    """Keep a checkpoint of a step, other weights each time."""
    card = dataclasses.replace(CARD, step=step)
    save(run / f"kept/{step:06d}.safetensors", DepthNet("tiny"), PoseNet("tiny"), card)


def test_only_what_was_not_scored_yet_is_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, drives = tmp_path / "run", write_drive(tmp_path / "drives", frames=2)
    command = ["curve", str(run), "--rendered", str(drives), "--data", str(tmp_path / "none")]
    keep(run, 20)
    assert main(command) == 0
    known = json.loads((run / "curve.json").read_text())
    (first,) = known
    known[first]["scores"]["rendered"]["abs_rel"] = 0.125
    (run / "curve.json").write_text(json.dumps(known))
    keep(run, 10)
    capsys.readouterr()

    assert main(command) == 0

    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert rows[0] == "| step | rendered |"
    assert [row.split(" | ")[0] for row in rows[1:]] == ["| 10", "| 20"]
    assert rows[2] == "| 20 | 0.125 |"
    assert cv2.imread(str(run / "curve.png")) is not None


def test_run_without_kept_checkpoints_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["curve", str(tmp_path)]) == 2
    assert "no checkpoints; train with --set log.keep_every=250" in capsys.readouterr().err


def test_sizes_are_scored_and_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drives, weights = write_drive(tmp_path / "drives", frames=2), tmp_path / "w.safetensors"
    save(weights, DepthNet("tiny"), PoseNet("tiny"), CARD)
    command = ["sizes", str(weights), "--data", str(tmp_path / "none"), "--sizes"]
    found = ["--rendered", str(drives), "--png", str(tmp_path / "sizes.png")]

    assert main([*command, "96x64", "128x64", *found]) == 0

    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert rows[0] == "| input | rendered | ms |"
    assert [row.split(" | ")[0] for row in rows[1:]] == ["| 96x64", "| 128x64"]
    assert read_card(at_size(weights, "128x64", tmp_path)).input_size == (64, 128)
    assert cv2.imread(str(tmp_path / "sizes.png")) is not None
    assert main([*command, "64by32", *found]) == 2
    assert "expected WIDTHxHEIGHT" in capsys.readouterr().err
    assert main([*command, "96x60", *found]) == 2
    assert "--sizes 96x60: expected multiples of 32" in capsys.readouterr().err
    assert main([*command, "96x64"]) == 2
    assert "no real images with truth, and no --rendered DRIVES" in capsys.readouterr().err
