"""A camera that the real nodes listen to over DDS, and what becomes of its images."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMsg
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Float64, Header
from tf2_msgs.msg import TFMessage

from demo.domain import free_domain
from demo.nodes import CAMERA_ARGS, NODES, Watcher, environment
from demo.processes import Processes, processes
from sdepth.geometry.camera import R_BODY_OPTICAL, Camera
from sdepth_ros.conversions import camera_info_fields, image_fields, stamp_ns, write_transform
from sdepth_ros.middleware import PROFILES_VARIABLE, profile_file
from sdepth_ros.qos import TF_STATIC

ANSWERS = {"depth": (Image, "/depth/image_rect"), "odometry": (Odometry, "/odom")}
"""Per node, the topic whose message answers an image."""
_ALSO_HEARD = ((PointCloud2, "/points"), (Image, "/depth/color"), (PathMsg, "/path"))
_PATIENCE_S = 180.0
_FOLLOWING_S = 2.0  # in which subscriptions follow the camera's reliability


class Stream(Watcher):
    """Publishes images stamped with the time, and keeps when each was answered.

    Attributes:
        sent: stamps, nanoseconds.
        ages_ms: per node, the age of each image when its answer was here, by stamp.
        work_ms: per node, what it took for each frame.
    """

    def __init__(
        self, domain: int, camera: Camera, nodes: Sequence[str] = NODES, processes: int = 0
    ) -> None:
        """Join the domain; nothing is sent yet.

        Args:
            domain: of the nodes.
            camera: of the images.
            nodes: which.
            processes: that they run in, each of which hears the camera; 0: one per node.
        """
        # A camera sends as the launch files have it: otherwise large images take 15 ms longer.
        os.environ.setdefault(PROFILES_VARIABLE, str(profile_file()))
        super().__init__(domain, nodes)
        self._camera, self._processes = camera, processes or len(nodes)
        self.sent: list[int] = []
        self.ages_ms: dict[str, dict[int, list[float]]] = {name: {} for name in nodes}
        self.work_ms: dict[str, list[float]] = {name: [] for name in nodes}
        self._image = self.create_publisher(Image, "/camera/image_raw", 20)
        self._info = self.create_publisher(CameraInfo, "/camera/camera_info", 20)
        self._static = self.create_publisher(TFMessage, "/tf_static", TF_STATIC)
        for name in nodes:
            kind, topic = ANSWERS[name]
            self.create_subscription(kind, topic, self._keeper(name, kind), 10, raw=True)
            took = f"/{name}/debug/processing_time_ms"
            self.create_subscription(
                Float64, took, lambda msg, name=name: self.work_ms[name].append(msg.data), 10
            )
        for kind, topic in _ALSO_HEARD:
            self.create_subscription(kind, topic, lambda _: None, 2, raw=True)
        self._send_mounting()

    def listened_to(self) -> bool:
        """Tell whether all nodes are there, and hear the camera."""
        heard = (self._image.get_subscription_count(), self._info.get_subscription_count())
        return self.alive() and min(heard) >= self._processes

    def send(self, image: NDArray[np.uint8]) -> int:
        """Publish an image (H, W, 3), RGB, or (H, W), grey, taken now; return its stamp."""
        stamp = time.time_ns()
        header = Header(frame_id="camera_optical")
        header.stamp.sec, header.stamp.nanosec = divmod(stamp, 1_000_000_000)
        self._info.publish(CameraInfo(header=header, **camera_info_fields(self._camera)))
        encoding = "rgb8" if image.ndim == 3 else "mono8"
        self._image.publish(Image(header=header, **image_fields(image, encoding)))
        self.sent.append(stamp)
        return stamp

    def count(self, node: str, fate: str) -> int:
        """Return how many frames a node has last said to be ``in``, ``out``, ``dropped``, ..."""
        return int(self.values[node][f"frames {fate}"])

    def _keeper(self, name: str, kind: type) -> Callable[[bytes], None]:
        """Return what keeps the ages of a node's answers."""

        def keep(raw: bytes) -> None:
            now = time.time_ns()
            message: Any = deserialize_message(raw, kind)
            stamp = stamp_ns(message.header)
            self.ages_ms[name].setdefault(stamp, []).append((now - stamp) * 1e-6)

        return keep

    def _send_mounting(self) -> None:
        """Publish where the camera sits: 1.5 m above the base, looking ahead."""
        T_base_cam = np.eye(4)
        T_base_cam[:3, :3], T_base_cam[2, 3] = R_BODY_OPTICAL, 1.5
        item = TransformStamped(child_frame_id="camera_optical")
        item.header.frame_id = "base_link"
        write_transform(T_base_cam, item.transform.translation, item.transform.rotation)
        self._static.publish(TFMessage(transforms=[item]))


@contextmanager
def streaming(
    camera: Camera, *params: str, nodes: Sequence[str] = NODES, together: bool = False
) -> Iterator[tuple[Stream, Processes]]:
    """Run nodes, and give a camera they hear, while the block runs.

    Args:
        camera: of the images.
        params: ``NAME:=VALUE`` of the nodes' parameters; each takes those that it has.
        nodes: which.
        together: in one process, ``vision_node``, which has all nodes.

    Raises:
        ProcessError: a node failed, or did not come up.
    """
    settings = [word for value in params for word in ("-p", value)]
    names = ["vision"] if together else nodes
    with (
        free_domain() as domain,
        closing(Stream(domain, camera, nodes, len(names))) as stream,
        tempfile.TemporaryDirectory() as logs,
        processes(Path(logs), environment(domain)) as group,
    ):
        for name in names:
            module = f"sdepth_ros.{name}_node"
            group.start(name, module, "--ros-args", *CAMERA_ARGS, *settings)
        stream.wait_until(stream.listened_to, _PATIENCE_S, group, "all nodes listening")
        stream.spin_to(time.monotonic() + _FOLLOWING_S)
        yield stream, group
