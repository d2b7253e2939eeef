"""What tests of the core may ask for."""

from __future__ import annotations

from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Use one thread: on tensors this small, waiting for others takes longer than the work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
