"""Real drives, where they are at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bags.from_kitti import main
from bags.read import count_messages, read_messages
from bags.write import CAMERA_INFO, IMAGE, STATIC_TF, TRUTH
from sdepth_ros.conversions import stamp_ns
from training.data.open_drive import read_drive


def need(folder: Path) -> Path:
    """Return the folder, or skip where it is not."""
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


def test_kitti_odometry_becomes_a_bag_with_truth(shared_data: Path, tmp_path: Path) -> None:
    folder = need(shared_data / "kitti_odom/sequences/06")
    assert main([str(folder), str(tmp_path / "bag")]) == 0
    counts = {IMAGE: 51, CAMERA_INFO: 51, TRUTH: 51, STATIC_TF: 1}
    assert count_messages(tmp_path / "bag") == counts
    images = [msg for _, _, msg in read_messages(tmp_path / "bag", IMAGE)]
    assert {msg.encoding for msg in images} == {"mono8"}
    expected = [frame.stamp_ns for frame in read_drive(folder).frames]
    assert [stamp_ns(msg.header) for msg in images] == expected


def test_kitti_raw_becomes_a_bag_of_colour_images(shared_data: Path, tmp_path: Path) -> None:
    folder = need(shared_data / "kitti_raw/2011_09_26/2011_09_26_drive_0052_sync")
    assert main([str(folder), str(tmp_path / "bag"), "--limit", "5"]) == 0
    assert count_messages(tmp_path / "bag") == {IMAGE: 5, CAMERA_INFO: 5, STATIC_TF: 1}
    _, _, image = next(read_messages(tmp_path / "bag", IMAGE))
    assert (image.encoding, image.width, image.height) == ("rgb8", 1242, 375)
