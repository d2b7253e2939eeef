"""The depth node's publishers: each message is made only where somebody subscribes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Header

from sdepth.pipeline import DepthResult
from sdepth_ros.camera_input import too_soon
from sdepth_ros.compressed import compress_depth
from sdepth_ros.conversions import CLOUD_FIELDS, camera_info_fields, image_fields
from sdepth_ros.depth_outputs import color_fields, depth_fields, points_fields, shown_depth
from sdepth_ros.frame_node import FrameNode
from sdepth_ros.managed_node import ACTIVE
from sdepth_ros.node_params import CloudParams, DepthParams
from sdepth_ros.qos import LARGE
from sdepth_ros.worker import Rendezvous

DEPTH, INFO, CONFIDENCE, COLOR, POINTS = (
    "depth/image_rect",
    "depth/camera_info",
    "depth/confidence",
    "depth/color",
    "points",
)
PACKED = f"{DEPTH}/compressedDepth"


class DepthPublishers:
    """Publishers by topic."""

    def __init__(self, node: FrameNode[Any]) -> None:
        """Advertise the topics of a node, which ends them."""
        depth = node.resolve_topic_name(DEPTH)  # image_transport's plugins go where it goes
        self._node, self._stats = node, node.stats
        self._cloud_ns = 0
        self._publishers = {
            DEPTH: node.advertise(Image, DEPTH),
            PACKED: node.advertise(CompressedImage, f"{depth}/compressedDepth"),
            INFO: node.advertise(CameraInfo, INFO),
            CONFIDENCE: node.advertise(Image, CONFIDENCE),
            COLOR: node.advertise(Image, COLOR),
            POINTS: node.advertise(PointCloud2, POINTS, LARGE),
        }

    def heard(self, stamp: int, cloud: CloudParams) -> set[str]:
        """Return the topics that somebody listens to; ``points`` where it is time for them.

        Args:
            stamp: of the image, ns.
            cloud: whether there are points, and how often.
        """
        heard = {t for t, p in self._publishers.items() if p.get_subscription_count() > 0}
        if not cloud.enable or too_soon(stamp, self._cloud_ns, cloud.max_rate_hz):
            heard.discard(POINTS)
        elif POINTS in heard:
            self._cloud_ns = stamp
        return heard

    def publish(
        self,
        heard: set[str],
        result: DepthResult,
        header: Header,
        params: DepthParams,
        pose: Rendezvous | None = None,
    ) -> None:
        """Publish what is seen in an image.

        Args:
            heard: topics to publish.
            result: of the image; with confidence where that is heard.
            header: of the image.
            params: of the node.
            pose: lets the points leave: beside the transform of their stamp, without which a
                viewer cannot place them.
        """
        depth, camera, limits = result.depth.depth, result.depth.camera, params.depth
        makers: dict[str, tuple[str, Callable[[], Any]]] = {
            DEPTH: ("publish", lambda: Image(**depth_fields(depth, limits))),  # odometry waits
            INFO: ("publish", lambda: CameraInfo(**camera_info_fields(camera))),
            CONFIDENCE: (
                "publish",
                lambda: Image(**image_fields(np.asarray(result.confidence), "32FC1")),
            ),
            PACKED: (
                "compress",
                lambda: CompressedImage(**compress_depth(shown_depth(depth, limits))),
            ),
            COLOR: ("color", lambda: Image(**color_fields(result.predicted, limits))),
            POINTS: ("cloud", lambda: _points(result, params.cloud)),
        }
        for topic, (name, make) in makers.items():
            if topic in heard:
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


def _points(result: DepthResult, limits: CloudParams) -> PointCloud2:
    """Return the points."""
    fields = [PointField(**field) for field in CLOUD_FIELDS]
    return PointCloud2(fields=fields, **points_fields(result.depth, result.image, limits))
