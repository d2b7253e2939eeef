"""What users feed the nodes wrong: it works where it can, otherwise they say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from sdepth_ros.conversions import image_fields
from tests.ros import processes
from tests.ros.camera_peer import SECOND_NS, FakeCamera, values_of
from tests.ros.test_depth_node import REMAP, arguments
from tests.ros.test_odometry_node import FakeDepthCamera
from tests.ros.test_odometry_node import arguments as odometry_arguments

if TYPE_CHECKING:
    from pathlib import Path

    from demo.peer import Peer

pytestmark = pytest.mark.ros


def says(reports: list, node: str, text: str) -> bool:
    """Tell whether the newest report of a node has this in its message."""
    of_node = [r for r in reports if r.status[0].name == f"{node}: frames"]
    return bool(of_node) and text in of_node[-1].status[0].message


def both(weights: Path, *more: str) -> list[str]:
    """Return the arguments of both nodes in one process."""
    return [*arguments(weights), *(word for value in more for word in ("-p", value))]


def test_a_leading_slash_of_the_images_frame_is_no_other_frame(peer: Peer, weights: Path) -> None:
    odoms, depths = peer.listen(Odometry, "/odom"), peer.listen(Image, "/depth/image_rect")
    camera = FakeCamera(peer)
    camera.frame = "/camera_optical"
    camera.send_mounting()
    with processes.running("vision_node", *both(weights)):
        camera.send_and_wait(2, odoms)
        assert peer.spin_until(lambda: depths)
    assert odoms[-1].child_frame_id == "base_link"
    assert {m.header.frame_id for m in depths} == {"camera_optical"}


def test_images_without_a_frame_are_named_and_take_one_from_camera_frame(
    peer: Peer, weights: Path
) -> None:
    odoms, clouds = peer.listen(Odometry, "/odom"), peer.listen(PointCloud2, "/points")
    reports, moved = peer.listen(DiagnosticArray, "/diagnostics"), peer.listen(TFMessage, "/tf")
    camera = FakeCamera(peer)
    camera.frame = ""
    with processes.running("vision_node", *both(weights, "base_frame:=''")):
        camera.send_and_wait(2, clouds)
        said = "the images' frame_id is empty, so nothing seen in them has a place; set it in"
        assert peer.spin_until(lambda: says(reports, "depth", said))
        assert peer.spin_until(lambda: says(reports, "odometry", said))
    assert (odoms, moved) == ([], [])
    with processes.running("vision_node", *both(weights, "base_frame:=''", "camera_frame:=cam")):
        camera.send_and_wait(2, odoms)
    assert odoms[-1].child_frame_id == moved[-1].transforms[0].child_frame_id == "cam"
    assert clouds[-1].header.frame_id == "cam"


def test_a_frame_that_would_be_its_own_child_is_refused(peer: Peer, weights: Path) -> None:
    reports, moved = peer.listen(DiagnosticArray, "/diagnostics"), peer.listen(TFMessage, "/tf")
    camera = FakeDepthCamera(peer)
    camera.frame = "odom"
    args = odometry_arguments(weights, "base_frame:=''")
    with processes.running("odometry_node", *args):
        camera.wait_for_node()
        camera.send()
        assert peer.spin_until(lambda: says(reports, "odometry", "cannot be its own child; set"))
    assert not moved
    code, output = processes.outcome("odometry_node", "--ros-args", "-p", "odom_frame:=/base_link")
    assert (code, "expected a name for odom_frame that none of them has" in output) == (1, True)


def test_a_camera_on_a_moving_link_is_followed_by_stamp(peer: Peer, weights: Path) -> None:
    odoms, reports = peer.listen(Odometry, "/odom"), peer.listen(DiagnosticArray, "/diagnostics")
    moving = peer.create_publisher(TFMessage, "/tf", 100)
    camera = FakeDepthCamera(peer)
    camera.send_mounting()  # of camera_optical on base_link
    camera.frame = "eye"

    def turn(stamp: int) -> None:
        link = TFMessage(transforms=[camera.mounting("camera_optical", "eye")])
        link.transforms[0].header.stamp.sec, rest = divmod(stamp, SECOND_NS)
        link.transforms[0].header.stamp.nanosec = rest
        moving.publish(link)

    with processes.running("odometry_node", *odometry_arguments(weights)):
        camera.wait_for_node()
        camera.send()
        assert peer.spin_until(lambda: says(reports, "odometry", "base_link <- eye on /tf_static"))
        assert peer.spin_until(lambda: moving.get_subscription_count() > 0)
        turn(camera.stamps[0] - SECOND_NS)
        assert not peer.spin_until(lambda: odoms, 1)  # it is not known yet where the eye was
        turn(camera.stamps[0] + SECOND_NS)
        assert peer.spin_until(lambda: odoms)


@pytest.mark.parametrize(
    ("topic", "transport", "said"),
    [
        (
            "/camera/image_raw/compressed",
            "raw",
            "it sends CompressedImage, expected Image; set",
        ),
        ("/wrong", "raw", "/wrong: /peer is not heard, it sends Header, expected Image; remap to"),
    ],
)
def test_a_topic_of_another_type_is_named_with_the_way_out(
    peer: Peer, weights: Path, topic: str, transport: str, said: str
) -> None:
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    kind = CompressedImage if topic.endswith("compressed") else Header
    peer.create_publisher(kind, topic, 5)
    args = [*arguments(weights, f"image_transport:={transport}"), "-r", f"image:={topic}"]
    args.remove(REMAP[1])
    args.remove("-r")
    with processes.running("depth_node", *args):
        assert peer.spin_until(lambda: says(reports, "depth", said))


def test_a_compressed_topic_is_taken_by_its_own_name_too(peer: Peer, weights: Path) -> None:
    sender = peer.create_publisher(CompressedImage, "/camera/image_raw/compressed", 5)
    camera = FakeCamera(peer)
    remap = ("-r", "image:=/camera/image_raw/compressed")
    args = [word for word in arguments(weights) if word not in ("-r", REMAP[1])]
    compressed = ("-p", "image_transport:=compressed")
    with processes.running("depth_node", *args, *compressed, *remap):
        assert peer.spin_until(sender.get_subscription_count)
        assert peer.spin_until(camera._info.get_subscription_count)  # the image's sibling


def test_images_without_depth_of_their_stamp_are_told(peer: Peer, weights: Path) -> None:
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer)
    depth = peer.create_publisher(Image, "/depth/image_rect", 5)
    with processes.running("odometry_node", *odometry_arguments(weights)):
        camera.wait_for_node()
        assert peer.spin_until(depth.get_subscription_count)

        def told() -> bool:
            camera.send()
            peer.spin_until(lambda: False, 0.3)
            return says(reports, "odometry", "s had a depth of its stamp on /depth/image_rect (1")

        assert peer.spin_until(told)
        second = peer.create_publisher(Image, "/depth/image_rect", 5)
        two = "2 publishers send depth on /depth/image_rect: odometry takes whichever comes"
        assert peer.spin_until(lambda: says(reports, "odometry", two))
        peer.destroy_publisher(second)
        assert peer.spin_until(lambda: not says(reports, "odometry", two))


def test_stamps_that_stand_still_are_told(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer)
    with processes.running("vision_node", *both(weights, "base_frame:=''")):
        for _ in range(5):
            camera.next_ns = 0
            camera.send_and_wait(1, depths)
        assert peer.spin_until(
            lambda: says(reports, "depth", "not known, stamp is 0 again: the driver")
        )
        late = "frames refused, the last one: stamp is 0 again: the driver does not set"
        assert peer.spin_until(lambda: says(reports, "odometry", late))


@pytest.mark.parametrize(("bits", "mode"), [(0, "day"), (12, "day"), (16, "night")])
def test_twelve_bits_in_sixteen_are_as_bright_as_they_are_said_to_be(
    peer: Peer, weights: Path, bits: int, mode: str
) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera = FakeCamera(peer)
    noon = image_fields(np.full((96, 256), 2500, np.uint16), "mono16")
    with processes.running("depth_node", *arguments(weights, f"image.significant_bits:={bits}")):
        camera.wait_for_node()

        def answered() -> bool:
            camera.send(**noon)
            return peer.spin_until(lambda: depths, 1)

        assert peer.spin_until(answered)
        assert peer.spin_until(lambda: values_of(reports).get("mode") == mode)
        guess = "are taken to have 12 bits, by the brightest pixel so far; set image.significant"
        assert says(reports, "depth", guess) == (bits == 0)
