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
    from demo.peer import Peer

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


@pytest.mark.alone
def test_a_bag_is_heard_whole_and_at_its_pace(peer: Peer, tmp_path: Path) -> None:
    heard: list[tuple[float, Any]] = []
    peer.create_subscription(Image, IMAGE, lambda m: heard.append((time.monotonic(), m)), 100)
    with processes.running("bags.replay", str(write_bag(tmp_path / "bag")), "--rate", "0.5"):
        assert peer.spin_until(lambda: len(heard) == 10)
    assert [m.data[0] for _, m in heard] == list(range(10))
    assert heard[-1][0] - heard[0][0] == pytest.approx(9 * 0.1, abs=0.15)  # scheduler's jitter


@pytest.mark.alone
def test_the_clock_runs_in_bag_time(peer: Peer, tmp_path: Path) -> None:
    peer.listen(Image, IMAGE)
    clock = peer.listen(Clock, "/clock")
    with processes.running("bags.replay", str(write_bag(tmp_path / "bag")), "--clock") as replay:
        assert peer.spin_until(lambda: replay.poll() is not None)
    seconds = [m.clock.sec + m.clock.nanosec * 1e-9 - 1_600_000_000 for m in clock]
    assert seconds == sorted(seconds)
    assert seconds[-1] == pytest.approx(0.45, abs=0.02)
    assert len(seconds) > 30  # 0.45 s at 100 Hz


def test_a_recorded_replay_is_the_same_bag(peer: Peer, tmp_path: Path) -> None:
    bag, copy = write_bag(tmp_path / "bag"), tmp_path / "copy"
    with processes.running("bags.record", str(copy), IMAGE, "--idle", "1") as record:
        with processes.running("bags.replay", str(bag)) as replay:
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
        processes.running("bags.record", str(copy), IMAGE) as record,
        processes.running("bags.replay", str(bag), "--loop") as replay,
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
        (
            ["{bag}", "--topics", "/camera/imag"],
            "no topic /camera/imag in it; expected some of /c",
        ),
        (["{bag}", "--topics", "camera/image_raw", "/x"], "no topic /x in it"),
        (
            ["{bag}", "--max-gap", "-1"],
            "argument --max-gap: got '-1', expected a number from 0 on",
        ),
        (["{bag}", "--timeout", "0.3"], "nobody listens to /camera/image_raw"),
        (["{bag}", "--rate", "0"], "argument --rate: got '0', expected a number above 0"),
    ],
)
def test_replay_says_why_it_cannot(
    domain: int, tmp_path: Path, args: list[str], reason: str
) -> None:
    bag = write_bag(tmp_path / "bag")
    filled = [a.format(tmp=tmp_path, bag=bag) for a in args]
    code, output = processes.outcome("bags.replay", *filled)
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
    code, output = processes.outcome("bags.replay", str(tmp_path / "bag"), "--no-wait")
    assert code == 0, output
    assert "played 1 messages" in output
    assert [output.count(f"/odd{i} is not played") for i in range(3)] == [1, 1, 1]


def test_replay_plays_a_lone_file(domain: int, tmp_path: Path) -> None:
    (file,) = write_bag(tmp_path / "bag").glob("*.mcap")
    code, output = processes.outcome("bags.replay", str(file), "--no-wait", "--rate", "10")
    assert code == 0, output
    assert "played 10 messages" in output


def test_record_does_not_overwrite(domain: int, tmp_path: Path) -> None:
    code, output = processes.outcome("bags.record", str(tmp_path), "--all")
    assert code == 2
    assert "record into a folder that does not exist" in output


