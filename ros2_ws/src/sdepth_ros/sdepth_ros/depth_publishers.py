"""Publishers of depth, of both nodes: each message is made only where somebody subscribes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Header

from sdepth.depth.estimator import DepthMap
from sdepth_ros.camera_input import too_soon
from sdepth_ros.compressed import compress_depth
from sdepth_ros.conversions import CLOUD_FIELDS, camera_info_fields, image_fields
from sdepth_ros.depth_outputs import color_fields, depth_fields, points_fields, shown_depth
from sdepth_ros.frame_node import FrameNode
from sdepth_ros.managed_node import ACTIVE
from sdepth_ros.node_params import CloudParams, DepthOutputParams
from sdepth_ros.qos import LARGE, OUTPUT
from sdepth_ros.worker import Rendezvous

DEPTH, INFO, CONFIDENCE, COLOR, POINTS = (
    "depth/image_rect",
    "depth/camera_info",
    "depth/confidence",
    "depth/color",
    "points",
)
PACKED = f"{DEPTH}/compressedDepth"
FUSED = "fused/"
"""Stands before the topics of depth that the odometry node publishes."""
OF_DEPTH = (DEPTH, PACKED, INFO, COLOR, POINTS)
"""What is made of any depth."""
_KINDS = {
    DEPTH: (Image, OUTPUT),
    PACKED: (CompressedImage, OUTPUT),
    INFO: (CameraInfo, OUTPUT),
    CONFIDENCE: (Image, OUTPUT),
    COLOR: (Image, OUTPUT),
    POINTS: (PointCloud2, LARGE),
}


@dataclass(frozen=True)
class Shown:
    """What there is to publish of an image.

    Attributes:
        image: RGB (H, W, 3), lens distortion gone.
        depth: (h, w) and its camera, metres; finite where it is valid, and only there.
        colored: (h, w), the depth that the picture is of.
        confidence: (h, w), 0..1, where it was asked for.
    """

    image: NDArray[np.uint8]
    depth: DepthMap
    colored: NDArray[np.float32]
    confidence: NDArray[np.float32] | None = None


class DepthPublishers:
    """Publishers by topic."""

    def __init__(
        self, node: FrameNode[Any], topics: Iterable[str] = _KINDS, prefix: str = ""
    ) -> None:
        """Advertise topics of a node, which ends them; ``prefix`` stands before their names."""
        # image_transport's plugins go where the depth goes.
        depth = node.resolve_topic_name(prefix + DEPTH)
        names = {topic: prefix + topic for topic in topics} | {PACKED: f"{depth}/compressedDepth"}
        self._node, self._stats = node, node.stats
        self._cloud_ns = 0
        self._publishers = {
            topic: node.advertise(_KINDS[topic][0], names[topic], _KINDS[topic][1])
            for topic in topics
        }

    def heard(self, cloud: CloudParams) -> set[str]:
        """Return the topics that somebody listens to; ``points`` where there are to be any."""
        heard = {t for t, p in self._publishers.items() if p.get_subscription_count() > 0}
        return heard if cloud.enable else heard - {POINTS}

    def due(self, heard: set[str], stamp: int, cloud: CloudParams) -> set[str]:
        """Return what to publish of an image: ``heard``, ``points`` where it is time for them.

        Args:
            heard: topics that somebody listens to.
            stamp: of the image, ns.
            cloud: how often there are points.
        """
        if POINTS not in heard:
            return heard
        if too_soon(stamp, self._cloud_ns, cloud.max_rate_hz):
            return heard - {POINTS}
        self._cloud_ns = stamp
        return heard

    def publish(
        self,
        due: set[str],
        shown: Shown,
        header: Header,
        limits: DepthOutputParams,
        cloud: CloudParams,
        pose: Rendezvous | None = None,
    ) -> None:
        """Publish what is seen in an image.

        Args:
            due: topics to publish.
            shown: of the image; with confidence where that is due.
            header: of the image.
            limits: what depth looks like.
            cloud: what the points look like.
            pose: lets the points leave: beside the transform of their stamp, without which a
                viewer cannot place them.
        """
        depth, camera = shown.depth.depth, shown.depth.camera
        makers: dict[str, tuple[str, Callable[[], Any]]] = {
            DEPTH: ("publish", lambda: Image(**depth_fields(depth, limits))),  # odometry waits
            INFO: ("publish", lambda: CameraInfo(**camera_info_fields(camera))),
            CONFIDENCE: (
                "publish",
                lambda: Image(**image_fields(np.asarray(shown.confidence), "32FC1")),
            ),
            PACKED: (
                "compress",
                lambda: CompressedImage(**compress_depth(shown_depth(depth, limits))),
            ),
            COLOR: ("color", lambda: Image(**color_fields(shown.colored, limits))),
            POINTS: ("cloud", lambda: _points(shown, cloud)),
        }
        for topic, (name, make) in makers.items():
            if topic in due:
                with self._stats.part(name):
                    message = make()
                with self._stats.part("publish"):
                    message.header = header
                    if topic == POINTS and pose is not None:
                        pose.offer(partial(self._publish_late, topic, message))
                    else:
                        self._publishers[topic].publish(message)

    def _publish_late(self, topic: str, message: Any) -> None:
        """Publish from another thread, unless the node was deactivated meanwhile."""
        if self._node.state == ACTIVE:
            self._publishers[topic].publish(message)


def _points(shown: Shown, limits: CloudParams) -> PointCloud2:
    """Return the points."""
    fields = [PointField(**field) for field in CLOUD_FIELDS]
    return PointCloud2(fields=fields, **points_fields(shown.depth, shown.image, limits))
