"""One small drive as a bag in every form that people have."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from bags import messages
from bags.messages import STORE
from bags.write import CAMERA_INFO, IMAGE, base_from_camera
from sdepth.geometry.camera import Camera

CAMERA = Camera(60.0, 60.0, 31.5, 15.5, 64, 32)
START_NS, PERIOD_NS = 100 * 10**9, 10**8


def drive(count: int = 6, stamps: Sequence[int] | None = None) -> list[tuple[str, int, Any]]:
    """Return topic, bag time and message of images of noise, with camera, mounting and poses."""
    rng, T = np.random.default_rng(0), base_from_camera(1.5)
    out = [
        ("/tf_static", START_NS, messages.transforms(T, START_NS, "base_link", "camera_optical"))
    ]
    for i in range(count):
        time = START_NS + i * PERIOD_NS
        stamp = time if stamps is None else stamps[i]
        T_odom_base = np.eye(4)
        T_odom_base[0, 3] = 0.5 * i
        pixels = rng.integers(0, 256, (CAMERA.height, CAMERA.width, 3), np.uint8)
        out += [
            ("/odom", time, messages.odometry(T_odom_base, np.zeros(6), stamp)),
            (CAMERA_INFO, time, messages.camera_info(CAMERA, stamp)),
            (IMAGE, time, messages.image(pixels, "rgb8", stamp)),
        ]
    return out


def write(
    path: Path,
    timed: list[tuple[str, int, Any]],
    storage: StoragePlugin = StoragePlugin.MCAP,
    packed: CompressionMode = CompressionMode.NONE,
) -> Path:
    """Return the folder of a bag of these messages."""
    writer = Writer(path, version=8, storage_plugin=storage)
    if packed != CompressionMode.NONE:
        writer.set_compression(packed, CompressionFormat.ZSTD)
    known: dict[str, Any] = {}
    with writer:
        for topic, time, msg in timed:
            if topic not in known:
                known[topic] = writer.add_connection(topic, msg.__msgtype__, typestore=STORE)
            writer.write(known[topic], time, STORE.serialize_cdr(msg, msg.__msgtype__))
    return path


def write_ros1(path: Path, timed: list[tuple[str, int, Any]]) -> Path:
    """Return the .bag of these messages, its headers with the sequence numbers of ROS 1."""
    store = get_typestore(Stores.ROS1_NOETIC)
    text = "geometry_msgs/TransformStamped[] transforms"
    store.register(get_types_from_msg(text, "tf2_msgs/msg/TFMessage"))
    known: dict[str, Any] = {}
    with Ros1Writer(path) as writer:
        for topic, time, msg in timed:
            kind = msg.__msgtype__
            if topic not in known:
                known[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(known[topic], time, store.serialize_ros1(_old(msg, store), kind))
    return path


def data_file(bag: Path) -> Path:
    """Return the one file of a bag beside its metadata."""
    (file,) = (path for path in bag.iterdir() if path.name != "metadata.yaml")
    return file


def make(root: Path, form: str) -> Path:
    """Return a bag of ``drive()`` in one of ``FORMS``."""
    sqlite = "db3" in form
    storage = StoragePlugin.SQLITE3 if sqlite else StoragePlugin.MCAP
    modes = {"messages": CompressionMode.MESSAGE, "packed": CompressionMode.FILE,
             "chunks": CompressionMode.STORAGE}  # fmt: skip
    mode = next((modes[word] for word in modes if word in form), CompressionMode.NONE)
    if form == "ros1":
        return write_ros1(root / "drive.bag", drive())
    bag = write(root / "drive", drive(), storage, mode)
    if "lone" in form:
        return Path(shutil.move(data_file(bag), root / data_file(bag).name))
    if "no metadata" in form:
        (bag / "metadata.yaml").unlink()
    if "damaged metadata" in form:
        (bag / "metadata.yaml").write_text("rosbag2_bagfile_information:\n  version: 5\n  dur")
    return bag


FORMS = ("mcap", "mcap of chunks", "db3", "db3 of messages", "packed db3", "lone mcap", "lone db3",
         "lone packed db3", "mcap, no metadata", "db3, damaged metadata", "ros1")  # fmt: skip


def _old(msg: Any, store: Any) -> Any:
    """Return a message of ROS 2 as ROS 1 has it."""
    if isinstance(msg, list):
        return [_old(part, store) for part in msg]
    if not hasattr(msg, "__msgtype__"):
        return msg
    fields = {name: _old(value, store) for name, value in vars(msg).items()}
    if msg.__msgtype__ == "std_msgs/msg/Header":
        fields["seq"] = 7
    if msg.__msgtype__ == "sensor_msgs/msg/CameraInfo":
        fields = {name.upper() if len(name) == 1 else name: v for name, v in fields.items()}
    return store.types[msg.__msgtype__](**fields)
