"""What goes into a bag comes out of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bags.from_kitti import main
from bags.messages import BASE_FRAME, CAMERA_FRAME, ODOM_FRAME
from bags.read import count_messages, read_messages
from bags.write import (
    CAMERA_INFO,
    COMPRESSED,
    IMAGE,
    STATIC_TF,
    TRUTH,
    BagConfig,
    base_from_camera,
    write_bag,
)
from sdepth_ros.conversions import read_transform, stamp_ns, to_lens, to_rgb
from tests.bags.drives import STEP_M, first_image, write_drive
from training.data.drive import read_image
from training.data.open_drive import read_drive


@pytest.mark.parametrize(("compressed", "topic"), [(False, IMAGE), (True, COMPRESSED)])
def test_images_come_back_pixel_for_pixel_with_their_stamps(
    tmp_path: Path, compressed: bool, topic: str
) -> None:
    drive = read_drive(write_drive(tmp_path))
    write_bag(drive, tmp_path / "bag", BagConfig(compressed=compressed))
    found = list(read_messages(tmp_path / "bag", topic))
    assert [time for _, time, _ in found] == [frame.stamp_ns for frame in drive.frames]
    for frame, (_, time, msg) in zip(drive.frames, found, strict=True):
        assert stamp_ns(msg.header) == time
        assert msg.header.frame_id == CAMERA_FRAME
        np.testing.assert_array_equal(to_rgb(msg), read_image(frame.image))


def test_a_grey_drive_is_stored_as_mono8(tmp_path: Path) -> None:
    drive = read_drive(write_drive(tmp_path, grey=True))
    write_bag(drive, tmp_path / "bag")
    _, _, msg = next(read_messages(tmp_path / "bag", IMAGE))
    assert msg.encoding == "mono8"
    np.testing.assert_array_equal(to_rgb(msg), read_image(drive.frames[0].image))


def test_every_image_has_the_camera_it_was_taken_with(tmp_path: Path) -> None:
    drive = read_drive(write_drive(tmp_path))
    write_bag(drive, tmp_path / "bag")
    infos = [msg for _, _, msg in read_messages(tmp_path / "bag", CAMERA_INFO)]
    assert [stamp_ns(info.header) for info in infos] == [f.stamp_ns for f in drive.frames]
    assert to_lens(infos[0]).rectified == drive.camera
    assert infos[0].distortion_model == "plumb_bob"
    assert not infos[0].d.any()


def test_static_transform_looks_forward_from_the_camera_height(tmp_path: Path) -> None:
    write_bag(read_drive(write_drive(tmp_path)), tmp_path / "bag", BagConfig(camera_height_m=1.2))
    _, _, msg = next(read_messages(tmp_path / "bag", STATIC_TF))
    stamped = msg.transforms[0]
    assert (stamped.header.frame_id, stamped.child_frame_id) == (BASE_FRAME, CAMERA_FRAME)
    T_base_cam = read_transform(stamped.transform.translation, stamped.transform.rotation)
    np.testing.assert_allclose(T_base_cam, base_from_camera(1.2), atol=1e-12)
    np.testing.assert_allclose(T_base_cam @ [0, 0, 10, 1], [10, 0, 1.2, 1], atol=1e-12)


def test_truth_goes_forward_along_x_of_odom(tmp_path: Path) -> None:
    write_bag(read_drive(write_drive(tmp_path)), tmp_path / "bag")
    last = list(read_messages(tmp_path / "bag", TRUTH))[-1][2]
    assert (last.header.frame_id, last.child_frame_id) == (ODOM_FRAME, BASE_FRAME)
    T_odom_base = read_transform(last.pose.pose.position, last.pose.pose.orientation)
    expected = np.eye(4)
    expected[0, 3] = 3 * STEP_M
    np.testing.assert_allclose(T_odom_base, expected, atol=1e-12)
    assert last.twist.twist.linear.x == pytest.approx(STEP_M / 0.1)


def test_static_transform_is_offered_latched(tmp_path: Path) -> None:
    from rosbags.rosbag2 import Reader

    write_bag(read_drive(write_drive(tmp_path)), tmp_path / "bag")
    with Reader(tmp_path / "bag") as reader:
        durability = {c.topic: c.ext.offered_qos_profiles[0].durability.name
                      for c in reader.connections}  # fmt: skip
    assert durability[STATIC_TF] == "TRANSIENT_LOCAL"
    assert durability[IMAGE] == "VOLATILE"


def test_an_independent_reader_decodes_the_bag(tmp_path: Path) -> None:
    make_reader = pytest.importorskip("mcap.reader").make_reader
    factory = pytest.importorskip("mcap_ros2.decoder").DecoderFactory()
    write_bag(read_drive(write_drive(tmp_path)), tmp_path / "bag")
    with (tmp_path / "bag" / "bag.mcap").open("rb") as file:
        reader = make_reader(file, decoder_factories=[factory])
        topics = [channel.topic for _, channel, _, _ in reader.iter_decoded_messages()]
    assert topics.count(IMAGE) == topics.count(TRUTH) == 4


def test_limit_and_overwrite_replace_a_bag_with_a_shorter_one(tmp_path: Path) -> None:
    folder, bag = write_drive(tmp_path), tmp_path / "bag"
    assert main([str(folder), str(bag)]) == 0
    assert main([str(folder), str(bag), "--limit", "2", "--overwrite"]) == 0
    assert count_messages(bag) == {IMAGE: 2, CAMERA_INFO: 2, TRUTH: 2, STATIC_TF: 1}
    assert first_image(folder).is_file()
