"""What the depth node publishes of an image, each under its stamp and only where heard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Header

from sdepth.depth.estimator import DepthMap
from sdepth.pipeline import Seen
from sdepth_ros.compressed import compress_depth
from sdepth_ros.conversions import CLOUD_FIELDS, camera_info_fields, image_fields
from sdepth_ros.depth_outputs import color_fields, depth_fields, points_fields
from sdepth_ros.frame_node import FrameNode
from sdepth_ros.node_params import CloudParams, DepthParams
from sdepth_ros.qos import LARGE

DEPTH, INFO, CONFIDENCE, COLOR, POINTS = (
    "depth/image_rect",
    "depth/camera_info",
    "depth/confidence",
    "depth/color",
    "points",
)
PACKED = f"{DEPTH}/compressedDepth"
_JITTER = 0.1  # share of a period by which an image may come early


class DepthPublishers:
    """Publishers by topic."""

    def __init__(self, node: FrameNode[Any]) -> None:
        """Advertise the topics of a node, which ends them."""
        depth = node.resolve_topic_name(DEPTH)  # image_transport's plugins go where it goes
        self._stats = node.stats
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
        seen: Seen,
        clean: NDArray[np.float32],
        image: NDArray[np.uint8],
        header: Header,
        params: DepthParams,
    ) -> None:
        """Publish what is seen in an image.

        Args:
            heard: topics to publish.
            seen: depth and its camera, and confidence where that is heard.
            clean: that depth (h, w), metres, without what is out of range.
            image: RGB (H, W, 3) that it was seen in.
            header: of the image.
            params: of the node.
        """
        depth, limits, part = seen.depth, params.depth, self._stats.part
        makers: dict[str, tuple[str, Callable[[], Any]]] = {
            INFO: ("publish", lambda: CameraInfo(**camera_info_fields(depth.camera))),
            CONFIDENCE: (
                "publish",
                lambda: Image(**image_fields(np.asarray(seen.confidence), "32FC1")),
            ),
            DEPTH: ("publish", lambda: Image(**depth_fields(clean, limits))),
            PACKED: ("compress", lambda: CompressedImage(**compress_depth(clean))),
            COLOR: ("color", lambda: Image(**color_fields(depth.depth, limits))),
            POINTS: ("cloud", lambda: _points(DepthMap(clean, depth.camera), image, params.cloud)),
        }
        for topic, (name, make) in makers.items():
            if topic in heard:
                with part(name):
                    message = make()
                with part("publish"):
                    message.header = header
                    self._publishers[topic].publish(message)


def too_soon(stamp: int, last: int, rate_hz: float) -> bool:
    """Tell whether a stamp follows the last one, ns, sooner than a rate allows; 0: any rate."""
    return rate_hz > 0 and 0 <= stamp - last < (1 - _JITTER) * 1e9 / rate_hz


def _points(clean: DepthMap, image: NDArray[np.uint8], limits: CloudParams) -> PointCloud2:
    """Return the points."""
    fields = [PointField(**field) for field in CLOUD_FIELDS]
    return PointCloud2(fields=fields, **points_fields(clean, image, limits))
