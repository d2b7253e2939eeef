"""The depth node as a process of its own, over real DDS."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Illuminance, Image, PointCloud2
from std_msgs.msg import Float64, String

from sdepth.checkpoint import bundled
from sdepth_ros.conversions import stamp_ns, to_depth, to_lens
from tests.conftest import ROOT
from tests.ros import processes
from tests.ros.camera_peer import FakeCamera, values_of
from tests.ros.manager import Manager

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
REMAP = ("-r", "image:=/camera/image_raw")  # camera_info follows as its sibling


def arguments(weights: Path, *more: str) -> list[str]:
    """Return a command line with these weights for day and night."""
    models = [f"model.{domain}_path:={weights}" for domain in ("day", "night")]
    options = [word for value in (*models, *more) for word in ("-p", value)]
    return ["--ros-args", *REMAP, *options]


def test_ten_images_give_ten_depths_with_their_stamps(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    infos = peer.listen(CameraInfo, "/depth/camera_info")
    camera = FakeCamera(peer)
    args = arguments(weights, "depth.resolution:=model")
    with processes.running("depth_node", *args):
        camera.send_and_wait(10, depths)
        assert peer.spin_until(lambda: len(infos) == 10)
    assert [stamp_ns(m.header) for m in depths] == camera.stamps
    assert {(m.encoding, m.header.frame_id) for m in depths} == {("32FC1", "camera_optical")}
    depth = to_depth(depths[0])
    assert depth.shape == (64, 128)
    assert to_lens(infos[0]).rectified == camera.camera.resized(128, 64)
    assert np.isfinite(depth).mean() > 0.5


def test_a_red_image_gives_red_points_and_a_depth_picture(peer: Peer, weights: Path) -> None:
    clouds = peer.listen(PointCloud2, "/points")
    colors = peer.listen(Image, "/depth/color")
    camera = FakeCamera(peer, colour=(255, 0, 0))
    with processes.running("depth_node", *arguments(weights, "cloud.stride:=4")):
        camera.send_and_wait(1, clouds)
        assert peer.spin_until(lambda: colors)
    cloud = clouds[0]
    assert (cloud.width, cloud.height, cloud.point_step) == (64, 24, 16)
    points = np.frombuffer(cloud.data, np.uint8).reshape(24, 64, 16)
    assert (points[..., 12:] == [0, 0, 255, 0]).all()
    assert (colors[0].encoding, colors[0].width, colors[0].height) == ("bgr8", 256, 96)


def test_a_bad_image_is_dropped_and_counted_and_the_next_answered(
    peer: Peer, weights: Path
) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer)
    with processes.running("depth_node", *arguments(weights)) as node:
        camera.wait_for_node()
        camera.send(encoding="rgb7")
        assert peer.spin_until(lambda: values_of(reports).get("frames bad") == "1")
        camera.send_and_wait(1, depths)
        assert peer.spin_until(lambda: values_of(reports).get("frames out") == "1")
        output = processes.finish(node)
    assert "frame dropped: image encoding 'rgb7'" in output
    assert node.returncode == 0
    assert len(depths) == 1


def test_darkness_chooses_night_and_the_choice_is_latched(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    camera = FakeCamera(peer, colour=(5, 5, 5))
    with processes.running("depth_node", *arguments(weights)):
        camera.send_and_wait(1, depths)
        late: list[Any] = peer.listen(String, "/depth/mode", LATCHED)
        assert peer.spin_until(lambda: late)
    assert late[0].data == "night"


def test_a_best_effort_camera_is_heard(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    camera = FakeCamera(peer, best_effort=True)
    with processes.running("depth_node", *arguments(weights)):
        camera.send_and_wait(3, depths)
    assert len(depths) == 3


def test_an_image_waits_for_its_camera_info(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    camera = FakeCamera(peer)
    with processes.running("depth_node", *arguments(weights)) as node:
        camera.wait_for_node()
        camera.send(with_info=False)
        peer.spin_until(lambda: depths, timeout_s=2.0)
        assert not depths
        camera.send_info()
        assert peer.spin_until(lambda: depths)
        assert "waiting for a camera_info on /camera/camera_info" in processes.finish(node)


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("model.day_path:=/none.safetensors", "/none.safetensors: no such checkpoint"),
        ("mode:=dusk", "parameter mode: got 'dusk', expected one of auto, day, night"),
        ("depth.max_m:=80", "expected float in 0.0..10000.0 such as 80.0"),
        ("cloud.stride:=0", "parameter cloud.stride"),
        ("depth.min_m:=90.0", "expected min < max"),
        ("depth.encoding:=8UC1", "expected one of 32FC1, 16UC1"),
        ("cloud.height_min:=2000.0", "expected min < max"),
    ],
)
def test_the_node_refuses_to_start_saying_why(
    domain: int, weights: Path, parameter: str, reason: str
) -> None:
    args = arguments(weights, parameter)
    code, output = processes.outcome("depth_node", *args)
    assert code == 1
    assert reason in output
    assert "Traceback" not in output


@pytest.mark.skipif(not bundled("day").exists(), reason="weights are not built")
def test_the_weights_that_ship_are_the_default(peer: Peer) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    camera = FakeCamera(peer)
    with processes.running("depth_node", "--ros-args", *REMAP):
        camera.send_and_wait(1, depths)
    assert to_depth(depths[0]).shape == (96, 256)


@pytest.mark.skipif(not bundled("day").exists(), reason="weights are not built")
def test_a_change_of_mode_drops_no_frame_and_makes_no_step_in_depth(peer: Peer) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    modes = peer.listen(String, "/depth/mode", LATCHED)
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer)
    another = f"model.night_path:={ROOT / 'training/weights/light.safetensors'}"
    args = ("--ros-args", *REMAP, "-p", "depth.max_m:=1000.0", "-p", another)
    with processes.running("depth_node", *args):
        camera.send_and_wait(2, depths)
        assert not Manager(peer, "depth").set("mode", "night")
        camera.send_and_wait(6, depths)
        assert peer.spin_until(lambda: values_of(reports).get("frames out") == "8")
    assert values_of(reports)["mode"] == "night"
    assert [m.data for m in modes] == ["day", "night"]
    assert [stamp_ns(m.header) for m in depths] == camera.stamps
    logs = [np.log(to_depth(m)) for m in depths]
    steps = [abs(float(np.median(after - before))) for before, after in pairwise(logs)]
    assert max(steps[:-1]) < 1e-3
    assert abs(float(np.median(logs[-2] - logs[0]))) < 1e-3  # night's depth at day's scale
    assert np.abs(logs[-2] - logs[0]).max() > 0.05
    assert values_of(reports)["mode because"] == "set by parameter mode"
    assert float(values_of(reports)["scale after change"]) != 1


def test_depth_comes_in_millimetres_without_edges_and_points_within_the_band(
    peer: Peer, weights: Path
) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    clouds = peer.listen(PointCloud2, "/points")
    camera = FakeCamera(peer)
    wants = ("depth.encoding:=16UC1", "depth.edge_filter:=0.001", "cloud.height_min:=-0.1")
    with processes.running("depth_node", *arguments(weights, "cloud.stride:=1", *wants)):
        camera.send_and_wait(1, clouds)
        camera.send_and_wait(1, depths)
        assert peer.spin_until(lambda: clouds[-1].header == depths[-1].header)
    assert (depths[-1].encoding, depths[-1].step) == ("16UC1", 2 * 256)
    gone = np.isnan(to_depth(depths[-1]))
    assert 0.01 < gone.mean() < 0.99
    points = np.frombuffer(clouds[-1].data, np.float32).reshape(96, 256, 4)
    assert np.isnan(points[gone]).any(1).all()
    assert np.nanmax(points[..., 1]) <= 0.1  # y is down


def test_silence_of_the_camera_is_told_and_ends(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer)
    with processes.running("depth_node", *arguments(weights)) as node:
        camera.send_and_wait(1, depths)
        assert peer.spin_until(lambda: reports and "no frame for" in reports[-1].status[0].message)
        assert reports[-1].status[0].level == DiagnosticStatus.WARN
        assert "/camera/image_raw (1 publishers)" in reports[-1].status[0].message
        camera.send_and_wait(1, depths)
        assert peer.spin_until(lambda: reports[-1].status[0].message == "ok")
        assert "no frame for" in processes.finish(node)


def test_times_are_published_for_each_answer(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    took = peer.listen(Float64, "/depth/debug/processing_time_ms")
    age = peer.listen(Float64, "/depth/debug/pipeline_latency_ms")
    camera = FakeCamera(peer)
    with processes.running("depth_node", *arguments(weights)):
        camera.send_and_wait(3, depths)
        assert peer.spin_until(lambda: len(age) == 3)
    assert all(0 < t.data < 30_000 for t in took)
    now_ms = peer.get_clock().now().nanoseconds * 1e-6
    assert all(
        0 < now_ms - a.data - s * 1e-6 < 60_000 for a, s in zip(age, camera.stamps, strict=True)
    )


def test_a_light_sensor_decides_where_asked(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    modes = peer.listen(String, "/depth/mode", LATCHED)
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    light = peer.create_publisher(Illuminance, "/illuminance", 1)
    camera = FakeCamera(peer, colour=(200, 200, 200))
    camera._outputs.append(light)
    args = arguments(weights, "day_night.source:=topic", "day_night.window_s:=0.0")
    with processes.running("depth_node", *args):
        camera.send_and_wait(1, depths)
        silent = "no illuminance came on /illuminance: mode stays day"
        assert peer.spin_until(
            lambda: reports and reports[-1].status[0].message.startswith(silent)
        )
        light.publish(Illuminance(illuminance=2.0))
        assert peer.spin_until(lambda: reports[-1].status[0].message == "ok")
        camera.send_and_wait(1, depths)
        assert peer.spin_until(lambda: values_of(reports).get("mode") == "night")
    assert [m.data for m in modes] == ["day", "night"]
    assert values_of(reports)["mode because"] == "illuminance 2.00 at the first image"


def test_images_beyond_the_rate_are_dropped_and_counted(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer)
    with processes.running("depth_node", *arguments(weights, "max_rate_hz:=5.0")):
        camera.send_and_wait(1, depths)
        for _ in range(5):  # every second one of 10 Hz
            camera.send()
            camera.send_and_wait(1, depths)
        assert peer.spin_until(lambda: values_of(reports).get("frames dropped") == "5")
    assert [stamp_ns(m.header) for m in depths] == camera.stamps[::2]


def test_clouds_come_at_a_rate_of_their_own(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    clouds = peer.listen(PointCloud2, "/points")
    camera = FakeCamera(peer)
    with processes.running("depth_node", *arguments(weights, "cloud.max_rate_hz:=5.0")):
        camera.send_and_wait(1, clouds)
        camera.send_and_wait(6, depths)
        assert peer.spin_until(lambda: len(clouds) == 4)
    assert [stamp_ns(m.header) for m in depths][-6:] == camera.stamps[1:]
    assert [stamp_ns(m.header) for m in clouds] == camera.stamps[::2]
