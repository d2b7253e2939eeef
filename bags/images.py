"""The topic of images in a bag: which it is, the times of its messages, and what goes with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bags.poses import PoseLog
from bags.read import read_messages
from bags.video import VIDEO_TYPES, codec_of
from sdepth.errors import DataError
from sdepth.stamp_order import fault
from sdepth_ros.bags.reader import warn_once
from sdepth_ros.conversions import stamp_ns

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", *VIDEO_TYPES)
STAMPS = ("auto", "header", "bag")
_POSES = ("nav_msgs/msg/Odometry", "tf2_msgs/msg/TFMessage")
_TRANSPORTS = ("compressed", "ffmpeg", "theora", "foxglove", "h264", "h265", "video")
"""Last parts of topics that hold the images of the topic before, otherwise encoded."""
_DEPTH = "/compressedDepth"


@dataclass
class Images:
    """What a bag says of one topic of images.

    Attributes:
        topic: of them.
        stamps: of their headers, nanoseconds, in the order they came.
        received: when the bag received them.
        codec: of video; "" where each message is an image.
        frame_id: of their headers.
        camera_info: the first message of that which is calibrated, if any.
        moving: topic, time of reception and message of odometry and transforms.
    """

    topic: str
    stamps: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    codec: str = ""
    frame_id: str = ""
    camera_info: Any = None
    moving: list[tuple[str, int, Any]] = field(default_factory=list)

    def times(self, bag: Path, kind: str, skip_broken: bool) -> dict[int, int]:
        """Return the time of each message by its number, in order.

        Args:
            bag: to name.
            kind: one of ``STAMPS``.
            skip_broken: leave out what does not come after those before.

        Raises:
            DataError: a time does not come after the one before.
        """
        times: dict[int, int] = {}
        before, count = 0, len(self.stamps)
        of_bag = self.by_reception(kind)
        if of_bag and kind == "auto":
            warn_once(
                f"{bag}: {self.topic}: all {count} stamps are {self.stamps[0]} ns, which the "
                "driver did not set; taking the times when the bag received the images"
            )
        for number, time in enumerate(self.received if of_bag else self.stamps):
            said = fault(time, before if times else -1)
            if said and not skip_broken:
                other = "header" if of_bag else "bag"
                raise DataError(
                    f"{bag}: {self.topic}, message {number + 1} of {count}: {said}; leave such "
                    f"images out with --skip-broken, or take other times with --stamps {other}"
                )
            if not said:
                times[number] = before = time
        if left_out := count - len(times):
            warn_once(
                f"{bag}: {self.topic}: {left_out} of {count} images left out, whose stamps do "
                "not come after those before"
            )
        return times

    def take_camera_info(self, msg: Any, where: str) -> None:
        """Keep the first camera_info that is calibrated; warn where a later one says otherwise."""
        if self.camera_info is None or not any(self.camera_info.k):
            self.camera_info = msg
        elif any(msg.k) and _calibration(msg) != _calibration(self.camera_info):
            warn_once(
                f"{where}: the calibration changes, for example at {stamp_ns(msg.header)} ns; the "
                "first one is taken for all images. Cut the bag there, or give --calib"
            )

    def by_reception(self, kind: str) -> bool:
        """Tell whether times are those of reception: as asked, or since no stamp is set."""
        unset = len(self.stamps) > 1 and len(set(self.stamps)) == 1
        return kind == "bag" or (kind == "auto" and unset)

    def poses(self, kind: str) -> PoseLog:
        """Return the bag's poses, by the same times as the images."""
        log = PoseLog()
        for topic, time, msg in self.moving:
            log.add(topic, msg, time if self.by_reception(kind) else None)
        return log


def read_images(bag: Path, topic: str, info: str, types: Mapping[str, str]) -> Images:
    """Return what a bag says of its topic of images.

    Args:
        bag: where it is.
        topic: of the images.
        info: topic of their camera_info.
        types: of the bag's topics.

    Raises:
        DataError: the bag is damaged, or the topic is of video that cannot be decoded.
    """
    found = Images(topic)
    moving = [name for name, kind in types.items() if kind in _POSES]
    for name, time, msg in read_messages(bag, topic, info, *moving):
        if name == topic:
            if not found.stamps:
                found.codec = codec_of(msg, f"{bag}: {topic}")
                found.frame_id = getattr(msg, "header", msg).frame_id
            found.stamps.append(_stamp(msg))
            found.received.append(time)
        elif name == info:
            found.take_camera_info(msg, f"{bag}: {info}")
        else:
            found.moving.append((name, time, msg))
    return found


def find_topic(bag: Path, wanted: str, types: Mapping[str, str]) -> str:
    """Return the topic of images: the one wanted, or the only one.

    Raises:
        DataError: it is not there, or there are several to choose from.
    """
    topics = {name: kind for name, kind in types.items() if kind in IMAGE_TYPES}
    topics = {t: k for t, k in topics.items() if t == wanted or not t.endswith(_DEPTH)}
    shown = {name: f"{name} (video)" if kind in VIDEO_TYPES else name
             for name, kind in topics.items()}  # fmt: skip
    if wanted:
        if wanted not in topics:
            got = ", ".join(sorted(shown.get(name, name) for name in types))
            raise DataError(f"{bag}: no images on {wanted}; got {got}")
        return wanted
    if len(topics) != 1:
        got = ", ".join(sorted(shown.values())) or "none"
        raise DataError(f"{bag}: topics of images: {got}; choose one with --image TOPIC")
    return next(iter(topics))


def base_topic(topic: str) -> str:
    """Return the topic of the images that a topic holds encoded; itself where it does not."""
    base, _, last = topic.rpartition("/")
    return base if last in _TRANSPORTS and base else topic


def info_topic(topic: str, topics: Collection[str]) -> str:
    """Return the camera_info that goes with a topic of images."""
    likely = [f"{name.rpartition('/')[0]}/camera_info" for name in (base_topic(topic), topic)]
    return next((name for name in likely if name in topics), likely[0])


def _calibration(info: Any) -> tuple[Any, ...]:
    """Return what a camera_info says of the camera."""
    roi = info.roi
    window = roi.x_offset, roi.y_offset, roi.width, roi.height, info.binning_x, info.binning_y
    return (info.width, info.height, *info.k, *info.d, *info.r, *info.p, *window)


def _stamp(msg: Any) -> int:
    """Return the stamp of an image or a piece of video, nanoseconds."""
    if hasattr(msg, "header"):
        return stamp_ns(msg.header)
    return int(msg.timestamp.sec) * 10**9 + int(msg.timestamp.nanosec)
