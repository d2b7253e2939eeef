"""The int8 form of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="pip install onnx")
pytest.importorskip("onnxruntime", reason="pip install onnxruntime")

import onnx
from onnx import numpy_helper

from sdepth.checkpoint import read_card, save
from sdepth.engines import ENGINES, Source, choose, golden, installed
from sdepth.errors import DataError
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from tests.core.test_checkpoint import CARD
from tests.helpers import write_drive
from training.weights.quantize import calibration_images, main

LIGHT = Path(__file__).parents[2] / "training/weights/light.safetensors"
pytestmark = pytest.mark.usefixtures("engine_cache")


def test_quantised_network_answers_nearly_as_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, drives = tmp_path / "net.safetensors", write_drive(tmp_path / "drives")
    for seed, image in enumerate(sorted(drives.glob("sequences/00/image_2/*.png"))):
        shapes = np.random.default_rng(seed).integers(0, 255, (5, 9, 3), np.uint8)
        cv2.imwrite(str(image), cv2.resize(shapes, (64, 32)))  # a wall has too little contrast
    for path in (LIGHT, LIGHT.with_suffix(".json")):
        (tmp_path / f"net{path.suffix}").write_bytes(path.read_bytes())

    assert main([str(checkpoint), str(drives), "--images", "4", "--test", str(drives)]) == 0

    assert "AbsRel fp32" in capsys.readouterr().out
    assert {"fp32", "int8"} <= read_card(checkpoint).costs.keys()
    exact = Source(checkpoint, read_card(checkpoint), torch.device("cpu"))
    int8 = Source(checkpoint, exact.card, exact.device, "int8")
    assert int8.onnx().stat().st_size < 0.4 * exact.onnx().stat().st_size
    for name in installed():
        if "int8" in ENGINES[name].cpu:
            engine, _ = choose(int8, name)
            assert 1e-4 < golden.check(engine, int8, name) < golden.TOLERANCE["int8"]


def test_a_precision_that_is_too_far_off_is_left_out_and_the_others_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint, drives = tmp_path / "net.safetensors", write_drive(tmp_path / "d", frames=2)
    save(checkpoint, DepthNet("tiny"), PoseNet("tiny"), CARD)
    monkeypatch.setitem(golden.TOLERANCE, "int8", 0.0)

    assert main([str(checkpoint), str(drives), "--test", str(drives)]) == 0

    assert "fp32" in read_card(checkpoint).costs
    assert "int8" not in read_card(checkpoint).costs
    assert "int8 is left out" in caplog.text


@pytest.mark.parametrize(("bits", "largest"), [(7, 64), (8, 127)])
def test_weights_have_so_many_bits(tmp_path: Path, bits: int, largest: int) -> None:
    checkpoint, drives = tmp_path / "net.safetensors", write_drive(tmp_path / "d", frames=2)
    save(checkpoint, DepthNet("tiny"), PoseNet("tiny"), CARD)

    assert main([str(checkpoint), str(drives), "--bits", str(bits)]) == 0

    (path,) = tmp_path.glob("net.int8-*.onnx")
    weights = [numpy_helper.to_array(w) for w in onnx.load(path).graph.initializer]
    assert max(np.abs(w.astype(int)).max() for w in weights if w.dtype == np.int8) == largest


def test_images_to_calibrate_on_are_spread_over_all_drives(tmp_path: Path) -> None:
    for name in ("00", "01"):
        write_drive(tmp_path, frames=5, name=name)

    images = list(calibration_images(tmp_path, 4, (64, 96)))

    assert {image.shape for image in images} == {(1, 64, 96, 3)}
    assert len({image.tobytes() for image in images}) == 4
    assert len(list(calibration_images(tmp_path, 99, (64, 96)))) == 10


def test_a_folder_without_drives_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    save(tmp_path / "net.safetensors", DepthNet("tiny"), PoseNet("tiny"), CARD)
    with pytest.raises(DataError, match="no drives found"):
        next(calibration_images(tmp_path, 4, (64, 96)))
    assert main([str(tmp_path / "net.safetensors"), str(tmp_path)]) == 2
    assert "no drives found" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.onnx*"))
