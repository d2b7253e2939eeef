"""Play a bag (rosbag2 or ROS 1) into real topics, with rclpy and rosbags alone."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rosbags.interfaces import Connection
from rosgraph_msgs.msg import Clock
from tqdm import tqdm

from sdepth.cli import make_parser
from sdepth.errors import ConfigError, DataError
from sdepth_ros.bag_qos import play_qos
from sdepth_ros.bag_reader import open_bag
from sdepth_ros.tool import run_tool

_EXAMPLES = """examples:
  replay bags/drive                            in real time, once somebody listens to an image
  replay bags/drive --rate 0.5 --loop          at half speed, again and again
  replay bags/drive --clock                    with /clock, for nodes with use_sim_time
  replay bags/drive --wait-for /odom /points   start when these have publisher and subscriber
  replay bags/drive --ros-args -r /camera/image_raw:=/front/image_raw
"""


class BagPlayer(Node):
    """Publishes a bag's serialised messages at the pace they were recorded."""

    def __init__(self, path: Path, topics: Sequence[str] = (), clock_hz: float = 0.0) -> None:
        """Open the bag and create its publishers.

        Args:
            path: of the bag, in any form that ``open_bag`` knows.
            topics: which to play; all when empty.
            clock_hz: how often to publish ``/clock``; 0 for not at all.

        Raises:
            DataError: not a bag, damaged, or without messages that can be played.
        """
        super().__init__("replay")
        self._reader = open_bag(path)
        chosen = [c for c in self._reader.connections if not topics or c.topic in topics]
        types = {c.msgtype: kind for c in chosen if (kind := self._installed(c)) is not None}
        self._connections = [c for c in chosen if c.msgtype in types]
        if not self._connections or not sum(c.msgcount for c in self._connections):
            names = ", ".join(sorted({c.topic for c in self._reader.connections})) or "none"
            raise DataError(f"{path}: no messages on the topics to play; topics in it: {names}")
        self._outputs: dict[str, Publisher] = {}
        for c in self._connections:
            qos = play_qos(c.topic, getattr(c.ext, "offered_qos_profiles", ()))
            self._outputs[c.topic] = self.create_publisher(types[c.msgtype], c.topic, qos)
        self._tick_s = 1 / clock_hz if clock_hz > 0 else 0.0
        self._ticker = self.create_publisher(Clock, "/clock", 10) if clock_hz > 0 else None
        self._next_tick_s = 0.0

    def _installed(self, connection: Connection) -> type | None:
        """Return the class of a topic's messages, None with a warning where there is none."""
        try:
            return message_type(connection.msgtype)
        except DataError as err:
            self.get_logger().warning(f"{connection.topic} is not played: {err}")
            return None

    def wait_for(self, topics: Sequence[str], timeout_s: float) -> None:
        """Return when each topic has both ends, or, with no topics, when any image is heard.

        Raises:
            DataError: nobody came in time.
        """
        deadline = time.monotonic() + timeout_s
        while missing := self._without_both_ends(topics):
            if time.monotonic() > deadline:
                raise DataError(
                    f"after {timeout_s:g} s: {'; '.join(missing)}; start the nodes first, check "
                    "remappings and ROS_DOMAIN_ID, or play to nobody with --no-wait"
                )
            _sleep_until(time.monotonic() + 0.05)

    def play(self, rate: float) -> int:
        """Publish every message once, ``rate`` times as fast as recorded; return their number."""
        started_s, first_ns, count = time.monotonic(), self._reader.start_time, 0
        total = sum(c.msgcount for c in self._connections)
        self._next_tick_s = 0.0
        # Without a terminal tqdm keeps silent.
        played = tqdm(
            self._reader.messages(self._connections), total=total, unit="msg", disable=None
        )
        for connection, stamp_ns, data in played:
            self._wait_until(started_s, first_ns, stamp_ns, rate)
            self._outputs[connection.topic].publish(bytes(data))
            count += 1
        for publisher in self._outputs.values():
            publisher.wait_for_all_acked(Duration(seconds=5))
        return count

    def _wait_until(self, started_s: float, first_ns: int, stamp_ns: int, rate: float) -> None:
        """Sleep until a bag time is due, publishing /clock on the way and at its end."""
        due_s = started_s + (stamp_ns - first_ns) * 1e-9 / rate
        while self._ticker and max(self._next_tick_s, started_s) < due_s:
            self._next_tick_s = max(self._next_tick_s, started_s)
            _sleep_until(self._next_tick_s)
            self._publish_clock(first_ns + int((self._next_tick_s - started_s) * rate * 1e9))
            self._next_tick_s += self._tick_s
        _sleep_until(due_s)
        if self._ticker:
            self._publish_clock(stamp_ns)

    def _publish_clock(self, stamp_ns: int) -> None:
        """Publish a bag time on /clock."""
        msg = Clock()
        msg.clock.sec, msg.clock.nanosec = divmod(stamp_ns, 1_000_000_000)
        assert self._ticker is not None
        self._ticker.publish(msg)

    def _without_both_ends(self, topics: Sequence[str]) -> list[str]:
        """Return what is still missing, in words."""
        if not topics:
            images = {n: p for n, p in self._outputs.items() if "Image" in p.msg_type.__name__}
            heard = [p.get_subscription_count() for p in (images or self._outputs).values()]
            return [] if any(heard) else [f"nobody listens to {', '.join(images) or 'the bag'}"]
        missing = []
        for topic in topics:
            publishers, subscribers = self.count_publishers(topic), self.count_subscribers(topic)
            if not publishers or not subscribers:
                missing.append(f"{topic} has {publishers} publishers, {subscribers} subscribers")
        return missing


