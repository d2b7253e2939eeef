"""The training step that ours is timed against is the same step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.train_step import NETWORKS, OURS, PLAIN, main, make_steps


def test_both_ways_take_the_same_steps() -> None:
    steps = make_steps("light", (64, 96), "cpu")
    losses = {name: [step() for _ in range(3)] for name, step in steps.items()}
    assert losses[OURS][0] == pytest.approx(losses[PLAIN][0], rel=1e-4)  # noise: 1e-5 at most
    # Adam takes gradients that are rounding errors for as large as the others.
    assert losses[OURS] == pytest.approx(losses[PLAIN], rel=1e-3)
    assert losses[OURS][2] != losses[OURS][0]


def test_another_step_is_refused(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("benchmarks.plain_training.FARTHEST_M", 50.0)
    assert main(["--runs", "1", "--size", "96x64", "--threads", "1"]) == 2
    assert "not the same" in capsys.readouterr().err


def test_both_ways_are_timed(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert main(["--runs", "1", "--size", "96x64", "--threads", "1", "--json", str(out)]) == 0
    tables = json.loads(out.read_text())["train_step"]
    assert tables.keys() == NETWORKS.keys()
    for table in tables.values():
        assert table["over"] == {PLAIN: [OURS]}
        assert all(0 < row["median"] <= row["p95"] for row in table["ways"].values())
