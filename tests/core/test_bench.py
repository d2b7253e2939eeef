"""The bench of engines, on a small network."""

from __future__ import annotations

import json

import pytest
import torch

from sdepth import bench
from sdepth.cli import MISTAKE
from sdepth.engines import ENGINES, Source, auto, candidates, choose, installed

CPU = torch.device("cpu")


pytestmark = pytest.mark.usefixtures("engine_cache", "threads_as_before")


def run(source: Source, *options: str) -> int:
    return bench.main([str(source.checkpoint), "--device", "cpu", "--runs", "3", *options])


def need_two(source: Source) -> list[str]:
    names = list(candidates(source))
    if len(names) < 2:
        pytest.skip("PyTorch is the only engine installed: pip install onnxruntime")
    return names


def test_every_engine_and_precision_is_timed_or_says_why_not(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(source, "--threads", "1", "--json") == 0

    out, progress = capsys.readouterr()
    (result,) = json.loads(out)
    rows = {(row["engine"], row["precision"]): row for row in result["rows"]}
    assert set(rows) == {
        (name, p) for name, kind in ENGINES.items() for p in kind.precisions(CPU) or ["fp32"]
    }
    assert result["about"].endswith(", 1 threads")
    for (name, precision), row in rows.items():
        assert f"{name} {precision}: compiling or loading" in progress
        if precision not in ENGINES[name].precisions(CPU):
            assert "does not do fp32 on cpu" in row["problem"]
        elif name not in installed():
            assert f"pip install {name}" in row["problem"]
        elif precision == "int8":
            assert "never quantised; python -m training.weights.quantize" in row["problem"]
        elif precision == "fp32":
            assert 0 < row["best_ms"] <= row["median_ms"] <= row["p95_ms"]
            assert row["load_s"] > 0
            assert row["off"] < 1e-3
    assert rows["torch", "fp32"]["off"] == 0
    assert rows["torch", "bf16"]["off"] > 1e-5


def test_a_pose_network_is_timed_like_a_depth_network(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(source, "--part", "pose", "--json") == 0

    (result,) = json.loads(capsys.readouterr().out)
    assert result["about"].startswith("tiny, 96x64, ")
    rows = {f"{row['engine']} {row['precision']}": row for row in result["rows"]}
    assert "tensorrt fp32" not in rows
    assert rows["torch fp32"]["off"] == 0
    for name in set(installed()) & {"onnxruntime", "openvino"}:
        assert rows[f"{name} fp32"]["off"] < 1e-3
        assert "does not do int8 on cpu" in rows[f"{name} int8"]["problem"]


def test_an_engine_that_is_not_installed_says_how_to_get_it(
    source: Source, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdepth.engines.selection.installed", lambda: ["torch"])
    assert run(source) == 0
    out = capsys.readouterr().out
    assert "! openvino     fp32  engine 'openvino' is not installed; pip install openvino" in out
    assert "auto, fp32: torch, the only one here" in out


def test_it_tells_what_auto_takes_and_again_renews_that(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    names = need_two(source)
    assert run(source) == 0
    assert "auto, fp32: not timed yet; the first start does" in capsys.readouterr().out
    assert auto.kept(source, names) == {}

    auto.keep(source, names, dict.fromkeys(names, 2000.0) | {"torch": 1000.0})
    assert run(source) == 0
    assert "auto, fp32: torch, by what is kept: torch 1000.0 ms" in capsys.readouterr().out

    assert run(source, "--again", "--json") == 0
    (result,) = json.loads(capsys.readouterr().out)
    today = {r["engine"]: r["best_ms"] for r in result["rows"] if r["precision"] == "fp32"}
    kept = auto.kept(source, names)
    assert kept == {name: today[name] for name in kept}
    assert set(kept) == set(names)
    assert choose(source)[1] == f"{auto.fastest(kept)} fp32: {auto.in_words(kept)}"


def test_a_poor_choice_is_named_with_the_way_out() -> None:
    poor = bench.Choice("fp32", "torch", {"torch": 9.0, "x": 20.0}, {"torch": 9.0, "x": 5.0})
    good = bench.Choice("fp32", "torch", {"torch": 9.0, "x": 20.0}, {"torch": 9.0, "x": 8.5})
    gone = bench.Choice("fp32", "x", {"torch": 9.0, "x": 5.0}, {"torch": 9.0})
    assert str(poor).endswith("; today x is faster, --again makes auto take it")
    assert str(good) == "torch, by what is kept: torch 9.0 ms, x 20.0 ms"
    assert "today torch is faster, --again" in str(gone)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--device", "gpu"], "device 'gpu'"),
        (["--device", "meta"], "device 'meta': no engine runs there"),
    ],
)
def test_mistakes_are_one_line(
    options: list[str], reason: str, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(source, *options) == MISTAKE
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_a_file_that_is_no_checkpoint_is_one_line(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    source.checkpoint.write_bytes(b"not weights")
    assert run(source) == MISTAKE
    assert "net.safetensors" in capsys.readouterr().err
