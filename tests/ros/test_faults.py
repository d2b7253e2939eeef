"""What goes wrong around the depth node while it runs: it stays up, and nothing wrong is said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from sdepth_ros.conversions import stamp_ns
from tests.ros import processes
from tests.ros.camera_peer import SECOND_NS, FakeCamera, values_of
from tests.ros.manager import Manager
from tests.ros.test_depth_node import arguments

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros


def send_until_answered(peer: Peer, camera: FakeCamera, depths: list) -> None:
    """Send images until one is answered: the first may come before the node has found us."""
    camera.wait_for_node()

    def answered() -> bool:
        camera.send()
        stamp = camera.stamps[-1]
        return peer.spin_until(lambda: depths and stamp_ns(depths[-1].header) == stamp, 1)

    assert peer.spin_until(answered, 60)


def test_a_camera_that_dies_returns_or_is_joined_by_another_is_heard(
    peer: Peer, weights: Path
) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    first = FakeCamera(peer)
    with processes.running("depth_node", *arguments(weights)) as node:
        send_until_answered(peer, first, depths)
        first.leave()
        returned = FakeCamera(peer, best_effort=True)
        returned.next_ns = first.next_ns
        send_until_answered(peer, returned, depths)
        other = FakeCamera(peer)
        other.next_ns = returned.next_ns
        send_until_answered(peer, other, depths)
        returned.next_ns = other.next_ns
        send_until_answered(peer, returned, depths)
        output = processes.finish(node)
    assert node.returncode == 0, output
    assert "Traceback" not in output
    assert "publishers are best effort, subscribed likewise" in output
    sent = {*first.stamps, *returned.stamps, *other.stamps}
    stamps = [stamp_ns(m.header) for m in depths]
    assert len(set(stamps)) == len(stamps)
    assert set(stamps) <= sent


def test_only_images_of_the_cameras_size_are_answered(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    infos = peer.listen(CameraInfo, "/depth/camera_info")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer)
    with processes.running("depth_node", *arguments(weights)) as node:
        camera.wait_for_node()
        for _ in range(2):  # an uncalibrated camera is none: the newest image waits
            camera._info.publish(CameraInfo(width=256, height=96))
            camera.send(with_info=False)
        assert peer.spin_until(lambda: reports and "uncalibrated" in reports[-1].status[0].message)
        assert not depths
        camera.send_info()
        assert peer.spin_until(lambda: len(depths) == 1)
        camera._info.publish(CameraInfo(width=256, height=96))  # the one before holds
        camera.send(with_info=False)
        assert peer.spin_until(lambda: len(depths) == 2)
        camera.resize(128, 64)
        camera.send(with_info=False)
        assert peer.spin_until(lambda: values_of(reports).get("frames bad") == "1")
        camera.send_and_wait(1, depths)
        camera.resize(256, 96)
        camera.send_and_wait(1, depths)
        assert peer.spin_until(lambda: values_of(reports).get("frames out") == "4")
        output = processes.finish(node)
    assert [(m.width, m.height) for m in depths] == [(256, 96), (256, 96), (128, 64), (256, 96)]
    assert [(m.width, m.height, m.k[0]) for m in infos[-2:]] == [(128, 64, 125), (256, 96, 250)]
    answered = [stamp_ns(m.header) for m in depths]
    assert answered == [stamp for i, stamp in enumerate(camera.stamps) if i not in (0, 3)]
    values = values_of(reports)
    assert (values["frames in"], values["frames dropped"], values["frames bad"]) == ("6", "1", "1")
    assert "camera_info is for 256x96, the image is 128x64" in values["last error"]
    assert node.returncode == 0, output


def test_a_bag_that_loops_in_simulated_time_is_answered_on(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    clock = peer.create_publisher(Clock, "/clock", QoSProfile(depth=1))
    camera = FakeCamera(peer)
    with processes.running("depth_node", *arguments(weights, "use_sim_time:=true")):
        for _ in range(2):
            camera.next_ns = 100 * SECOND_NS
            for _ in range(3):
                message = Clock()
                message.clock.sec, message.clock.nanosec = divmod(camera.next_ns, SECOND_NS)
                clock.publish(message)
                camera.send_and_wait(1, depths)
        assert peer.spin_until(lambda: values_of(reports).get("frames out") == "6")
        stamp = reports[-1].header.stamp
        assert (stamp.sec, stamp.nanosec) == (100, 200_000_000)
    assert [stamp_ns(m.header) for m in depths] == camera.stamps


def test_weights_that_became_garbage_are_refused_and_good_ones_taken_again(
    peer: Peer, weights: Path, tmp_path: Path
) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    copy = tmp_path / "model.safetensors"
    for part in (weights, weights.with_suffix(".json")):
        copy.with_suffix(part.suffix).write_bytes(part.read_bytes())
    camera, manager = FakeCamera(peer), Manager(peer, "depth")
    with processes.running("depth_node", *arguments(copy)) as node:
        camera.send_and_wait(1, depths)
        assert manager.change("deactivate", "cleanup") == [True, True]
        copy.write_bytes(b"\x00garbage" * 1000)
        assert manager.change("configure") == [False]
        assert manager.state() == "unconfigured"
        copy.write_bytes(weights.read_bytes())
        assert manager.change("configure", "activate") == [True, True]
        send_until_answered(peer, camera, depths)
        output = processes.finish(node)
    errors = [line for line in output.splitlines() if "[ERROR]" in line]
    assert (len(errors), "FATAL" in output) == (1, False)  # the node lives
    assert "model.safetensors" in errors[0]
    assert "Traceback" not in output
    assert node.returncode == 0, output


@pytest.mark.parametrize("name", ["depth", "odometry"])
def test_a_gpu_that_is_not_there_ends_the_node_in_one_line(domain: int, name: str) -> None:
    code, output = processes.outcome(f"{name}_node", "--ros-args", "-p", "model.device:=cuda:99")
    assert code == 1
    assert "device 'cuda:99'" in output
    assert "use auto or cpu" in output
    assert len(output.strip().splitlines()) == 1, output
