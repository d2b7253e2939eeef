"""A camera to test nodes with, and readers of what they report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from sdepth.geometry.camera import R_BODY_OPTICAL, Camera
from sdepth_ros.conversions import camera_info_fields, image_fields, write_transform
from sdepth_ros.qos import LATCHED

if TYPE_CHECKING:
    from demo.peer import Peer

SECOND_NS = 1_000_000_000


class FakeCamera:
    """Publishes images of one colour on camera/image_raw of a namespace, stamps 100 ms apart.

    Attributes:
        stamps: of the images sent, nanoseconds.
        next_ns: the next one's.
    """

    camera = Camera(250.0, 250.0, 127.5, 47.5, 256, 96)

    def __init__(
        self,
        peer: Peer,
        colour: tuple[int, int, int] = (120, 130, 140),
        best_effort: bool = False,
        namespace: str = "",
    ) -> None:
        """Create the publishers."""
        self._peer = peer
        self.frame = f"{namespace.strip('/')}_camera_optical".lstrip("_")
        reliability = ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
        qos = QoSProfile(depth=5, reliability=reliability)
        self._image = peer.create_publisher(Image, f"{namespace}/camera/image_raw", qos)
        self._info = peer.create_publisher(CameraInfo, f"{namespace}/camera/camera_info", qos)
        self._outputs = [self._image, self._info]
        self._static: Any = None
        self._pixels = np.full((self.camera.height, self.camera.width, 3), colour, np.uint8)
        self.stamps: list[int] = []
        self.next_ns = 100 * SECOND_NS

    def wait_for_node(self, nodes: int = 1) -> None:
        """Return when so many nodes listen to the camera."""

        def matched() -> bool:
            return all(output.get_subscription_count() >= nodes for output in self._outputs)

        assert self._peer.spin_until(matched, 60)

    def send(self, with_info: bool = True, **changes: Any) -> None:
        """Publish the next image; ``changes`` replace its fields."""
        self.stamps.append(self.next_ns)
        self.next_ns += SECOND_NS // 10
        if with_info:
            self.send_info()
        fields = image_fields(self._pixels, "rgb8") | changes
        self._image.publish(Image(header=self._header(), **fields))

    def send_info(self) -> None:
        """Publish the camera_info of the newest image."""
        self._info.publish(self.camera_info())

    def camera_info(self) -> CameraInfo:
        """Return the camera_info of the newest image."""
        return CameraInfo(header=self._header(), **camera_info_fields(self.camera))

    @staticmethod
    def mounting(parent: str, child: str) -> TransformStamped:
        """Return where a camera sits: 1.5 m above its parent, looking ahead."""
        T_base_cam = np.eye(4)
        T_base_cam[:3, :3] = R_BODY_OPTICAL
        T_base_cam[2, 3] = 1.5
        item = TransformStamped(child_frame_id=child)
        item.header.frame_id = parent
        write_transform(T_base_cam, item.transform.translation, item.transform.rotation)
        return item

    def send_mounting(self) -> None:
        """Publish where the camera sits on the base."""
        from tf2_msgs.msg import TFMessage  # not everywhere installed, and only odometry wants it

        item = self.mounting("base_link", "camera_optical")
        if self._static is None:
            self._static = self._peer.create_publisher(TFMessage, "/tf_static", LATCHED)
        self._static.publish(TFMessage(transforms=[item]))

    def show_texture(self, contrast: int = 100) -> None:
        """Send from now on images of blobs, the same ones each time."""
        rng = np.random.default_rng(0)
        blobs = cv2.GaussianBlur(rng.normal(size=self._pixels.shape[:2]), (0, 0), 2)
        grey = np.clip(128 + contrast * blobs / blobs.std(), 0, 255)
        self._pixels = np.repeat(grey[..., None].astype(np.uint8), 3, 2)

    def resize(self, width: int, height: int) -> None:
        """Send from now on the same images at another size."""
        self.camera = self.camera.resized(width, height)
        self._pixels = cv2.resize(self._pixels, (width, height))

    def latch_info(self) -> None:
        """Publish a camera_info once, kept for who comes later."""
        self._outputs.remove(self._info)  # matched late
        self._peer.destroy_publisher(self._info)
        self._info = self._peer.create_publisher(CameraInfo, "/camera/camera_info", LATCHED)
        self.send_info()

    def send_and_wait(self, count: int, answers: list) -> None:
        """Publish images one by one, each after the answer to the one before.

        The first may come before the node has found who listens: then it was none.
        """
        self.wait_for_node()
        for _ in range(count):
            before = len(answers)
            self.send()
            if not self._peer.spin_until(lambda before=before: len(answers) > before, 15):
                assert before == 0
                self.stamps.pop()
                self.send()
                assert self._peer.spin_until(lambda: answers, 30)

    def leave(self) -> None:
        """Destroy the publishers."""
        for output in self._outputs:
            self._peer.destroy_publisher(output)

    def _header(self) -> Header:
        """Return a header with the newest stamp."""
        header = Header(frame_id=self.frame)
        stamp = self.stamps[-1] if self.stamps else 0
        header.stamp.sec, header.stamp.nanosec = divmod(stamp, SECOND_NS)
        return header


def values_of(reports: list) -> dict[str, str]:
    """Return what the newest diagnostics say."""
    return {v.key: v.value for v in reports[-1].status[0].values} if reports else {}
