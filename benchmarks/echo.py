"""The two processes that ``benchmarks.transport`` starts: one sends images, one answers them."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image, PointCloud2, PointField
from tqdm import tqdm

from sdepth.cli import image_size, make_parser, run, zero_or_more
from sdepth.depth.cloud import xyzrgb_cloud
from sdepth.errors import SdepthError
from sdepth.geometry.camera import Camera
from sdepth_ros.conversions import CLOUD_FIELDS, cloud_fields, image_fields, stamp_ns
from sdepth_ros.node_params import DepthParams
from sdepth_ros.qos import LARGE, OUTPUT

DEPTH_SIZE = (192, 640)
"""(height, width) of the answers."""
_IMAGE, _DEPTH, _POINTS = "camera/image_raw", "depth/image_rect", "points"
ANSWERS = {_DEPTH: Image, _POINTS: PointCloud2}
_LOST_S, _PATIENCE_S, _WARM_UP = 1.0, 30.0, 5


def echo() -> None:
    """Answer images until interrupted."""
    node = Node("echo")
    height, width = DEPTH_SIZE
    depth = np.full(DEPTH_SIZE, 5.0, np.float32)
    camera = Camera(width, width, (width - 1) / 2, (height - 1) / 2, width, height)
    rgb = np.zeros((*DEPTH_SIZE, 3), np.uint8)
    cloud = xyzrgb_cloud(depth, rgb, camera, DepthParams().cloud.stride)
    fields = [PointField(**item) for item in CLOUD_FIELDS]
    answers = (
        (node.create_publisher(Image, _DEPTH, OUTPUT), Image(**image_fields(depth, "32FC1"))),
        (
            node.create_publisher(PointCloud2, _POINTS, LARGE),
            PointCloud2(fields=fields, **cloud_fields(cloud)),
        ),
    )

    def answer(image: Image) -> None:
        for publisher, message in answers:
            message.header = image.header
            publisher.publish(message)

    node.create_subscription(Image, _IMAGE, answer, 5)
    rclpy.spin(node)


class Sender(Node):
    """Sends images, and keeps when each was answered."""

    def __init__(self) -> None:
        """Join."""
        super().__init__("sender")
        self._image = self.create_publisher(Image, _IMAGE, 5)
        self._sent_ns = 0
        self._ages_ms: dict[str, float] = {}
        for topic, kind in ANSWERS.items():
            self.create_subscription(
                kind, topic, lambda raw, k=kind, t=topic: self._keep(t, k, raw), 5, raw=True
            )

    def wait_for_echo(self) -> None:
        """Return when it hears and is heard.

        Raises:
            SdepthError: it never came.
        """
        end_s = time.monotonic() + _PATIENCE_S
        while not self._image.get_subscription_count() or not all(
            map(self.count_publishers, ANSWERS)
        ):
            rclpy.spin_once(self, timeout_sec=0.1)
            if time.monotonic() > end_s:
                raise SdepthError(f"the echo did not come within {_PATIENCE_S:g} s")

    def send(self, message: Image) -> dict[str, float]:
        """Send an image; return by topic what its answers took, milliseconds, but of lost ones."""
        self._ages_ms = {}
        self._sent_ns = time.time_ns()
        stamp = message.header.stamp
        stamp.sec, stamp.nanosec = divmod(self._sent_ns, 1_000_000_000)
        self._image.publish(message)
        end_s = time.monotonic() + _LOST_S
        while time.monotonic() < end_s and len(self._ages_ms) < len(ANSWERS):
            rclpy.spin_once(self, timeout_sec=0.05)
        return self._ages_ms

    def _keep(self, topic: str, kind: type, raw: bytes) -> None:
        """Keep how long after the image its answer came."""
        age_ms = (time.time_ns() - self._sent_ns) * 1e-6
        message: Any = deserialize_message(raw, kind)
        if stamp_ns(message.header) == self._sent_ns:
            self._ages_ms[topic] = age_ms


def send(sizes: list[str], frames: int) -> dict[str, dict[str, float]]:
    """Return by size what was found: median and p95 of both answers, milliseconds, and losses."""
    sender = Sender()
    sender.wait_for_echo()
    found = {}
    for size in sizes:
        height, width = image_size(size)
        pixels = np.zeros((height, width, 3), np.uint8)
        message = Image(**image_fields(pixels, "rgb8"))
        turns = tqdm(range(frames + _WARM_UP), desc=size, unit="image", leave=False)
        ages = [sender.send(message) for _ in turns][_WARM_UP:]
        found[size] = row = dict[str, float]()
        for topic in ANSWERS:
            times = [age[topic] for age in ages if topic in age]
            name = topic.split("/")[0]
            row[f"{name}_p50"], row[f"{name}_p95"] = np.percentile(times or [np.nan], (50, 95))
            row[f"{name}_lost"] = frames - len(times)
    return found


def main(args: list[str] | None = None) -> int:
    """Play a part; return the exit code. The sender prints what it found as JSON."""
    parser = make_parser("python -m benchmarks.echo", __doc__)
    parser.add_argument("role", choices=("echo", "send"))
    parser.add_argument("--sizes", nargs="+", default=[], metavar="WxH")
    parser.add_argument("--frames", type=zero_or_more, default=0)
    options = parser.parse_args(args)

    def work() -> None:
        rclpy.init()
        if options.role == "echo":
            echo()
        else:
            print(json.dumps(send(options.sizes, options.frames)))

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
