"""What DDS adds is timed between real processes, under each setting."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from benchmarks import transport

pytestmark = pytest.mark.ros


def test_every_answer_is_timed_under_every_setting(tmp_path: Path) -> None:
    out = tmp_path / "transport.json"
    settings = ["profile", "default"]
    sizes = ["96x64", "640x192"]
    args = ["--settings", *settings, "--sizes", *sizes, "--frames", "5", "--json", str(out)]
    assert transport.main(args) == 0
    found = json.loads(out.read_text())["transport"]
    assert [*found] == settings
    assert [*found["profile"]] == sizes
    for row in found["profile"].values():
        assert row["depth_lost"] == row["points_lost"] == 0
        assert 0 < row["depth_p50"] <= row["depth_p95"] < 1000
        assert all(map(isfinite, row.values()))
