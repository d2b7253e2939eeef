"""How a run is compared with the committed one, and drawn."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import cv2
import pytest

pytest.importorskip("onnxruntime", reason="pip install onnxruntime")
pytest.importorskip("sensor_msgs", reason="needs ROS 2's messages")

import benchmarks.__main__ as bench
from benchmarks import plot
from benchmarks.compare import CONDITIONS, compare, ratios
from benchmarks.timing import instructions
from tests.helpers import write_drive

COMMITTED = sorted(bench.RESULTS.glob("speed-*.json"))


@pytest.fixture
def before() -> dict:
    return json.loads(bench.results({"flags": "AVX2", "threads": 1}).read_text())


def row(sections: dict, section: str, table: str, way: str) -> dict[str, float]:
    return sections[section]["tables"][table]["ways"][way]


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_results_hold_every_section(path: Path) -> None:
    sections = json.loads(path.read_text())
    assert sections.keys() == bench.SECTIONS.keys()
    for made in sections.values():
        assert {*CONDITIONS} <= made["of"].keys()
        assert bench.results(made["of"]) == path
        assert all(0 < ratio < 100 for ratio in ratios(made["tables"]).values())


def test_each_kind_of_cpu_has_results_of_both_numbers_of_threads() -> None:
    kinds = ("avx2", "avx512", "avx512-amx")
    names = [f"speed-{kind}-{threads}.json" for kind in kinds for threads in (1, 2)]
    assert [path.name for path in COMMITTED] == names


def test_what_got_slower_is_named(before: dict) -> None:
    found = copy.deepcopy(before)
    row(found, "engines", "light", "torch, fp32")["cpu"] *= 1.5
    row(found, "train_step", "light", "plain PyTorch")["cpu"] /= 1.5

    lines, worse = compare(found, before, 0.25)
    slower = [line for line in lines if line.startswith("slower: ")]
    assert worse == len(slower) == 3
    assert [line.split(": ")[1:3] for line in slower] == [
        ["engines, light", "torch, fp32 / PyTorch as it comes"],
        ["engines, light", "torch, fp32 / limit"],
        ["train_step, light", "training step / plain PyTorch"],
    ]
    assert compare(found, before, 0.6)[1] == compare(before, found, 0.25)[1] == 0


def test_a_slower_base_alone_is_no_regression(before: dict) -> None:
    found = copy.deepcopy(before)
    for name in ("limit", "PyTorch as it comes"):
        row(found, "engines", "light", name)["cpu"] *= 2
    assert compare(found, before, 0.0)[1] == 0


def test_what_cannot_be_compared_is_said(before: dict) -> None:
    found, known = copy.deepcopy(before), copy.deepcopy(before)
    del known["loader"]
    found["messages"]["of"]["flags"] = "AVX512 AMX"
    found["engines"]["tables"]["light"]["over"]["limit"].remove("openvino, int8")
    known["engines"]["tables"]["light"]["over"]["limit"].remove("torch, fp32")

    lines, worse = compare(found, known, 0.25)
    assert worse == 0
    assert "new: loader" in lines
    assert "new: engines, light: torch, fp32 / limit" in lines
    assert "not measured now: engines, light: openvino, int8 / limit" in lines
    (other,) = [line for line in lines if line.startswith("not compared: messages")]
    assert f"flags AVX512 AMX, was {before['messages']['of']['flags']}" in other


def test_sections_are_measured_written_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_drive(tmp_path, frames=4, size=(96, 320))
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    monkeypatch.setattr("benchmarks.loader.render", lambda out: tmp_path / "sequences/00")
    path = bench.results({"flags": instructions(), "threads": 1})
    command = ["--only", "loader", "refine", "--size", "96x64", "--runs", "1", "--threads", "1"]

    assert bench.main(command) == 0
    said = capsys.readouterr().out
    assert f"against {path.name}:\nnew: loader\nnew: refine\nnone of 0 ratios" in said
    assert bench.main([*command, "--write"]) == 0

    kept = json.loads(path.read_text())
    assert kept.keys() == {"loader", "refine"}
    row(kept, "loader", "triplet", "loader, prepared")["cpu"] /= 1000
    path.write_text(json.dumps(kept))
    assert bench.main([*command, "--tolerance", "99"]) == bench.SLOWER
    assert "slower: loader, triplet: loader, prepared / plain loop" in capsys.readouterr().out


def test_results_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plot.main(["--results", str(tmp_path)]) == 2
    assert "python -m benchmarks --write" in capsys.readouterr().err
    for path in COMMITTED:
        (tmp_path / path.name).symlink_to(path)
    assert plot.main(["--results", str(tmp_path)]) == 0
    height, width = cv2.imread(str(tmp_path / "speed.png")).shape[:2]
    drawn = [path for path in COMMITTED if path.stem.endswith("-2")]
    assert height == 400 * len(drawn) < width
