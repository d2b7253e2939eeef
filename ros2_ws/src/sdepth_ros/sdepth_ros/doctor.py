"""Look at this installation and, with --graph, at the running ROS graph; say what to do.

sdepth-doctor
sdepth-doctor --graph      # while the camera and the nodes run
sdepth-doctor --weights day.onnx night.safetensors
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy

from sdepth.cli import make_parser, positive
from sdepth.doctor import Finding, machine, models, report
from sdepth_ros.depth_publishers import COLOR, CONFIDENCE, DEPTH, PACKED
from sdepth_ros.middleware import PROFILES_VARIABLE, TRANSPORTS_VARIABLE, profile_file
from sdepth_ros.notices import LEVELS
from sdepth_ros.qos import STATE
from sdepth_ros.tool import run_tool

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
OUTPUTS = (DEPTH, PACKED, COLOR, CONFIDENCE)
"""Images that are ours also where a bag plays them."""
FAULTS = 2
"""Exit code where something needs to be done."""
_LATE_S = 10.0
"""How much longer to listen where a graph is half found yet, as on a busy machine."""


def middleware() -> Iterator[Finding]:
    """Yield which ROS this is and how it moves large images."""
    try:
        client = version("rclpy")
    except PackageNotFoundError:
        client = "of the ROS distribution"
    yield Finding("ros", f"{os.environ.get('ROS_DISTRO', 'no distribution')}, rclpy {client}")
    name = rclpy.get_rmw_implementation_identifier()
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    yield Finding("middleware", f"{name}, domain {domain}")
    large = [v for v in (PROFILES_VARIABLE, TRANSPORTS_VARIABLE) if os.environ.get(v)]
    if "fastrtps" not in name or large:
        yield Finding("large images", f"by {', '.join(large) or name}")
        return
    yield Finding(
        "large images",
        "Fast DDS at its defaults delays images beyond 0.5 MB, and loses best-effort ones",
        f"export {PROFILES_VARIABLE}={profile_file()} for every process, the camera's, too",
    )


def graph(node: Node, seconds: float) -> Iterator[Finding]:
    """Yield what the running nodes say of themselves, and which images there are.

    Args:
        node: to listen with; nobody else spins it.
        seconds: to listen; nodes report once a second. Longer where somebody publishes
            diagnostics and none of ours came, or nodes of ours are there and no camera.
    """
    said: dict[str, DiagnosticStatus] = {}

    def listen(msg: DiagnosticArray) -> None:
        said.update({s.name: s for s in msg.status if s.hardware_id == "sdepth"})

    node.create_subscription(DiagnosticArray, "/diagnostics", listen, STATE)
    images: list[tuple[str, str, int]] = []
    begun = time.monotonic()
    while (past := time.monotonic() - begun) < seconds + _LATE_S:
        lacks = not images if said else node.count_publishers("/diagnostics") > 0
        if past > seconds and not lacks:
            break
        rclpy.spin_once(node, timeout_sec=0.1)
        images = [*_images(node, {name.partition(":")[0] for name in said})]
    for topic, reliability, listeners in images:
        yield Finding(topic, f"image, {reliability}, {listeners} listeners")
    for name, status in sorted(said.items()):
        yield from _of_node(name, status)
    if not said:
        topic = images[0][0] if images else "/camera/image_raw"
        yield Finding(
            "sdepth nodes",
            f"none was heard on /diagnostics in {seconds:g} s",
            f"ros2 launch sdepth_ros sdepth.launch.py image_topic:={topic}",
        )
    if not images:
        yield Finding(
            "camera",
            "nobody publishes an image",
            "start the camera's driver or play a bag; ROS_DOMAIN_ID must be the same everywhere",
        )


def _of_node(name: str, status: DiagnosticStatus) -> Iterator[Finding]:
    """Yield what a node says of itself."""
    fine = status.level == DiagnosticStatus.OK
    values = {v.key: v.value for v in status.values}
    counts = ", ".join(f"{key} {values[key]}" for key in values if key.startswith("frames"))
    level = "" if fine else f"{LEVELS[ord(status.level)]}: "
    yield Finding(name, level + (counts or status.message), "" if fine else status.message)
    ending = " p50 ms"
    if times := [f"{k.removesuffix(ending)} {values[k]}" for k in values if k.endswith(ending)]:
        yield Finding("", f"ms, median: {', '.join(times)}")
    for key in values:
        if key.endswith(" network"):
            yield Finding("", f"{key}: {values[key]}")
    error = values.get("last error", "")
    if error and error not in status.message:
        yield Finding("", f"last bad frame: {error}")


def _images(node: Node, ours: set[str]) -> Iterator[tuple[str, str, int]]:
    """Yield topic, reliability and number of listeners of every image that is not ours.

    Args:
        node: to look with.
        ours: full names of our nodes, without the first slash.
    """
    for topic, types in sorted(node.get_topic_names_and_types()):
        offers: list[Any] = [
            offer
            for offer in node.get_publishers_info_by_topic(topic)
            if f"{offer.node_namespace}/{offer.node_name}".strip("/") not in ours
        ]
        if set(types) & {*IMAGES} and offers and not topic.endswith(OUTPUTS):
            best = all(o.qos_profile.reliability == ReliabilityPolicy.RELIABLE for o in offers)
            yield topic, "reliable" if best else "best effort", node.count_subscribers(topic)


def main(args: list[str] | None = None) -> int:
    """Run the command; return 0 where all is well."""
    wrong = 0

    def work(own: list[str]) -> None:
        nonlocal wrong
        parser = make_parser("sdepth-doctor", __doc__)
        parser.add_argument("--graph", action="store_true", help="look at the running nodes, too")
        parser.add_argument("--seconds", type=positive, default=3.0, help="to listen (3)")
        parser.add_argument("--weights", type=Path, nargs="+", help="instead of those that ship")
        options = parser.parse_args(own)
        given = {path.stem: path for path in options.weights or []}
        wrong = report(chain(machine(), models(given), middleware()))
        if options.graph:
            node = Node("sdepth_doctor")
            wrong += report(graph(node, options.seconds))
            node.destroy_node()
        print("all is well" if not wrong else f"{wrong} to be looked at, marked !")

    return run_tool("sdepth-doctor", work, args) or (FAULTS if wrong else 0)


if __name__ == "__main__":
    sys.exit(main())
