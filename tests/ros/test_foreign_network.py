"""Networks of others in the depth node, as a process of its own, over real DDS."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image
from std_msgs.msg import String

from sdepth_ros.conversions import to_depth
from tests import networks
from tests.ros import processes
from tests.ros.camera_peer import FakeCamera, values_of
from tests.ros.manager import Manager
from tests.ros.test_depth_node import LATCHED, REMAP
from training.weights.import_network import import_network

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros


def arguments(day: Path, *more: str) -> list[str]:
    """Return a command line with a network for the day; that of the night ships."""
    values = (f"model.day_path:={day}", "depth.max_m:=1000.0", *more)
    return ["--ros-args", *REMAP, *(word for value in values for word in ("-p", value))]


@pytest.fixture
def relative(tmp_path: Path) -> Path:
    """Return a network of inverse depth up to scale and shift: brightness."""
    net = networks.brightness(tmp_path / "net.onnx", shape=(1, 3, 70, 98))
    fields = {"output": "affine", "licence": "none", "fit": "keep", "multiple": 14}
    plain = {"channel_mean": (0.0,) * 3, "channel_std": (1.0,) * 3}
    import_network(net, tmp_path / "relative.onnx", fields | plain)
    return tmp_path / "relative.onnx"


def test_from_their_day_to_our_night_depth_makes_no_step(
    peer: Peer, foreign_weights: Path
) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    modes = peer.listen(String, "/depth/mode", LATCHED)
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer)
    with processes.running("depth_node", *arguments(foreign_weights, "model.engine:=onnxruntime")):
        camera.send_and_wait(2, depths)
        assert not Manager(peer, "depth").set("mode", "night")
        camera.send_and_wait(8, depths)
        assert peer.spin_until(lambda: values_of(reports).get("frames out") == "10")

    values = values_of(reports)
    assert [m.data for m in modes] == ["day", "night"]
    logs = [np.log(to_depth(m)) for m in depths]
    steps = [abs(float(np.median(after - before))) for before, after in pairwise(logs)]
    assert max(steps) < 0.03
    assert np.abs(logs[-1] - logs[0]).max() > 0.05  # it is another network's
    assert values["day network"] == "net, 128x64, metres, licence CC0-1.0"
    assert values["night network"].startswith("lite0, 416x128, metres")
    assert "shift 1/m" not in values


def test_its_confidence_and_sky_come_out(peer: Peer, tmp_path: Path) -> None:
    net = networks.with_beside(tmp_path / "net.onnx", shape=(1, 3, 96, 256))
    fields = {"output": "metric", "depth_range_m": (0.1, 80.0), "licence": "none"}
    plain = {"channel_mean": (0.0,) * 3, "channel_std": (0.1, 1.0, 0.1)}  # red 255: 10 m
    import_network(net, tmp_path / "day.onnx", {**fields, **plain, "sky_above": 5.0})
    depths = peer.listen(Image, "/depth/image_rect")
    sures = peer.listen(Image, "/depth/confidence")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer, colour=(204, 130, 0))
    camera._pixels[:48] = (204, 255, 255)
    args = arguments(tmp_path / "day.onnx", "mode:=day", "confidence.min:=0.7")
    with processes.running("depth_node", *args):
        camera.send_and_wait(2, depths)
        assert peer.spin_until(lambda: sures and values_of(reports).get("frames out") == "2")

    depth, sure = to_depth(depths[-1]), to_depth(sures[-1])
    assert sure[:48] == pytest.approx(1, abs=1e-5)
    assert sure[48:] == pytest.approx(0.51, abs=0.01)
    assert np.isposinf(depth[:48]).all()
    assert np.isnan(depth[48:]).all()
    said = values_of(reports)["day network"]
    assert said == "net, 256x96, metres, confidence, sky, licence none"


def test_a_relative_network_without_a_source_of_metres_is_refused(
    domain: int, relative: Path
) -> None:
    code, output = processes.outcome("depth_node", *arguments(relative))

    assert code == 1
    assert "the day weights are not metric; set scale.source to camera_height" in output


def test_the_shift_of_a_relative_network_is_in_the_diagnostics(peer: Peer, relative: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer)
    camera.show_texture(20)
    args = arguments(relative, "scale.source:=fixed", "scale.fixed:=4.0", "mode:=day")
    with processes.running("depth_node", *args):
        camera.send_and_wait(3, depths)
        assert peer.spin_until(lambda: "shift 1/m" in values_of(reports))

    values = values_of(reports)
    darkest, mean = camera._pixels.min() / 255, camera._pixels.mean() / 255
    assert darkest < -4 * float(values["shift 1/m"]) < mean
    assert float(values["shift sigma 1/m"]) < 1e-3  # the images are all alike
    assert values["day network"] == "net, 98x70, inverse depth up to scale, shift, licence none"
