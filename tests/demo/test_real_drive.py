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
from sdepth_ros.conversions import read_transform, stamp_ns, to_depth
from training.data.export_truth import export_stereo
from training.data.open_drive import read_drive
from training.data.split import find_frames
from training.data.stereo import DISPARITIES
from training.evaluate.examples import read_truth
from training.evaluate.protocols import find


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
    own = "/depth/image_rect", "/depth/camera_info", "/points", "/odom"
    for topic in (*own, "/fused/depth/image_rect", "/fused/points"):
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


@pytest.mark.alone
@pytest.mark.ros
@pytest.mark.slow
def test_fused_depth_is_nearer_the_truth(
    heard: dict[str, list[Any]], shared_data: Path, tmp_path: Path
) -> None:
    folder, path = shared_data / "kitti_odom/sequences/06", tmp_path / "stereo.npz"
    export_stereo(folder, path, None, DISPARITIES, 10)
    truth, protocol = read_truth(path), find("kitti-stereo")
    off = {}
    for topic in ("/depth/image_rect", "/fused/depth/image_rect"):
        messages = sorted(heard[topic], key=lambda msg: stamp_ns(msg.header))
        depths = [np.nan_to_num(to_depth(msg), posinf=80.0) for msg in messages]
        found = find_frames([folder], truth.lines, path)
        errors = [protocol.score(truth[k], depths[i]).abs_rel for k, (_, i) in enumerate(found)]
        off[topic] = np.mean(errors[1:])  # nothing came before the first
    assert off["/fused/depth/image_rect"] < 0.85 * off["/depth/image_rect"]
