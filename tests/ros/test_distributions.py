"""Every distribution we promise: what we call is there, and how it calls us is understood."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rosbags.typesys import Stores, get_typestore

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from nav_msgs.msg import Odometry
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from sdepth_ros.conversions import stamp_ns
from sdepth_ros.middleware import PROFILES_VARIABLE
from sdepth_ros.qos import with_info
from tests.ros import processes
from tests.ros.camera_peer import FakeCamera
from tests.ros.ros_api import CODE, OLDEST, methods, table, used
from tests.ros.test_depth_node import REMAP

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = pytest.mark.ros


@contextmanager
def as_on(distribution: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    """Run an executable of ours on an rclpy that is made to be an older one."""
    command = [sys.executable, "-m", "tests.ros.older", distribution, *args]
    node = subprocess.Popen(
        command, env=processes.environment(), cwd=processes.ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield node
    finally:
        processes.finish(node)


@pytest.mark.parametrize("distribution", ["humble", "jazzy"])
def test_images_are_answered_as_on_an_older_distribution(
    distribution: str, peer: Peer, weights: Path
) -> None:
    depths, odoms = peer.listen(Image, "/depth/image_rect"), peer.listen(Odometry, "/odom")
    camera = FakeCamera(peer)
    models = [f"{name}:={weights}" for name in ("model.day_path", "model.night_path")]
    options = [word for value in (*models, "base_frame:=''") for word in ("-p", value)]
    with as_on(distribution, "vision_node", "--ros-args", *REMAP, *options) as node:
        camera.send_and_wait(3, odoms)
        assert peer.spin_until(lambda: len(depths) == 3)
        output = processes.finish(node)
    assert [stamp_ns(m.header) for m in odoms] == camera.stamps
    assert (node.returncode, "Traceback" in output) == (0, False), output


def test_a_callback_is_called_with_the_message_alone_or_with_what_is_known_of_it() -> None:
    heard: list[tuple] = []
    callback = with_info(lambda msg, info: heard.append((msg, dict(info))))
    callback("as on Humble")
    callback("later", {"publisher_gid": 7})
    assert heard == [("as on Humble", {}), ("later", {"publisher_gid": 7})]
    with pytest.raises(TypeError):  # so that later ones take it for one that wants both
        inspect.signature(callback).bind(object())
    if hasattr(Subscription, "CallbackType"):
        inspect.signature(callback).bind(object(), object())


def test_the_profile_is_named_as_the_middleware_reads_it() -> None:
    libraries = [*(Path(sys.prefix) / "lib").glob("libfast[dr][dt]*s.so")]
    if not libraries:
        pytest.skip("Fast DDS is not of PyPI here; ROS_DISTRO tells")
    assert PROFILES_VARIABLE.encode() in libraries[0].read_bytes()


NEWER = {"rclpy.event_handler.SubscriptionEventCallbacks": "iron"}
"""What our code takes where it is there."""


def test_the_table_has_all_that_is_taken_from_ros_and_no_more() -> None:
    assert used(methods()) ^ set(table()) == set()


def test_nothing_is_newer_than_the_oldest_distribution_but_what_has_another_way() -> None:
    assert {name: since for name, since in table().items() if since != OLDEST} == NEWER


def test_every_message_and_field_is_as_old_as_the_oldest_distribution() -> None:
    oldest = get_typestore(Stores.ROS2_HUMBLE).types
    kinds = {n.replace(".", "/") for n in table() if n.count(".") == 2 and ".msg." in n}
    assert kinds - set(oldest) == set()
    for name in kinds:
        package, _, kind = name.split("/")
        now = getattr(import_module(f"{package}.msg"), kind).get_fields_and_field_types()
        then = set(inspect.signature(oldest[name]).parameters)
        assert not {field for field in set(now) - then if mentioned(field)}, name


def mentioned(field: str) -> bool:
    """Tell whether our code has an attribute or a keyword of this name."""
    trees = [ast.parse(file.read_text()) for folder in CODE for file in folder.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return any(
        field == getattr(node, "attr", None) or field == getattr(node, "arg", None)
        for node in nodes
    )
