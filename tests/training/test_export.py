"""Weights that ship, made of runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from sdepth.checkpoint import load_depth, read_card, save
from sdepth.errors import CheckpointError
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from tests.core.test_checkpoint import CARD
from training.export import export


def _write(path: Path, seed: int, depth: str = "tiny") -> None:
    """Write a network at random."""
    torch.manual_seed(seed)
    card = dataclasses.replace(CARD, depth_architecture=depth, command="python -m here")
    path.parent.mkdir(exist_ok=True)
    save(path, DepthNet(depth), PoseNet("tiny", CARD.pose_output_scale), card, half=False)


def test_mean_of_weights_is_between_both_and_says_so(tmp_path: Path) -> None:
    before, run, out = tmp_path / "a.safetensors", tmp_path / "run", tmp_path / "o.safetensors"
    _write(before, 0)
    _write(run / "weights.safetensors", 1)

    export(run, out, "streets", before)

    a, b, mean = (
        dict(load_depth(p)[0].named_parameters())
        for p in (before, run / "weights.safetensors", out)
    )
    for name, value in mean.items():
        assert torch.allclose(value, (a[name] + b[name]) / 2, atol=1e-3)  # half precision
    card = read_card(out)
    assert card.training_data == "streets"
    assert card.command == f"python -m here; mean with {before}"


def test_mean_with_another_network_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "a.safetensors", 0, "light")
    _write(tmp_path / "run" / "weights.safetensors", 1)

    with pytest.raises(CheckpointError, match="not the run's network"):
        export(tmp_path / "run", tmp_path / "o.safetensors", "", tmp_path / "a.safetensors")
