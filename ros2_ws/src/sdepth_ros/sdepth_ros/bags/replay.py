"""Play a bag (rosbag2 or ROS 1) into real topics, with rclpy and rosbags alone."""

from __future__ import annotations

import argparse
import difflib
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rosbags.interfaces import Connection
from rosgraph_msgs.msg import Clock
from tqdm import tqdm

from sdepth.cli import make_parser, not_negative, positive
from sdepth.errors import DataError
from sdepth_ros.bags.own_outputs import OUTPUTS, TF, Link, link_of, own_topics, without_links
from sdepth_ros.bags.qos import play_qos
from sdepth_ros.bags.reader import open_bag
from sdepth_ros.tool import message_type, run_tool

_EXAMPLES = """examples:
  sdepth-replay bags/drive                     in real time, once somebody listens to an image
  sdepth-replay bags/drive --rate 0.5 --loop   at half speed, again and again
  sdepth-replay bags/drive --clock             with /clock, for nodes with use_sim_time
  sdepth-replay bags/drive --max-gap 2         pauses of the recording last 2 s at most
  sdepth-replay bags/drive --wait-for /odom /points   start when these are heard
  sdepth-replay bags/drive --ros-args -r /camera/image_raw:=/front/image_raw
"""


_CLOCK, _ODOM = "/clock", "nav_msgs/msg/Odometry"
_LONG_S = 10.0
"""Of silence before it is told why."""


class BagPlayer(Node):
    """Publishes a bag's serialised messages at the pace they were recorded."""

    def __init__(
        self,
        path: Path,
        topics: Sequence[str] = (),
        clock_hz: float = 0.0,
        with_outputs: bool = False,
    ) -> None:
        """Open the bag and create its publishers.

        Args:
            path: of the bag, in any form that ``open_bag`` knows.
            topics: which to play; all when empty, but what our nodes published.
            clock_hz: how often to publish ``/clock``; 0 for not at all.
            with_outputs: play also what our nodes published.

        Raises:
            DataError: not a bag, damaged, or without the topics or any messages to play.
        """
        super().__init__("replay")
        self._reader = open_bag(path)
        chosen = self._chosen(topics, with_outputs)
        types = {c.msgtype: kind for c in chosen if (kind := self._installed(c)) is not None}
        self._connections = [c for c in chosen if c.msgtype in types]
        if not self._connections or not sum(c.msgcount for c in self._connections):
            names = ", ".join(sorted({c.topic for c in self._reader.connections})) or "none"
            raise DataError(f"{path}: no messages on the topics to play; topics in it: {names}")
        self._outputs: dict[str, Publisher] = {}
        for c in self._connections:
            qos = play_qos(c.topic, getattr(c.ext, "offered_qos_profiles", ()))
            self._outputs[c.topic] = self.create_publisher(types[c.msgtype], c.topic, qos)
        if clock_hz > 0 and _CLOCK in self._outputs:
            self.get_logger().info("the bag has its own /clock, and its stamps: that is played")
            clock_hz = 0.0
        self._tick_s = 1 / clock_hz if clock_hz > 0 else 0.0
        self._ticker = self.create_publisher(Clock, _CLOCK, 10) if clock_hz > 0 else None
        self._next_tick_s = 0.0

    def _chosen(self, topics: Sequence[str], with_outputs: bool) -> list[Connection]:
        """Return the topics to play; remember which transforms are ours.

        Raises:
            DataError: one that was asked for is not there.
        """
        present = {c.topic for c in self._reader.connections}
        asked = {f"/{topic.lstrip('/')}" for topic in topics}
        if missing := sorted(asked - present):
            close = {n for m in missing for n in difflib.get_close_matches(m, present, 2)}
            raise DataError(
                f"{self._reader.path}: no topic {', '.join(missing)} in it; expected some of "
                f"{', '.join(sorted(close or present)) or 'none'}"
            )
        own = set() if with_outputs else own_topics(present) - asked
        self._links = self._own_links(own)
        if own:
            self.get_logger().warning(
                f"left out, our own nodes published it when the bag was recorded: "
                f"{', '.join(sorted(own))}{' and its transform' * bool(self._links)}; "
                "--with-outputs plays it"
            )
        return [c for c in self._reader.connections if c.topic in (asked or present - own)]

    def _own_links(self, own: Collection[str]) -> set[Link]:
        """Return the transforms that our odometry published beside its poses."""
        odoms = [c for c in self._reader.connections if c.topic in own and c.msgtype == _ODOM]
        firsts = (next(iter(self._reader.messages([c])), None) for c in odoms)
        return {link_of(bytes(first[2])) for first in firsts if first is not None}

    def leave_to_live(self) -> None:
        """Give up topics of ours that running nodes publish: two would fight for them."""
        for topic in [t for t in self._outputs if t.endswith(OUTPUTS)]:
            live = [
                f"{info.node_namespace.rstrip('/')}/{info.node_name}"
                for info in self.get_publishers_info_by_topic(self.resolve_topic_name(topic))
                if info.node_name != self.get_name()
            ]
            if live:
                self.get_logger().warning(
                    f"{topic} is left out, {' and '.join(live)} publishes it now; "
                    f"--ros-args -r {topic}:=/OTHER plays it beside that"
                )
                self.destroy_publisher(self._outputs.pop(topic))
        self._connections = [c for c in self._connections if c.topic in self._outputs]

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

    def play(self, rate: float, max_gap_s: float = 0.0) -> int:
        """Publish every message once; return their number.

        Args:
            rate: how many times as fast as recorded.
            max_gap_s: pauses of the recording that are longer last so long; 0: as recorded.
        """
        started_s, count = time.monotonic(), 0
        self._next_tick_s = 0.0
        for connection, stamp_ns, first_ns, data in self._in_time(rate, max_gap_s):
            self._wait_until(started_s, first_ns, stamp_ns, rate)
            self._outputs[connection.topic].publish(data)
            count += 1
        for publisher in self._outputs.values():
            publisher.wait_for_all_acked(Duration(seconds=5))
        return count

    def _in_time(
        self, rate: float, max_gap_s: float
    ) -> Iterator[tuple[Connection, int, int, bytes]]:
        """Yield connection, time, the time that playing began, ns, and serialised message."""
        first_ns = last_ns = self._reader.start_time
        total = sum(c.msgcount for c in self._connections)
        # Without a terminal tqdm keeps silent.
        played = tqdm(
            self._reader.messages(self._connections), total=total, unit="msg", disable=None
        )
        for connection, stamp_ns, data in played:
            gap_s = (stamp_ns - last_ns) * 1e-9
            if 0 < max_gap_s < gap_s:
                first_ns += stamp_ns - last_ns - int(max_gap_s * 1e9)
            if max_gap_s < gap_s and gap_s / rate > _LONG_S:
                self._tell_gap(last_ns, gap_s, rate, max_gap_s)
            last_ns = stamp_ns
            left = bytes(data)
            if self._links and connection.topic == TF:
                left = without_links(left, self._links) or b""
            if left:
                yield connection, stamp_ns, first_ns, left

    def _tell_gap(self, since_ns: int, gap_s: float, rate: float, max_gap_s: float) -> None:
        """Log that nothing comes for long."""
        how = timedelta(seconds=round(gap_s))
        after = (since_ns - self._reader.start_time) * 1e-9
        to = "skipped" if max_gap_s else f"waiting {gap_s / rate:.0f} s; --max-gap S skips"
        self.get_logger().info(f"{after:.1f} s into the bag nothing was recorded for {how}: {to}")

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


