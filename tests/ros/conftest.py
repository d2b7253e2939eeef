"""Real nodes over real DDS: every test in a domain of its own, on this machine only."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from sdepth.checkpoint import save
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from tests.core.test_checkpoint import CARD

if TYPE_CHECKING:
    from demo.peer import Peer


@pytest.fixture
def domain() -> Iterator[int]:
    """Return a DDS domain nobody else uses, also set for child processes."""
    pytest.importorskip("rclpy")
    from tests.ros.processes import own_domain

    with own_domain() as number:
        yield number


@pytest.fixture
def peer(domain: int) -> Iterator[Peer]:
    """Return the test's own node."""
    from demo.peer import Peer

    node = Peer(domain)
    yield node
    node.close()


@pytest.fixture
def lost_are_counted(peer: Peer) -> bool:
    """Tell whether the middleware numbers messages: what did not come is known by that alone."""
    from std_msgs.msg import Int32

    from sdepth_ros.qos import InputSubscription

    received = list[Int32]()
    heard = InputSubscription(peer, Int32, "/numbered", received.append, "reliable")
    output = peer.create_publisher(Int32, "/numbered", 10)
    assert peer.spin_until(lambda: output.publish(Int32()) or received)
    heard.close()
    peer.destroy_publisher(output)
    return bool(heard._numbers)


@pytest.fixture(scope="session")
def foreign_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a network of others of 128x64: 30 m in the dark to 5 m in the light."""
    from tests import networks
    from training.weights.import_network import import_network

    folder = tmp_path_factory.mktemp("foreign")
    net = networks.brightness(folder / "net.onnx", gain=-25.0, offset=30.0, shape=(1, 3, 64, 128))
    fields = {"output": "metric", "depth_range_m": (0.1, 80.0), "licence": "CC0-1.0"}
    plain = {"channel_mean": (0.0,) * 3, "channel_std": (1.0,) * 3}
    import_network(net, folder / "foreign.onnx", fields | plain)
    return folder / "foreign.onnx"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small untrained checkpoint of 128x64."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    card = dataclasses.replace(
        CARD, input_size=(64, 128), depth_range_m=(0.1, 100.0), metric=True, focal_ratio=1.0
    )
    torch.manual_seed(0)
    save(path, DepthNet("tiny"), PoseNet("tiny", card.pose_output_scale), card)
    return path
