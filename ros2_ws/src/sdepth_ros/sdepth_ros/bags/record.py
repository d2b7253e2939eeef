"""Record topics into a rosbag2 MCAP, with rclpy and rosbags alone."""

from __future__ import annotations

import argparse
import difflib
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Connection
from rosbags.rosbag2 import WriterError
from rosbags.typesys import Stores, get_typestore

from sdepth.cli import make_parser, positive
from sdepth.errors import DataError
from sdepth_ros.bags.file import add_topic, new_bag
from sdepth_ros.bags.qos import record_qos
from sdepth_ros.tool import message_type, run_tool

_EXAMPLES = """examples:
  sdepth-record out/drive /odom /tf /depth/image_rect     until Ctrl-C
  sdepth-record out/drive --all --duration 30             everything, half a minute
  sdepth-record out/drive /odom --idle 5                  until 5 s pass without a message
"""
_HEARTBEATS = ("/diagnostics", "/clock", "/rosout")  # these never fall silent
_NOT_RECORDED = ("/rosout", "/parameter_events")  # with --all, as ros2 bag leaves them in hidden


class BagRecorder(Node):
    """Writes the serialised messages of topics as they come."""

    def __init__(self, path: Path, topics: Sequence[str], all_topics: bool) -> None:
        """Open the bag and look for publishers, five times a second.

        Raises:
            DataError: something exists at ``path`` already.
        """
        super().__init__("record")
        self._typestore = get_typestore(Stores.LATEST)
        self._wanted = {self.resolve_topic_name(topic) for topic in topics}
        self._all = all_topics
        self._refused: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.last_message_s: float | None = None
        try:
            self._writer = new_bag(path)
            self._writer.open()
        except (WriterError, OSError) as err:
            raise DataError(f"{path}: {err}; record into a folder that does not exist") from err
        self._discovery = self.create_timer(0.2, self._discover)
        self._discover()

    def close(self) -> None:
        """Finish the bag."""
        self._writer.close()

    def never_met(self) -> list[str]:
        """Return, in words, which topics nobody published, and which are nearly so called."""
        there = [topic for topic, _ in self.get_topic_names_and_types()] if rclpy.ok() else []
        missing = sorted(self._wanted - set(self.counts) - self._refused)
        there = [*{*there, *self.counts}.difference(missing)]
        lines = []
        for topic in missing:
            close = difflib.get_close_matches(topic, there, 1)
            hint = f"did you mean {close[0]}?" if close else "compare names and ROS_DOMAIN_ID"
            lines.append(f"{topic} was never met, nobody published it; {hint}")
        return lines

    def _discover(self) -> None:
        """Subscribe to wanted topics that have got a publisher."""
        for topic, types in self.get_topic_names_and_types():
            wanted = topic in self._wanted or (self._all and topic not in _NOT_RECORDED)
            if not wanted or topic in self.counts or topic in self._refused:
                continue
            if offered := [i.qos_profile for i in self.get_publishers_info_by_topic(topic)]:
                self._subscribe(topic, types[0], record_qos(offered))

    def _subscribe(self, topic: str, type_name: str, qos: QoSProfile) -> None:
        """Write every message of a topic from now on."""
        if type_name not in self._typestore.types:
            self._refused.add(topic)
            self.get_logger().error(f"{topic}: {type_name} is not a type bags know, not recorded")
            return
        connection = add_topic(
            self._writer,
            topic,
            type_name,
            self._typestore,
            depth=qos.depth,
            reliable=qos.reliability == ReliabilityPolicy.RELIABLE,
            latched=qos.durability == DurabilityPolicy.TRANSIENT_LOCAL,
        )
        self.create_subscription(
            message_type(type_name), topic, self._write_to(connection), qos, raw=True
        )
        self.counts[topic] = 0
        self.get_logger().info(f"recording {topic} ({type_name})")

    def _write_to(self, connection: Connection) -> Callable[[bytes], None]:
        """Return the callback of a topic."""

        def write(data: bytes) -> None:
            self._writer.write(connection, self.get_clock().now().nanoseconds, data)
            self.counts[connection.topic] += 1
            if connection.topic not in _HEARTBEATS:
                self.last_message_s = time.monotonic()

        return write


def parse(args: list[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = make_parser("sdepth-record", __doc__, _EXAMPLES)
    add = parser.add_argument
    add("bag", type=Path, help="folder to write, must not exist")
    add("topics", nargs="*", help="what to record; may appear later")
    add("-a", "--all", action="store_true", help="every topic")
    add("--duration", type=positive, metavar="S", help="stop after this time")
    add("--idle", type=positive, metavar="S",
        help="stop when no message (but diagnostics and clock) came for this time, "
        "counted from the first one")  # fmt: skip
    options = parser.parse_args(args)
    if bool(options.topics) == options.all:
        parser.error("name the topics to record, or give --all")
    return options


def _run(args: list[str]) -> None:
    """Record as the command line says."""
    options = parse(args)
    recorder = BagRecorder(options.bag, options.topics, options.all)
    executor = SingleThreadedExecutor()
    executor.add_node(recorder)
    end_s = time.monotonic() + options.duration if options.duration else float("inf")
    try:
        while time.monotonic() < end_s:
            executor.spin_once(timeout_sec=0.2)
            quiet_s = time.monotonic() - (recorder.last_message_s or float("inf"))
            if options.idle and quiet_s > options.idle:
                break
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        never_met = recorder.never_met()
        recorder.close()
        for topic, count in sorted(recorder.counts.items()):
            print(f"{count:8d}  {topic}")
        for line in never_met:
            print(f"      !!  {line}")
        print(f"recorded {recorder.counts.total()} messages into {options.bag}")


def main(args: list[str] | None = None) -> int:
    """Run the command line; return its exit code. ``args`` starts with the program's name."""
    return run_tool("sdepth-record", _run, args)


if __name__ == "__main__":
    sys.exit(main())
