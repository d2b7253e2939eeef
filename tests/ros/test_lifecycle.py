"""The nodes' lifecycle, driven over real DDS as a lifecycle manager does it."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMsg
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

from tests.ros import processes, test_depth_node, test_odometry_node
from tests.ros.camera_peer import FakeCamera, values_of
from tests.ros.manager import Manager
from tests.ros.test_odometry_node import FakeDepthCamera

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros
MANUAL = "autostart:=false"


def roll(camera: FakeDepthCamera, odoms: list, count: int) -> None:
    """Send images that move sideways, each after the answer to the one before."""
    for _ in range(count):
        camera._pixels = np.roll(camera._pixels, 2, axis=1)
        camera.send_and_wait(1, odoms)


def off_origin(odom: Odometry) -> float:
    """Return the distance from the origin, metres."""
    at = odom.pose.pose.position
    return float(np.linalg.norm([at.x, at.y, at.z]))


def test_every_transition_by_the_services(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera, manager = FakeCamera(peer), Manager(peer, "depth")
    with processes.running("depth_node", *test_depth_node.arguments(weights, MANUAL)) as node:
        assert manager.state() == "unconfigured"
        assert peer.count_publishers("/depth/image_rect") == 0
        assert manager.change("configure") == [True]
        assert manager.state() == "inactive"
        assert peer.count_subscribers("/camera/image_raw") == 0
        assert manager.change("activate") == [True]
        camera.send_and_wait(2, depths)
        assert manager.change("deactivate") == [True]
        assert peer.spin_until(lambda: peer.count_subscribers("/camera/image_raw") == 0)
        for _ in range(3):
            camera.send()
        reports.clear()
        assert peer.spin_until(lambda: len(reports) > 1)
        assert (values_of(reports)["state"], values_of(reports)["frames in"]) == ("inactive", "2")
        assert reports[-1].status[0].message == "inactive, takes no images"
        assert len(depths) == 2
        assert manager.change("activate") == [True]
        camera.send_and_wait(1, depths)
        assert manager.change("deactivate", "cleanup") == [True, True]
        assert peer.spin_until(lambda: peer.count_publishers("/depth/image_rect") == 0)
        assert manager.change("configure", "activate") == [True, True]
        camera.send_and_wait(1, depths)
        assert manager.change("shutdown") == [True]
        assert manager.state() == "finalized"
        assert peer.spin_until(lambda: peer.count_publishers("/depth/image_rect") == 0)
        output = processes.finish(node)
    assert "Traceback" not in output
    assert node.returncode == 0, output


def test_a_configure_that_failed_can_be_corrected(peer: Peer, weights: Path) -> None:
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    manager = Manager(peer, "depth")
    missing = "/none.safetensors: no such checkpoint"
    args = test_depth_node.arguments(
        weights, MANUAL, "cloud.stride:=0", "model.day_path:=/none.safetensors"
    )
    with processes.running("depth_node", *args) as node:
        assert manager.change("configure") == [False]
        assert not manager.set("cloud.stride", 3)
        assert manager.change("configure") == [False]
        assert manager.state() == "unconfigured"
        assert peer.spin_until(lambda: reports and missing in reports[-1].status[0].message)
        assert not manager.set("model.day_path", str(weights))
        assert manager.change("configure") == [True]
        assert "can change while the node is unconfigured only" in manager.set(
            "model.day_path", ""
        )
        assert not manager.set("cloud.stride", 4)
        output = processes.finish(node)
    assert node.returncode == 0
    assert output.count("parameter cloud.stride: ") == 1
    assert output.count(missing) == 1
    assert "FATAL" not in output
    assert "Traceback" not in output


def test_odometry_starts_anew_when_activated_again(peer: Peer, weights: Path) -> None:
    odoms, paths = peer.listen(Odometry, "/odom"), peer.listen(PathMsg, "/path")
    camera, manager = FakeDepthCamera(peer), Manager(peer, "odometry")
    camera.send_mounting()
    camera.show_texture()
    with processes.running("odometry_node", *test_odometry_node.arguments(weights)):
        roll(camera, odoms, 4)
        assert off_origin(odoms[-1]) > 0.1
        assert manager.change("deactivate", "activate") == [True, True]
        paths.clear()
        roll(camera, odoms, 2)
        assert peer.spin_until(lambda: paths)
    assert off_origin(odoms[4]) < 1e-9
    assert 0.01 < off_origin(odoms[5]) < off_origin(odoms[3])
    assert len(paths[0].poses) == 1


def test_reset_odometry_makes_the_next_frame_the_origin(peer: Peer, weights: Path) -> None:
    odoms = peer.listen(Odometry, "/odom")
    camera, manager = FakeDepthCamera(peer), Manager(peer, "odometry")
    camera.send_mounting()
    camera.show_texture()
    with processes.running("odometry_node", *test_odometry_node.arguments(weights)):
        roll(camera, odoms, 3)
        assert off_origin(odoms[-1]) > 0.05
        assert manager.call("reset_odometry", Trigger).success
        roll(camera, odoms, 1)
        assert manager.change("deactivate") == [True]
        answer = manager.call("reset_odometry", Trigger)
    assert off_origin(odoms[-1]) < 1e-9
    assert not answer.success
    assert answer.message.startswith("odometry is inactive")


def test_enable_activates_and_deactivates(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    camera, manager = FakeCamera(peer), Manager(peer, "depth")
    with processes.running("depth_node", *test_depth_node.arguments(weights, MANUAL)):
        refused = manager.call("enable", SetBool, data=True)
        assert not refused.success
        assert "configure it first: ros2 lifecycle set /depth configure" in refused.message
        assert manager.change("configure") == [True]
        for _ in range(2):  # twice is no fault
            assert manager.call("enable", SetBool, data=True).success
        assert manager.state() == "active"
        camera.send_and_wait(1, depths)
        assert manager.call("enable", SetBool, data=False).message == "inactive"
        assert manager.state() == "inactive"


@pytest.mark.parametrize("name", ["depth", "odometry"])
def test_twenty_activations_leak_no_threads(peer: Peer, weights: Path, name: str) -> None:
    manager = Manager(peer, name)
    arguments = {"depth": test_depth_node.arguments, "odometry": test_odometry_node.arguments}
    with processes.running(f"{name}_node", *arguments[name](weights), fresh=True) as node:
        tasks = Path(f"/proc/{node.pid}/task")
        assert manager.change("deactivate", "activate") == [True, True]
        before = len(list(tasks.iterdir()))
        assert manager.change(*["deactivate", "activate"] * 20) == [True] * 40
        assert (
            manager.change(*["deactivate", "cleanup", "configure", "activate"] * 3) == [True] * 12
        )
        assert len(list(tasks.iterdir())) <= before


def test_an_interrupt_ends_the_node_while_it_warms_up(domain: int, weights: Path) -> None:
    with processes.running("depth_node", *test_depth_node.arguments(weights)) as node:
        assert node.stdout is not None
        assert any("night: " in line for line in node.stdout)
        output = processes.finish(node)
    assert node.returncode == 0
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ((), "unconfigured"),
        (("configure",), "inactive"),
        (("configure", "activate"), "active"),
        (("shutdown",), "finalized"),
        (("configure", "shutdown"), "finalized"),
    ],
)
def test_an_interrupt_ends_the_node_in_every_state(
    peer: Peer, weights: Path, steps: tuple[str, ...], state: str
) -> None:
    manager = Manager(peer, "odometry")
    args = test_odometry_node.arguments(weights, MANUAL)
    with processes.running("odometry_node", *args) as node:
        assert all(manager.change(*steps))
        assert manager.state() == state
        output = processes.finish(node)
    assert node.returncode == 0
    assert "Traceback" not in output


def test_further_interrupts_do_not_cut_the_end_short(peer: Peer, weights: Path) -> None:
    manager = Manager(peer, "depth")
    with processes.running("depth_node", *test_depth_node.arguments(weights, MANUAL)) as node:
        assert manager.state() == "unconfigured"
        while node.poll() is None:
            node.send_signal(signal.SIGINT)
            time.sleep(0.02)
        output = processes.finish(node)
    assert node.returncode == 0
    assert "Traceback" not in output
    assert "frames in 0" in output
