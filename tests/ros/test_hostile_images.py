"""What a broken or hostile driver may send to the depth node: nothing of it is answered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from sdepth_ros.conversions import image_fields
from tests.ros import processes
from tests.ros.camera_peer import FakeCamera
from tests.ros.hostile import HEADERS, HEIGHT, WIDTH, Pace, each, flawed, settled
from tests.ros.test_depth_node import arguments
from tests.ros.test_malformed import NEAR_INFOS, WILD_INFOS, files

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = [pytest.mark.ros, pytest.mark.slow]
EDGES = [Time(sec=-(2**31), nanosec=0), Time(sec=2**31 - 1, nanosec=2**32 - 1), Time()]


def test_of_two_thousand_bad_images_none_is_answered_and_each_is_counted(
    peer: Peer, weights: Path
) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera, pace = FakeCamera(peer), Pace(peer, "depth")
    with processes.running("depth_node", *arguments(weights)) as node:
        camera.send_and_wait(1, depths)

        def send(message: tuple[Header, dict[str, Any]]) -> None:
            camera._image.publish(Image(header=message[0], **message[1]))
            pace()

        bad = each(2_000, st.tuples(HEADERS, flawed(camera._pixels, "rgb8")), send)
        values = settled(reports, peer, 1 + bad)
        assert (len(depths), values["frames out"]) == (1, "1")
        whole = bytes(serialize_message(Image(**image_fields(camera._pixels, "rgb8"))))
        for length in range(0, 200, 3):  # no message at all: the middleware drops it
            camera._image.publish(whole[:length])
        for stamp in EDGES:
            image = Image(header=Header(stamp=stamp), **image_fields(camera._pixels, "rgb8"))

            def answered(image: Image = image) -> bool:
                camera._image.publish(image)
                return peer.spin_until(lambda: depths[-1].header == image.header, 1)

            assert peer.spin_until(answered, 20)
        output = processes.finish(node)
    assert node.returncode == 0, output
    assert "Traceback" not in output


def test_of_bad_compressed_images_none_is_answered_and_each_is_counted(
    peer: Peer, weights: Path
) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    camera, pace = FakeCamera(peer), Pace(peer, "depth")
    output = peer.create_publisher(CompressedImage, "/camera/image_raw/compressed", 5)
    camera._outputs = [output, camera._info]
    changed = st.builds(
        lambda whole, at, value, end: bytearray(whole[:at] + bytes([value]) + whole[at + 1 : end]),
        st.sampled_from(files()), st.integers(0, 400), st.integers(0, 255), st.integers(0, 800),
    )  # fmt: skip
    garbage = st.one_of(changed, st.binary(max_size=500).map(bytearray))
    messages = st.builds(
        CompressedImage, header=HEADERS, format=st.text(max_size=50), data=garbage
    )
    args = arguments(weights, "image_transport:=compressed")
    with processes.running("depth_node", *args) as node:
        camera.wait_for_node()
        camera.send_info()

        def send(message: CompressedImage) -> None:
            output.publish(message)
            pace()

        bad = each(300, messages, send)
        assert settled(reports, peer, bad)["frames out"] == "0"
        assert not depths
        assert "Traceback" not in processes.finish(node)
    assert node.returncode == 0


def test_of_bad_camera_infos_none_ends_the_node(peer: Peer, weights: Path) -> None:
    depths = peer.listen(Image, "/depth/image_rect")
    camera, pace = FakeCamera(peer), Pace(peer, "depth")
    args = arguments(weights, "rectify:=true")
    with processes.running("depth_node", *args) as node:
        camera.send_and_wait(1, depths)

        def send(fields: Any) -> None:
            values = dict(vars(fields)) | {"roi": RegionOfInterest(**vars(fields.roi))}
            camera._info.publish(CameraInfo(**values))
            camera.send(with_info=False)
            pace()

        each(200, st.one_of(NEAR_INFOS, WILD_INFOS), send)
        before = len(depths)

        def answered() -> bool:
            camera.send()
            return peer.spin_until(lambda: len(depths) > before, 1)

        assert peer.spin_until(answered, 20)
        assert (depths[-1].width, depths[-1].height) == (WIDTH, HEIGHT)
        assert "Traceback" not in processes.finish(node)
    assert node.returncode == 0