def parse(args: list[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = make_parser("sdepth-replay", __doc__, _EXAMPLES)
    add = parser.add_argument
    add("bag", type=Path, help="a rosbag2 (folder, .mcap or .db3), or a ROS 1 .bag")
    add("--rate", type=positive, default=1.0, help="speed, 1 is real time (default %(default)s)")
    add("--loop", action="store_true", help="start over until interrupted")
    add("--clock", type=not_negative, nargs="?", const=100.0, default=0.0, metavar="HZ",
        help="publish /clock, 100 Hz unless told")  # fmt: skip
    add("--topics", nargs="+", default=[], metavar="TOPIC", help="play only these")
    add("--with-outputs", action="store_true", help="play also what our own nodes published")
    add(
        "--max-gap",
        type=not_negative,
        default=0.0,
        metavar="S",
        help="pauses of the recording that are longer last S seconds; 0: as recorded (default)",
    )
    add("--wait-for", nargs="+", default=[], metavar="TOPIC",
        help="start when each has a publisher and a subscriber; "
        "without it, when an image of the bag is heard")  # fmt: skip
    add("--no-wait", action="store_true", help="start at once, whoever listens")
    add("--timeout", type=not_negative, default=60.0, metavar="S",
        help="longest wait for listeners (default %(default)s s)")  # fmt: skip
    add("--start-delay", type=not_negative, default=0.5, metavar="S",
        help="rest between the listeners' arrival and the first message (default %(default)s s), "
        "for slower links to match")  # fmt: skip
    return parser.parse_args(args)


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
    player = BagPlayer(options.bag, options.topics, options.clock, options.with_outputs)
    if not options.no_wait:
        player.wait_for(options.wait_for, options.timeout)
        _sleep_until(time.monotonic() + options.start_delay)
    if not options.with_outputs:
        player.leave_to_live()
    while True:
        count = player.play(options.rate, options.max_gap)
        player.get_logger().info(f"played {count} messages of {options.bag}")
        if not options.loop:
            return


def main(args: list[str] | None = None) -> int:
    """Run the command line; return its exit code. ``args`` starts with the program's name."""
    return run_tool("sdepth-replay", _run, args)


if __name__ == "__main__":
    sys.exit(main())
