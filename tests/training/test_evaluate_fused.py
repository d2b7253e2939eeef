"""The command that scores fused depth beside the network's own."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers import write_drive
from training.evaluate.__main__ import main


def test_every_predictor_is_scored_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drives = write_drive(tmp_path / "d", frames=6, size=(64, 96))
    out, sheet = tmp_path / "o.json", tmp_path / "o.png"
    assert main(["fused", str(drives), "--json", str(out), "--sheet", str(sheet)]) == 0
    printed, found = capsys.readouterr().out, json.loads(out.read_text())
    assert found["images"] == 6
    network, own, true = (
        found["predictors"][name] for name in ("network", "fused", "fused, true motion")
    )
    assert network["told"] == 0
    assert true["told"] > 0.2
    for one in (network, own, true):
        assert one["regions"]["all"]["images"] == 6
        assert f"{one['regions']['all']['abs_rel']:.3f}" in printed
    assert cv2.imread(str(sheet)).shape[1] == 5 * 480


def test_truth_of_an_npz_is_matched_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drives = write_drive(tmp_path / "d", frames=4, size=(64, 96))
    truth = tmp_path / "t.npz"
    depth = np.full((2, 64, 96), 9, np.float32)
    np.savez(truth, data=depth, lines=["00 000001", "00 000003"])
    assert main(["fused", str(drives), "--truth", str(truth)]) == 0
    assert "2 images" in capsys.readouterr().out
    np.savez(truth, data=depth)
    assert main(["fused", str(drives), "--truth", str(truth)]) == 2
    assert "does not name its images" in capsys.readouterr().err


def test_drives_without_depth_say_what_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drives = write_drive(tmp_path / "d", frames=3)
    for path in drives.glob("sequences/00/depth_2/*"):
        path.unlink()
    assert main(["fused", str(drives)]) == 2
    assert "give --truth FILE.npz" in capsys.readouterr().err