def write_messages(path: Path, *messages_: tuple[str, str, float, Any]) -> Path:
    """Write a bag of (topic, type, seconds, message)."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        kinds = dict.fromkeys((topic, kind) for topic, kind, *_ in messages_)
        opened = {k: writer.add_connection(*k, typestore=STORE) for k in kinds}
        for topic, kind, seconds, msg in messages_:
            data = STORE.serialize_cdr(msg, kind)
            writer.write(opened[topic, kind], int(seconds * 1e9), data)
    return path


def made(kind: str, **fields: Any) -> tuple[str, Any]:
    """Return the type and a message of it."""
    package, name = kind.split("/")
    return f"{package}/msg/{name}", STORE.types[f"{package}/msg/{name}"](**fields)


def test_the_clock_of_the_bag_is_the_only_one(peer: Peer, tmp_path: Path) -> None:
    times = [made("rosgraph_msgs/Clock", clock=messages.Time(5, i * 10**8)) for i in range(5)]
    bag = write_messages(
        tmp_path / "bag", *(("/clock", k, 100 + i * 0.1, m) for i, (k, m) in enumerate(times))
    )
    clock = peer.listen(Clock, "/clock")
    with processes.running("bags.replay", str(bag), "--clock", "--wait-for", "/clock") as replay:
        assert peer.spin_until(lambda: replay.poll() is not None)
        output = replay.communicate()[0]
    assert [(m.clock.sec, m.clock.nanosec // 10**8) for m in clock] == [(5, i) for i in range(5)]
    assert "the bag has its own /clock" in output


def transforms(*links: tuple[str, str]) -> tuple[str, Any]:
    """Return a TFMessage of identities."""
    zero, one = messages.Vector3(0.0, 0.0, 0.0), messages.Quaternion(0.0, 0.0, 0.0, 1.0)
    _, identity = made("geometry_msgs/Transform", translation=zero, rotation=one)
    items = [
        made(
            "geometry_msgs/TransformStamped",
            header=messages.Header(messages.Time(1, 0), parent),
            child_frame_id=child,
            transform=identity,
        )[1]
        for parent, child in links
    ]
    return made("tf2_msgs/TFMessage", transforms=items)


def bag_of_an_old_run(path: Path) -> Path:
    """Write a bag of images with what our nodes made of them: depth, odom and its transform."""
    grey = np.zeros((4, 6), np.uint8)
    image = "sensor_msgs/msg/Image", messages.image(grey, "mono8")
    _, pose = made("geometry_msgs/Pose", position=made("geometry_msgs/Point", x=0.0, y=0.0, z=0.0)
                   [1], orientation=messages.Quaternion(0.0, 0.0, 0.0, 1.0))  # fmt: skip
    zero = messages.Vector3(0.0, 0.0, 0.0)
    _, twist = made("geometry_msgs/Twist", linear=zero, angular=zero)
    many = np.zeros(36)
    odom = made(
        "nav_msgs/Odometry",
        header=messages.Header(messages.Time(1, 0), "odom"),
        child_frame_id="base_link",
        pose=made("geometry_msgs/PoseWithCovariance", pose=pose, covariance=many)[1],
        twist=made("geometry_msgs/TwistWithCovariance", twist=twist, covariance=many)[1],
    )
    tf = transforms(("odom", "base_link"), ("mast", "camera"))
    lone = transforms(("odom", "base_link"))
    topics = {IMAGE: image, "/depth/image_rect": image, "/odom": odom, "/tf": tf}
    rows = [(topic, *msg) for topic, msg in topics.items()] + [("/tf", *lone)]
    return write_messages(path, *((t, kind, 100 + i * 0.1, m) for i, (t, kind, m) in
                                  enumerate(rows)))  # fmt: skip


@pytest.mark.parametrize("options", [(), ("--with-outputs",), ("--topics", IMAGE, "/odom")])
def test_what_our_nodes_once_said_is_left_out_unless_asked_for(
    peer: Peer, tmp_path: Path, options: tuple[str, ...]
) -> None:
    pytest.importorskip("tf2_msgs.msg")
    from nav_msgs.msg import Odometry
    from tf2_msgs.msg import TFMessage

    heard = {t: peer.listen(k, t) for t, k in ((IMAGE, Image), ("/depth/image_rect", Image))}
    heard |= {"/odom": peer.listen(Odometry, "/odom"), "/tf": peer.listen(TFMessage, "/tf")}
    bag = bag_of_an_old_run(tmp_path / "bag")
    with processes.running("bags.replay", str(bag), "--start-delay", "2", *options) as replay:
        assert peer.spin_until(lambda: replay.poll() is not None)
        output = replay.communicate()[0]
    counts = {topic: len(received) for topic, received in heard.items()}
    links = [t.child_frame_id for m in heard["/tf"] for t in m.transforms]
    if not options:
        assert counts == {IMAGE: 1, "/depth/image_rect": 0, "/odom": 0, "/tf": 1}
        assert links == ["camera"]
        assert "recorded: /depth/image_rect, /odom and its transform; --with-outputs" in output
    elif options == ("--with-outputs",):
        assert counts == {IMAGE: 1, "/depth/image_rect": 1, "/odom": 1, "/tf": 2}
    else:
        assert counts == {IMAGE: 1, "/depth/image_rect": 0, "/odom": 1, "/tf": 0}


def test_a_topic_that_a_running_node_publishes_is_left_to_it(peer: Peer, tmp_path: Path) -> None:
    from nav_msgs.msg import Odometry

    peer.create_publisher(Odometry, "/odom", 10)
    images, odoms = peer.listen(Image, IMAGE), peer.listen(Odometry, "/odom")
    bag = bag_of_an_old_run(tmp_path / "bag")
    options = ("--topics", IMAGE, "/odom", "--start-delay", "2")
    with processes.running("bags.replay", str(bag), *options) as replay:
        assert peer.spin_until(lambda: replay.poll() is not None)
        output = replay.communicate()[0]
    assert (len(images), len(odoms)) == (1, 0)
    assert "/odom is left out, /peer publishes it now; --ros-args -r /odom:=/OTHER" in output


def test_an_hour_without_messages_is_told_and_can_be_skipped(peer: Peer, tmp_path: Path) -> None:
    kind, msg = "sensor_msgs/msg/Image", messages.image(np.zeros((4, 6), np.uint8), "mono8")
    bag = write_messages(
        tmp_path / "bag", *((IMAGE, kind, t, msg) for t in (100.0, 100.1, 3_700.1, 3_700.2))
    )
    images, clock = peer.listen(Image, IMAGE), peer.listen(Clock, "/clock")
    told = "0.1 s into the bag nothing was recorded for 1:00:00: "
    with processes.running("bags.replay", str(bag), "--max-gap", "0.3", "--clock") as replay:
        assert peer.spin_until(lambda: replay.poll() is not None)
        assert f"{told}skipped" in replay.communicate()[0]
    assert len(images) == 4
    times = [m.clock.sec + m.clock.nanosec * 1e-9 for m in clock]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (pytest.approx(100, abs=0.1), pytest.approx(3_700.2))
    with processes.running("bags.replay", str(bag)) as replay:
        assert peer.spin_until(lambda: len(images) == 6)
        peer.spin_until(lambda: False, 1.0)  # what is told comes after the image before the gap
        assert f"{told}waiting 3600 s; --max-gap S skips" in processes.finish(replay)


def test_record_names_what_it_never_met(peer: Peer, tmp_path: Path) -> None:
    publisher = peer.create_publisher(Image, IMAGE, 10)
    args = (str(tmp_path / "bag"), IMAGE, "/camera/image_ra", "--idle", "1")
    with processes.running("bags.record", *args) as record:
        assert peer.spin_until(publisher.get_subscription_count)
        publisher.publish(Image())
        assert peer.spin_until(lambda: record.poll() is not None)
        output = record.communicate()[0]
    assert "1  /camera/image_raw" in output
    assert f"!!  /camera/image_ra was never met, nobody published it; did you mean {IMAGE}?" in (
        output
    )
