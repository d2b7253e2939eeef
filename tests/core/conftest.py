"""What tests of the core may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sdepth.checkpoint import read_card, save
from sdepth.engines import Source
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from tests.core.test_checkpoint import CARD


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Return a small network's checkpoint, for the CPU."""
    torch.manual_seed(0)
    path = tmp_path / "net.safetensors"
    save(path, DepthNet("tiny"), PoseNet("tiny"), CARD)
    return Source(path, read_card(path), torch.device("cpu"))
