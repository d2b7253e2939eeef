"""Every topic both nodes publish, as another process sees it over DDS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMsg
from rcl_interfaces.srv import GetParameters
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Float64, String
from tf2_msgs.msg import TFMessage

from demo.peer import Peer
from sdepth_ros.conversions import to_depth
from sdepth_ros.qos import LATCHED
from tests.ros import processes, test_depth_node, test_odometry_node
from tests.ros.camera_peer import FakeCamera
from tests.ros.manager import Manager
from tests.ros.processes import own_domain

pytestmark = pytest.mark.ros


class Topic(NamedTuple):
    """What is published where: the node, the type, the depth of the queue, latched or not."""

    node: str
    kind: type
    depth: int
    latched: bool = False


FRONT = {  # in the namespace the nodes are in
    "/front/depth/image_rect": Topic("depth", Image, 2),
    "/front/depth/image_rect/compressedDepth": Topic("depth", CompressedImage, 2),
    "/front/depth/camera_info": Topic("depth", CameraInfo, 2),
    "/front/depth/confidence": Topic("depth", Image, 2),
    "/front/depth/color": Topic("depth", Image, 2),
    "/front/points": Topic("depth", PointCloud2, 1),
    "/front/depth/mode": Topic("depth", String, 1, latched=True),
    "/front/depth/scale": Topic("depth", Float64, 1, latched=True),
    "/front/depth/debug/processing_time_ms": Topic("depth", Float64, 2),
    "/front/depth/debug/pipeline_latency_ms": Topic("depth", Float64, 2),
    "/front/odom": Topic("odometry", Odometry, 10),
    "/front/path": Topic("odometry", PathMsg, 1),
    "/front/fused/depth/image_rect": Topic("odometry", Image, 2),
    "/front/fused/depth/image_rect/compressedDepth": Topic("odometry", CompressedImage, 2),
    "/front/fused/depth/camera_info": Topic("odometry", CameraInfo, 2),
    "/front/fused/depth/color": Topic("odometry", Image, 2),
    "/front/fused/points": Topic("odometry", PointCloud2, 1),
    "/front/odometry/debug/processing_time_ms": Topic("odometry", Float64, 2),
    "/front/odometry/debug/pipeline_latency_ms": Topic("odometry", Float64, 2),
}
GLOBAL = {
    "/tf": Topic("odometry", TFMessage, 100),
    "/diagnostics": Topic("depth", DiagnosticArray, 10),
}
TOPICS = FRONT | GLOBAL
OCCASIONAL = ("/front/depth/mode", "/front/depth/scale", "/diagnostics")
DERIVED = (
    "depth/image_rect",
    "depth/image_rect/compressedDepth",
    "depth/camera_info",
    "depth/confidence",
    "depth/color",
    "points",
    "fused/depth/image_rect",
    "fused/depth/image_rect/compressedDepth",
    "fused/depth/camera_info",
    "fused/depth/color",
    "fused/points",
)


class Heard(NamedTuple):
    """What another process has heard of three images, whom it heard, and the camera it was."""

    messages: dict[str, list[Any]]
    offers: dict[str, list[Any]]
    depths: dict[str, int]
    late_modes: list[Any]
    camera: FakeCamera


@pytest.fixture(scope="module", params=["ours", "foreign"])
def heard(weights: Path, request: pytest.FixtureRequest) -> Iterator[Heard]:
    """Return what both nodes, in the namespace /front, say of three red images.

    The network of the day is ours, or that of others.
    """
    with own_domain() as domain:
        peer = Peer(domain)
        namespace = ["-r", "__ns:=/front"]
        depth = test_depth_node.arguments(weights, "depth.resolution:=model", "cloud.stride:=4")
        if request.param == "foreign":
            day = request.getfixturevalue("foreign_weights")
            depth = [word.replace(f"day_path:={weights}", f"day_path:={day}") for word in depth]
        odometry = [*test_odometry_node.arguments(weights), "-p", "path.period_s:=0.0"]
        with (
            processes.running("depth_node", *depth, *namespace),
            processes.running("odometry_node", *odometry, *namespace),
        ):
            yield listen(peer)
        peer.close()


def listen(peer: Peer) -> Heard:
    """Return what the running nodes say."""
    camera = FakeCamera(peer, colour=(255, 0, 0))
    camera.send_mounting()
    messages = {name: peer.listen(topic.kind, name) for name, topic in TOPICS.items()}
    camera.wait_for_node(2)

    def all_at_work() -> bool:
        camera.send()
        return peer.spin_until(lambda: all(messages.values()), 1)

    assert peer.spin_until(all_at_work, 60)
    peer.spin_until(lambda: False, 1)  # what is still under way
    for received in messages.values():
        received.clear()
    camera.stamps.clear()
    camera.send_and_wait(3, messages["/front/path"])
    frames = [name for name in TOPICS if name not in OCCASIONAL]
    assert peer.spin_until(lambda: all(len(messages[name]) == 3 for name in frames))
    late_modes = peer.listen(String, "/front/depth/mode", LATCHED)
    assert peer.spin_until(lambda: late_modes and messages["/diagnostics"])
    offers = {name: peer.get_publishers_info_by_topic(name) for name in TOPICS}
    return Heard(messages, offers, queue_depths(peer), late_modes, camera)


def queue_depths(peer: Peer) -> dict[str, int]:
    """Return the depth of each publisher's queue; discovery does not tell it, the nodes do."""
    found = {}
    for node in ("depth", "odometry"):
        names = [name for name, topic in TOPICS.items() if topic.node == node]
        asked = [f"qos_overrides.{name}.publisher.depth" for name in names]
        answer = Manager(peer, f"front/{node}").call("get_parameters", GetParameters, names=asked)
        found |= {n: v.integer_value for n, v in zip(names, answer.values, strict=True)}
    return found


