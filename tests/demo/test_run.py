"""What a recording of the nodes tells beside images."""

from __future__ import annotations

from pathlib import Path

from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores, get_typestore

from demo.run import _Heard

STORE = get_typestore(Stores.ROS2_JAZZY)


def test_weights_of_each_mode_are_what_the_node_said(tmp_path: Path) -> None:
    types = STORE.types
    value, status, array, header, time = (
        types[name]
        for name in (
            "diagnostic_msgs/msg/KeyValue",
            "diagnostic_msgs/msg/DiagnosticStatus",
            "diagnostic_msgs/msg/DiagnosticArray",
            "std_msgs/msg/Header",
            "builtin_interfaces/msg/Time",
        )
    )
    with Writer(tmp_path / "bag", version=9) as bag:
        topic = bag.add_connection("/diagnostics", array.__msgtype__, typestore=STORE)
        for i, (mode, weights) in enumerate([("day", "a1"), ("day", "a1"), ("night", "b2")]):
            said = [value("mode", mode), value("weights", weights)]
            depth = status(0, "depth: images", "", "", said)
            other = status(0, "odometry: pose", "", "", [value("mode", "off")])
            msg = array(header(time(i, 0), ""), [depth, other])
            bag.write(topic, i, STORE.serialize_cdr(msg, array.__msgtype__))

    heard = _Heard(tmp_path / "bag")

    assert heard.weights == {"day": "a1", "night": "b2"}
    assert heard.counters["depth"]["mode"] == "night"
