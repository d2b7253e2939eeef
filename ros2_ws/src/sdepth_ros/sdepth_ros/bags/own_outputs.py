"""Which topics and transforms of a bag our own nodes published: replay leaves them out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message, serialize_message
from tf2_msgs.msg import TFMessage

from sdepth_ros.conversions import plain
from sdepth_ros.depth_publishers import COLOR, CONFIDENCE, DEPTH, FUSED, OF_DEPTH

_TIMES = tuple(
    f"{node}/debug/{what}"
    for node in ("depth", "odometry")
    for what in ("processing_time_ms", "pipeline_latency_ms")
)
OUTPUTS = (
    *(*OF_DEPTH, CONFIDENCE, "odom", "path", *_TIMES),
    *(FUSED + topic for topic in OF_DEPTH),
    *("depth/mode", "depth/scale", "mode", "scale"),  # the last two: until version 0.1
)
_ONLY_OURS = (FUSED + COLOR, COLOR, "depth/mode", *_TIMES)
"""Where one of these is, no other camera's depth has the names of ours; the first that fits."""
ODOM, TF = "odom", "/tf"
Link = tuple[str, str]


def own_topics(topics: Iterable[str]) -> set[str]:
    """Return those of a bag's topics that our nodes published, in whatever namespace.

    ``depth/image_rect`` at the root is ours; in a namespace a depth camera may have one, so there
    something must stand beside it that is ours alone.
    """
    topics = set(topics)
    marks = {t: next((m for m in _ONLY_OURS if t.endswith(f"/{m}")), "") for t in topics}
    spaces = {topic.removesuffix(mark) for topic, mark in marks.items() if mark}
    if f"/{DEPTH}" in topics:
        spaces.add("/")
    return {f"{space}{name}" for space in spaces for name in OUTPUTS} & topics


def link_of(odom: bytes) -> Link:
    """Return (frame_id, child_frame_id) of a serialised Odometry."""
    msg = deserialize_message(odom, Odometry)
    return plain(msg.header.frame_id), plain(msg.child_frame_id)


def without_links(tf: bytes, links: set[Link]) -> bytes | None:
    """Return a serialised TFMessage without these transforms; None if it is empty then."""
    if not any(child.encode() + b"\0" in tf for _, child in links):
        return tf
    msg: Any = deserialize_message(tf, TFMessage)
    left = [item for item in msg.transforms if _link(item) not in links]
    if len(left) == len(msg.transforms):
        return tf
    return serialize_message(TFMessage(transforms=left)) if left else None


def _link(item: TransformStamped) -> Link:
    """Return parent and child of a transform."""
    return plain(item.header.frame_id), plain(item.child_frame_id)