@pytest.mark.parametrize("name", TOPICS)
def test_every_topic_is_offered_reliable_and_latched_where_it_says(
    heard: Heard, name: str
) -> None:
    topic = TOPICS[name]
    package, kind = topic.kind.__module__.split(".")[0], topic.kind.__name__
    offers = heard.offers[name]
    assert {o.topic_type for o in offers} == {f"{package}/msg/{kind}"}
    assert topic.node in {o.node_name for o in offers}
    assert {o.qos_profile.reliability for o in offers} == {ReliabilityPolicy.RELIABLE}
    durability = DurabilityPolicy.TRANSIENT_LOCAL if topic.latched else DurabilityPolicy.VOLATILE
    assert {o.qos_profile.durability for o in offers} == {durability}
    assert heard.depths[name] == topic.depth


@pytest.mark.parametrize("name", DERIVED)
def test_what_is_made_of_an_image_bears_its_stamp_and_frame(heard: Heard, name: str) -> None:
    headers = [m.header for m in heard.messages[f"/front/{name}"]]
    sent = [divmod(stamp, 1_000_000_000) for stamp in heard.camera.stamps]
    assert [(h.stamp.sec, h.stamp.nanosec) for h in headers] == sent
    assert {h.frame_id for h in headers} == {"camera_optical"}


def test_poses_bear_the_stamp_of_the_image_and_the_frames_of_rep_105(heard: Heard) -> None:
    odoms, paths = heard.messages["/front/odom"], heard.messages["/front/path"]
    moved = [m.transforms[0] for m in heard.messages["/tf"]]
    headers = [m.header for m in heard.messages["/front/points"]]
    for said in (odoms, paths, moved, [p.poses[-1] for p in paths]):
        assert [m.header.stamp for m in said] == [h.stamp for h in headers]
        assert {m.header.frame_id for m in said} == {"odom"}
    assert {m.child_frame_id for m in (*odoms, *moved)} == {"base_link"}
    assert [p.poses[-1].pose for p in paths] == [m.pose.pose for m in odoms]


def test_the_camera_of_the_depth_is_scaled_to_it_and_has_no_distortion(heard: Heard) -> None:
    camera, info = heard.camera.camera, heard.messages["/front/depth/camera_info"][0]
    depth = heard.messages["/front/depth/image_rect"][0]
    assert (info.width, info.height) == (depth.width, depth.height) == (128, 64)
    sx, sy = 128 / camera.width, 64 / camera.height
    cx, cy = (camera.cx + 0.5) * sx - 0.5, (camera.cy + 0.5) * sy - 0.5
    K = np.array([[camera.fx * sx, 0, cx], [0, camera.fy * sy, cy], [0, 0, 1]])
    np.testing.assert_allclose(np.reshape(info.k, (3, 3)), K, atol=1e-9)
    np.testing.assert_allclose(np.reshape(info.p, (3, 4)), np.c_[K, np.zeros(3)], atol=1e-9)
    np.testing.assert_array_equal(np.reshape(info.r, (3, 3)), np.eye(3))
    assert (info.distortion_model, list(info.d)) == ("plumb_bob", [0.0] * 5)


def test_images_say_how_their_bytes_lie(heard: Heard) -> None:
    metres, bgr = ("32FC1", 4), ("bgr8", 3)
    kinds = {"depth/image_rect": metres, "depth/confidence": metres, "depth/color": bgr}
    kinds |= {"fused/depth/image_rect": metres, "fused/depth/color": bgr}
    for name, (encoding, pixel) in kinds.items():
        image = heard.messages[f"/front/{name}"][0]
        assert (image.encoding, image.is_bigendian, image.step) == (encoding, 0, pixel * 128)
        assert len(image.data) == image.step * image.height == pixel * 128 * 64
    sure = to_depth(heard.messages["/front/depth/confidence"][0])
    assert 0 < sure.min() <= sure.max() <= 1


def test_a_cloud_is_organised_xyzrgb_with_colours_as_bgra(heard: Heard) -> None:
    cloud, depth = (heard.messages[f"/front/{n}"][0] for n in ("points", "depth/image_rect"))
    fields = [(f.name, f.offset, f.datatype, f.count) for f in cloud.fields]
    names = zip(("x", "y", "z", "rgb"), (0, 4, 8, 12), strict=True)
    assert fields == [(name, offset, PointField.FLOAT32, 1) for name, offset in names]
    assert (cloud.width, cloud.height, cloud.point_step, cloud.row_step) == (32, 16, 16, 512)
    assert (cloud.is_bigendian, cloud.is_dense) == (False, False)
    raw = np.frombuffer(cloud.data, np.uint8).reshape(16, 32, 16)
    assert (raw[..., 12:] == [0, 0, 255, 0]).all()
    z = np.frombuffer(cloud.data, "<f4").reshape(16, 32, 4)[..., 2]
    seen = to_depth(depth)[::4, ::4]
    np.testing.assert_array_equal(z[np.isfinite(seen)], seen[np.isfinite(seen)])


def test_who_subscribes_late_hears_the_mode_once(heard: Heard) -> None:
    assert [m.data for m in heard.late_modes] == ["day"]


def test_covariances_are_symmetric_and_positive_definite(heard: Heard) -> None:
    for odom in heard.messages["/front/odom"]:
        for covariance in (odom.pose.covariance, odom.twist.covariance):
            matrix = np.reshape(covariance, (6, 6))
            np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-12)
            assert np.linalg.eigvalsh(matrix).min() > 0
