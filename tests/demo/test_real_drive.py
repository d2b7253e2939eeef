"""A real drive through the real nodes: every frame answered, and the way it went found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bags.read import read_messages
from bags.write import IMAGE, TRUTH, BagConfig, write_bag
from demo.config import DemoConfig
from sdepth.metrics.trajectory import trajectory_errors
from sdepth_ros.conversions import read_transform, stamp_ns
from training.data.open_drive import read_drive


@pytest.fixture(scope="module")
def heard(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Return the messages by topic of KITTI odometry 06 replayed at 5 Hz (CI may be busy)."""
    pytest.importorskip("tf2_msgs", reason="no ROS 2 here")
    nodes = pytest.importorskip("demo.nodes", reason="no ROS 2 here")
    folder = shared_data / "kitti_odom/sequences/06"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    config = DemoConfig(out=tmp_path_factory.mktemp("kitti"), frames=51, rate=0.5)
    write_bag(read_drive(folder), config.bag, BagConfig(camera_height_m=1.65))
    nodes.run_nodes(config, Console(quiet=True))
    messages: dict[str, list[Any]] = {}
    for topic, _, msg in read_messages(config.result):
        messages.setdefault(topic, []).append(msg)
    return messages


def stamps(messages: list[Any]) -> list[int]:
    return sorted(stamp_ns(msg.header) for msg in messages)


@pytest.mark.alone
@pytest.mark.ros
@pytest.mark.slow
def test_every_image_has_depth_cloud_and_pose_of_its_stamp(heard: dict[str, list[Any]]) -> None:
    images = stamps(heard[IMAGE])

    assert len(images) == 51
    for topic in ("/depth/image_rect", "/depth/camera_info", "/points", "/odom"):
        assert stamps(heard[topic]) == images, topic
    assert {msg.encoding for msg in heard["/depth/image_rect"]} == {"32FC1"}


@pytest.mark.alone
@pytest.mark.ros
@pytest.mark.slow
def test_odometry_follows_the_real_drive(heard: dict[str, list[Any]]) -> None:
    truth, estimate = (
        np.stack(
            [
                read_transform(msg.pose.pose.position, msg.pose.pose.orientation)
                for msg in heard[topic]
            ]
        )
        for topic in (TRUTH, "/odom")
    )

    errors = trajectory_errors(truth, estimate, "7dof")

    assert errors.ate_m < 0.6  # of 60 m driven
    assert 0.8 < errors.scale < 1.25  # metres, by weights that have seen no real image
