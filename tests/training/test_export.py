"""Weights that ship, made of runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from sdepth.checkpoint import load_depth, read_card, save
from sdepth.depth.estimator import DepthEstimator
from sdepth.errors import CheckpointError
from sdepth.geometry.camera import Camera
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from tests.core.test_checkpoint import CARD
from training.weights.export import export, main


def _write(path: Path, seed: int, depth: str = "tiny") -> None:
    """Write a network at random."""
    torch.manual_seed(seed)
    card = dataclasses.replace(CARD, depth_architecture=depth, command="python -m here")
    path.parent.mkdir(exist_ok=True)
    save(path, DepthNet(depth), PoseNet("tiny", CARD.pose_output_scale), card, half=False)


@pytest.mark.parametrize("others", [1, 2])
def test_mean_of_weights_is_between_all_and_says_so(tmp_path: Path, others: int) -> None:
    run, out = tmp_path / "run", tmp_path / "o.safetensors"
    paths = [tmp_path / f"{i}.safetensors" for i in range(others)]
    _write(run / "weights.safetensors", 7)
    for seed, path in enumerate(paths):
        _write(path, seed)

    export(run, out, "streets", paths)

    every = (*paths, run / "weights.safetensors", out)
    *parts, mean = (dict(load_depth(p)[0].named_parameters()) for p in every)
    for name, value in mean.items():
        expected = torch.stack([part[name] for part in parts]).mean(0)
        assert torch.allclose(value, expected, atol=1e-3)  # half precision
    card = read_card(out)
    assert card.training_data == "streets"
    assert card.command == f"python -m here; mean with {', '.join(map(str, paths))}"


def test_mean_with_another_network_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "a.safetensors", 0, "light")
    _write(tmp_path / "run" / "weights.safetensors", 1)

    with pytest.raises(CheckpointError, match="not the run's network"):
        export(tmp_path / "run", tmp_path / "o.safetensors", "", [tmp_path / "a.safetensors"])


def test_onnx_answers_images_as_they_are_recorded(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    weights, out = tmp_path / "weights.safetensors", tmp_path / "net.onnx"
    _write(weights, 0)
    image = np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8)
    camera = Camera(100.0, 100.0, 59.5, 39.5, 120, 80)
    expected = DepthEstimator(weights, "cpu", "model").predict(image, camera).depth

    assert main([str(weights), str(out), "--image-size", "120x80"]) == 0

    scale = np.array([camera.focal_ratio / CARD.focal_ratio], np.float32)
    session = onnxruntime.InferenceSession(str(out))
    (depth,) = session.run(["depth"], {"image": image[None], "focal_scale": scale})
    assert np.allclose(depth[0, 0], expected, rtol=1e-3)


def test_names_that_are_neither_weights_nor_onnx_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), "net.pth"])
    assert "net.pth: expected a name ending in .safetensors or .onnx" in capsys.readouterr().err
