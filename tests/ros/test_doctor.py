"""The doctor as a process of its own, beside a running camera and node."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image

from sdepth_ros.doctor import FAULTS
from tests.ros import processes
from tests.ros.camera_peer import FakeCamera, values_of
from tests.ros.test_depth_node import arguments

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros


def test_without_nodes_it_says_how_to_launch_them_on_the_camera_there_is(peer: Peer) -> None:
    FakeCamera(peer, best_effort=True)
    code, output = processes.outcome("doctor", "--graph")

    assert code == FAULTS
    assert "/camera/image_raw        image, best effort, 0 listeners" in output
    assert "ros2 launch sdepth_ros sdepth.launch.py image_topic:=/camera/image_raw" in output


def test_it_tells_what_a_running_node_waits_for(peer: Peer, weights: Path) -> None:
    camera = FakeCamera(peer)
    with processes.running("depth_node", *arguments(weights)):
        camera.wait_for_node()
        camera.send(with_info=False)
        code, output = processes.outcome("doctor", "--graph", "--seconds", "5")

    assert code == FAULTS
    assert "depth: frames" in output
    assert "-> waiting for a camera_info on /camera/camera_info" in output


def test_it_tells_what_a_frame_takes(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    camera = FakeCamera(peer)
    with processes.running("depth_node", *arguments(weights)):
        camera.send_and_wait(1, depths)
        _, output = processes.outcome("doctor", "--graph")

    assert "day network: tiny, 128x64, metres, licence Apache-2.0" in output
    assert re.search(r"ms, median: decode [\d.]+, .*network [\d.]+, .*processing [\d.]+", output)


@pytest.mark.alone
def test_it_says_of_refused_images_what_the_diagnostics_say(peer: Peer, weights: Path) -> None:
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    peer.listen(Image, "/seen/depth")
    camera = FakeCamera(peer)
    remap = ("-r", "depth/image_rect:=/seen/depth")
    with processes.running("depth_node", *arguments(weights), *remap):
        camera.wait_for_node()

        def refused() -> bool:
            camera.send(encoding="8UC3")
            wait = peer.spin_until(lambda: False, 0.3)
            return wait or int(values_of(reports).get("frames bad", 0)) > 3

        assert peer.spin_until(refused)
        code, output = processes.outcome("doctor", "--graph")

    assert code == FAULTS
    assert "! depth: frames            ERROR: frames in" in output
    said = r"-> (\d+) of the last \1 frames refused, the last one: image encoding '8UC3'"
    assert re.search(said, output)
    assert output.count("image, reliable") == 1  # the camera's; /seen/depth is not one