def message_type(name: str) -> type:
    """Return the class of ``package/msg/Name``.

    Raises:
        DataError: its package is not installed.
    """
    package, _, rest = name.partition("/")
    folder, _, kind = rest.rpartition("/")
    try:
        return getattr(import_module(f"{package}.{folder or 'msg'}"), kind)
    except (ImportError, AttributeError, ValueError) as err:
        raise DataError(f"message {name} is not installed ({err}); install {package}") from err


def parse(args: list[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = make_parser("replay", __doc__, _EXAMPLES)
    add = parser.add_argument
    add("bag", type=Path, help="a rosbag2 (folder, .mcap or .db3), or a ROS 1 .bag")
    add("--rate", type=float, default=1.0, help="speed, 1 is real time (default %(default)s)")
    add("--loop", action="store_true", help="start over until interrupted")
    add("--clock", type=float, nargs="?", const=100.0, default=0.0, metavar="HZ",
        help="publish /clock, 100 Hz unless told")  # fmt: skip
    add("--topics", nargs="+", default=[], metavar="TOPIC", help="play only these")
    add("--wait-for", nargs="+", default=[], metavar="TOPIC",
        help="start when each has a publisher and a subscriber; "
        "without it, when an image of the bag is heard")  # fmt: skip
    add("--no-wait", action="store_true", help="start at once, whoever listens")
    add("--timeout", type=float, default=60.0, metavar="S",
        help="longest wait for listeners (default %(default)s s)")  # fmt: skip
    add("--start-delay", type=float, default=0.5, metavar="S",
        help="rest between the listeners' arrival and the first message (default %(default)s s), "
        "for slower links to match")  # fmt: skip
    options = parser.parse_args(args)
    if options.rate <= 0:
        raise ConfigError(f"--rate {options.rate:g}: expected more than 0")
    return options


def _sleep_until(due_s: float) -> None:
    """Sleep until a monotonic time; raise when ROS shuts down meanwhile."""
    while (left_s := due_s - time.monotonic()) > 0:
        time.sleep(min(left_s, 0.1))
        if not rclpy.ok():
            raise ExternalShutdownException
    if not rclpy.ok():
        raise ExternalShutdownException


def _run(args: list[str]) -> None:
    """Play as the command line says."""
    options = parse(args)
    player = BagPlayer(options.bag, options.topics, options.clock)
    if not options.no_wait:
        player.wait_for(options.wait_for, options.timeout)
        _sleep_until(time.monotonic() + options.start_delay)
    while True:
        count = player.play(options.rate)
        player.get_logger().info(f"played {count} messages of {options.bag}")
        if not options.loop:
            return


def main(args: list[str] | None = None) -> int:
    """Run the command line; return its exit code. ``args`` starts with the program's name."""
    return run_tool("replay", _run, args)


if __name__ == "__main__":
    sys.exit(main())
