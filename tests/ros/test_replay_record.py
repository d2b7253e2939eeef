"""A bag played into real topics, and topics recorded into a bag."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

pytest.importorskip("rclpy")

from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from tests.ros import messages, processes

if TYPE_CHECKING:
    from tests.ros.processes import Peer

pytestmark = pytest.mark.ros
STORE = get_typestore(Stores.ROS2_HUMBLE)
IMAGE = "/camera/image_raw"


def write_bag(path: Path, count: int = 10, period_s: float = 0.05) -> Path:
    """Write a bag of small images, one grey value brighter each."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(IMAGE, "sensor_msgs/msg/Image", typestore=STORE)
        for i in range(count):
            msg = messages.image(np.full((4, 6), i, np.uint8), "mono8")
            stamp_ns = 1_600_000_000_000_000_000 + int(i * period_s * 1e9)
            data = STORE.serialize_cdr(msg, "sensor_msgs/msg/Image")
            writer.write(connection, stamp_ns, data)
    return path


def raw_messages(path: Path) -> list[tuple[str, bytes]]:
    """Return topic and serialised message of a whole bag."""
    with Reader(path) as reader:
        return [(c.topic, bytes(data)) for c, _, data in reader.messages()]


def test_a_bag_is_heard_whole_and_at_its_pace(peer: Peer, tmp_path: Path) -> None:
    heard: list[tuple[float, Any]] = []
    peer.create_subscription(Image, IMAGE, lambda m: heard.append((time.monotonic(), m)), 100)
    with processes.running("replay", str(write_bag(tmp_path / "bag")), "--rate", "0.5"):
        assert peer.spin_until(lambda: len(heard) == 10)
    assert [m.data[0] for _, m in heard] == list(range(10))
    assert heard[-1][0] - heard[0][0] == pytest.approx(9 * 0.1, abs=0.15)  # scheduler's jitter


def test_the_clock_runs_in_bag_time(peer: Peer, tmp_path: Path) -> None:
    peer.listen(Image, IMAGE)
    clock = peer.listen(Clock, "/clock")
    with processes.running("replay", str(write_bag(tmp_path / "bag")), "--clock") as replay:
        assert peer.spin_until(lambda: replay.poll() is not None)
    seconds = [m.clock.sec + m.clock.nanosec * 1e-9 - 1_600_000_000 for m in clock]
    assert seconds == sorted(seconds)
    assert seconds[-1] == pytest.approx(0.45, abs=0.02)
    assert len(seconds) > 30  # 0.45 s at 100 Hz


def test_a_recorded_replay_is_the_same_bag(peer: Peer, tmp_path: Path) -> None:
    bag, copy = write_bag(tmp_path / "bag"), tmp_path / "copy"
    with processes.running("record", str(copy), IMAGE, "--idle", "1") as record:
        with processes.running("replay", str(bag)) as replay:
            assert peer.spin_until(lambda: replay.poll() is not None)
        assert peer.spin_until(lambda: record.poll() is not None)
        output = record.communicate()[0]
    assert raw_messages(copy) == raw_messages(bag)
    assert "10  /camera/image_raw" in output


@pytest.mark.parametrize("pause_s", [0.0, 0.05, 0.3])
def test_a_second_ctrl_c_breaks_off_neither_record_nor_replay(
    peer: Peer, tmp_path: Path, pause_s: float
) -> None:
    bag, copy = write_bag(tmp_path / "bag"), tmp_path / "copy"
    with (
        processes.running("record", str(copy), IMAGE) as record,
        processes.running("replay", str(bag), "--loop") as replay,
    ):
        heard = peer.listen(Image, IMAGE)
        assert peer.spin_until(lambda: len(heard) > 12 and peer.count_subscribers(IMAGE) == 2)
        for _ in range(2):  # the terminal's, and then launch's
            for process in (record, replay):
                process.send_signal(signal.SIGINT)
            time.sleep(pause_s)
        outputs = [processes.finish(process) for process in (record, replay)]
    assert [record.returncode, replay.returncode] == [0, 0]
    assert "Traceback" not in "".join(outputs)
    assert f"recorded {len(raw_messages(copy))} messages" in outputs[0]


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["{tmp}/none"], "no such bag; expected a rosbag2"),
        (["{bag}", "--topics", "/other"], "topics in it: /camera/image_raw"),
        (["{bag}", "--timeout", "0.3"], "nobody listens to /camera/image_raw"),
        (["{bag}", "--rate", "0"], "expected more than 0"),
    ],
)
def test_replay_says_why_it_cannot(
    domain: int, tmp_path: Path, args: list[str], reason: str
) -> None:
    bag = write_bag(tmp_path / "bag")
    filled = [a.format(tmp=tmp_path, bag=bag) for a in args]
    code, output = processes.outcome("replay", *filled)
    assert code == 2
    assert reason in output
    assert "Traceback" not in output


def test_replay_leaves_out_types_that_are_not_installed(domain: int, tmp_path: Path) -> None:
    with Writer(tmp_path / "bag", version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        kinds = ("odd_msgs/msg/Odd", "odd_msgs/srv/Odd_Event", "odd_msgs/action/Odd_Feedback")
        for i, kind in enumerate(kinds):
            odd = writer.add_connection(f"/odd{i}", kind, msgdef="uint8 x", rihs01="RIHS01_0")
            writer.write(odd, 0, b"\0\1\0\0\7")
        text = writer.add_connection("/name", "std_msgs/msg/String", typestore=STORE)
        writer.write(text, 0, b"\0\1\0\0\2\0\0\0a\0")
    code, output = processes.outcome("replay", str(tmp_path / "bag"), "--no-wait")
    assert code == 0, output
    assert "played 1 messages" in output
    assert [output.count(f"/odd{i} is not played") for i in range(3)] == [1, 1, 1]


def test_replay_plays_a_lone_file(domain: int, tmp_path: Path) -> None:
    (file,) = write_bag(tmp_path / "bag").glob("*.mcap")
    code, output = processes.outcome("replay", str(file), "--no-wait", "--rate", "10")
    assert code == 0, output
    assert "played 10 messages" in output


def test_record_does_not_overwrite(domain: int, tmp_path: Path) -> None:
    code, output = processes.outcome("record", str(tmp_path), "--all")
    assert code == 2
    assert "record into a folder that does not exist" in output
