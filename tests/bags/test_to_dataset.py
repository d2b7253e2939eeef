"""Bags become folders to train on; training runs on them."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from bags import messages
from bags.messages import STORE
from bags.to_dataset import main
from bags.write import IMAGE, BagConfig, write_bag
from sdepth.geometry.camera import Camera
from sdepth_ros.bags.file import add_topic, new_bag
from tests.bags import forms
from tests.helpers import write_drive
from training import train
from training.data.drive import Drive, read_image
from training.data.open_drive import find_drives, read_drive

LENS = Camera(40, 40, 31.5, 15.5, 64, 32)
PERIOD_NS = 100_000_000


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    """Return a drive of eight frames, 0.5 m ahead each."""
    return read_drive(write_drive(tmp_path / "drive", frames=8) / "sequences/00")


def write(bag: Path, stamped: list[tuple[str, int, Any]], sqlite: bool = False) -> Path:
    """Return a bag of messages."""
    old = Writer(bag, version=8, storage_plugin=StoragePlugin.SQLITE3)
    with old if sqlite else new_bag(bag) as writer:
        topics: dict[str, Any] = {}
        for topic, time, msg in stamped:
            if topic not in topics:
                topics[topic] = add_topic(writer, topic, msg.__msgtype__, STORE)
            writer.write(topics[topic], time, STORE.serialize_cdr(msg, msg.__msgtype__))
    return bag


def seen(times: list[int], topic: str = IMAGE) -> list[tuple[str, int, Any]]:
    """Return an image and a camera_info for each time."""
    grey = np.full((32, 64, 3), 99, np.uint8)
    info = topic.rpartition("/")[0] + "/camera_info"
    return [
        pair
        for t in times
        for pair in (
            (topic, t, messages.image(grey, "rgb8", t)),
            (info, t, messages.camera_info(LENS, t)),
        )
    ]


def tf(parent: str, child: str, t: int, x: float = 0.0, yaw: float = 0.0) -> Any:
    """Return a TFMessage."""
    msg = messages.transforms(np.eye(4), t, "base_link", "camera_optical")
    stamped = msg.transforms[0]
    stamped.header.frame_id, stamped.child_frame_id = parent, child
    stamped.transform.translation.x = x
    stamped.transform.rotation.z, stamped.transform.rotation.w = (
        math.sin(yaw / 2),
        math.cos(yaw / 2),
    )
    return msg


@pytest.mark.parametrize("compressed", [False, True])
def test_a_drive_survives_the_way_through_a_bag(
    tmp_path: Path, drive: Drive, compressed: bool
) -> None:
    write_bag(drive, tmp_path / "bag", BagConfig(compressed=compressed))
    assert main([str(tmp_path / "bag"), str(tmp_path / "out")]) == 0
    made = read_drive(tmp_path / "out/sequences/bag")
    assert made.camera == drive.camera
    for was, now in zip(drive.frames, made.frames, strict=True):
        assert now.stamp_ns == was.stamp_ns
        np.testing.assert_array_equal(read_image(now.image), read_image(was.image))
        np.testing.assert_allclose(now.T_world_cam, was.T_world_cam, atol=1e-8)


def test_training_runs_on_a_bag(tmp_path: Path, drive: Drive) -> None:
    write_bag(drive, tmp_path / "bag")
    assert main([str(tmp_path / "bag"), str(tmp_path / "out")]) == 0
    config = tmp_path / "tiny.yaml"
    config.write_text(
        f"data: {{train: [{tmp_path / 'out'}], size: [64, 64], workers: 0}}\n"
        "model: {depth: tiny, pose: tiny}\nloss: {scales: 2, speed_weight: 0.02}\n"
        "optim: {steps: 20, batch: 2, lr: 1.0e-3}\nlog: {scalars_every: 5, save_every: 20}\n"
    )
    assert train.main([str(config), "--out", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run/weights.safetensors").is_file()


def test_the_same_command_goes_on_where_it_stopped(tmp_path: Path, drive: Drive) -> None:
    write_bag(drive, tmp_path / "bag")
    args = [str(tmp_path / "bag"), str(tmp_path / "out"), "--size", "32x16"]
    assert main(args) == 0
    folder = tmp_path / "out/sequences/bag"
    (folder / "calib.txt").unlink()
    first, second = sorted((folder / "image_2").iterdir())[:2]
    first.unlink()
    kept = second.stat().st_mtime_ns
    assert main(args) == 0
    assert (len(read_drive(folder).frames), second.stat().st_mtime_ns) == (8, kept)


def test_missing_images_split_a_bag_in_sequences(tmp_path: Path) -> None:
    bag = write(tmp_path / "bag", seen([i * PERIOD_NS for i in (0, 1, 2, 5, 6, 7, 8)]))
    assert main([str(bag), str(tmp_path / "out")]) == 0
    lengths = [len(read_drive(f).frames) for f in find_drives(tmp_path / "out")]
    assert lengths == [3, 4]


def test_poses_of_tf_reach_the_camera_through_static_transforms(tmp_path: Path) -> None:
    times = [i * PERIOD_NS for i in range(4)]
    stamped = seen(times)
    stamped += [("/tf_static", 0, tf("base_link", "mast", 0, x=2.0))]
    stamped += [("/tf_static", 0, tf("mast", "camera_optical", 0))]
    stamped += [("/tf", t, tf("odom", "base_link", t, yaw=t * 1e-9)) for t in (0, 4 * PERIOD_NS)]
    assert main([str(write(tmp_path / "bag", stamped)), str(tmp_path / "out")]) == 0
    pose = read_drive(tmp_path / "out/sequences/bag").frames[2].T_world_cam
    turned = [2 * math.cos(0.2) - 2, 2 * math.sin(0.2), 0]  # about an axle 2 m behind
    np.testing.assert_allclose(pose[:3, 3], turned, atol=1e-8)


@pytest.mark.parametrize("part", ["orientation", "position"])
@pytest.mark.parametrize("broken", [[3], [0, 1, 2, 3, 4, 5]])
def test_poses_that_nobody_has_set_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, part: str, broken: list[int]
) -> None:
    timed = forms.drive(6)
    poses = [msg.pose.pose for topic, _, msg in timed if topic == "/odom"]
    for number in broken:
        if part == "orientation":
            poses[number].orientation.w = 0.0
        else:
            poses[number].position.x = math.nan
    bag = forms.write(tmp_path / "bag", timed)

    assert main([str(bag), str(tmp_path / "out")]) == 0
    (made,) = (read_drive(folder) for folder in find_drives(tmp_path / "out"))
    known = [frame.T_world_cam for frame in made.frames]
    if len(broken) == 6:
        assert known == [None] * 6
    else:  # between its neighbours
        ahead = [T[2, 3] for T in known]
        assert ahead == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
    assert sum("/odom: what is not finite" in r.getMessage() for r in caplog.records) <= 1


def test_distorted_images_are_rectified_by_their_camera_info(tmp_path: Path) -> None:
    stamped = seen([i * PERIOD_NS for i in range(3)])
    board = cv2.resize(np.indices((4, 8)).sum(0).astype(np.uint8) % 2 * 255, (64, 32))
    for topic, _, msg in stamped:
        if topic == IMAGE:
            msg.data = np.repeat(board[..., None], 3, 2).ravel()
        else:
            msg.d, msg.p = np.array([-0.3, 0.1, 0, 0, 0]), np.zeros(12)
    assert main([str(write(tmp_path / "bag", stamped)), str(tmp_path / "out")]) == 0
    made = read_drive(tmp_path / "out/sequences/bag")
    expected = cv2.undistort(board, LENS.K, np.array([-0.3, 0.1, 0, 0, 0]))
    error = np.abs(read_image(made.frames[0].image)[..., 0].astype(int) - expected)
    assert made.camera == LENS
    assert error.max() <= 16  # of 255: cv2.undistort rounds where it samples to 1/32 pixel


CALIBRATION = """image_width: 64
image_height: 32
camera_name: dashcam
camera_matrix: {rows: 3, cols: 3, data: [40, 0, 31.5, 0, 40, 15.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.3, 0, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [40, 0, 31.5, 0, 0, 40, 15.5, 0, 0, 0, 1, 0]}
"""


def test_a_calibration_file_stands_in_for_camera_info(tmp_path: Path) -> None:
    times, calib = [i * PERIOD_NS for i in range(3)], tmp_path / "camera.yaml"
    calib.write_text(CALIBRATION)
    distorted = seen(times)
    for _, _, msg in distorted[1::2]:
        msg.d = np.array([0.3, 0.0, 0, 0, 0])
    for name, stamped in (("with", distorted), ("without", distorted[::2])):
        write(tmp_path / name, stamped)

    assert main([str(tmp_path / "with"), str(tmp_path / "a")]) == 0
    assert main([str(tmp_path / "without"), str(tmp_path / "b"), "--calib", str(calib)]) == 0

    a, b = (read_drive(tmp_path / f) for f in ("a/sequences/with", "b/sequences/without"))
    assert a.camera == b.camera
    images = [read_image(drive.frames[0].image) for drive in (a, b)]
    np.testing.assert_array_equal(*images)
    assert images[0].min() < 99  # black from beyond the lens: both were rectified


def test_bags_of_the_older_kind_are_read(tmp_path: Path) -> None:
    bag = write(tmp_path / "bag", seen([i * PERIOD_NS for i in range(3)]), sqlite=True)
    assert (bag / "bag.db3").is_file()
    assert main([str(bag), str(tmp_path / "out")]) == 0
    assert len(read_drive(tmp_path / "out/sequences/bag").frames) == 3


def bad_bag(kind: str, bag: Path) -> Path:
    """Return a bag that lacks something."""
    times = [i * PERIOD_NS for i in range(4)]
    made = seen(times)
    if kind == "two cameras":
        made += seen(times, "/rear/image_raw")
    elif kind == "no camera_info":
        made = [m for m in made if m[0] == IMAGE]
    elif kind == "time goes back":
        made += [(topic, 9 * PERIOD_NS, msg) for topic, _, msg in seen([PERIOD_NS])]
    elif kind == "not fixed":
        made += [("/tf", t, tf("odom", "base_link", t)) for t in times]
    elif kind == "two odometries":
        made += [("/tf", t, tf("odom", "camera_optical", t)) for t in times]
        made += [("/gps/tf", t, tf("map", "camera_optical", t)) for t in times]
    elif kind == "other size":
        for _, _, msg in made[1::2]:
            msg.width = 48
    elif kind == "truncated":
        made[2][2].data = made[2][2].data[:99]
    return write(bag, made)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("two cameras", "choose one with --image TOPIC"),
        ("no camera_info", "nothing on /camera/camera_info, where .* file with --calib"),
        ("time goes back", "stamp 100000000 ns does not come after 300000000 ns, .* --stamps bag"),
        ("not fixed", r"no static transform from /tf \(base_link\) to camera_optical"),
        ("two odometries", "choose one with --odometry TOPIC"),
        ("other size", "image of 64x32, its camera's is 48x32"),
        ("truncated", "0000000000100000000: rgb8 image of 64x32: got step 192 and 99 bytes"),
    ],
)
def test_bad_bags_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, message: str
) -> None:
    bag = bad_bag(kind, tmp_path / "bag")
    assert main([str(bag), str(tmp_path / "out")]) == 2
    said = [x for x in capsys.readouterr().err.splitlines() if x.startswith("bags.to_dataset: ")]
    assert len(said) == 1
    assert re.search(message, said[0])


@pytest.mark.parametrize("kind", ["time goes back", "truncated"])
def test_bad_images_are_left_out_when_asked(tmp_path: Path, kind: str) -> None:
    bag = bad_bag(kind, tmp_path / "bag")
    assert main([str(bag), str(tmp_path / "out"), "--skip-broken"]) == 0
    (folder,) = find_drives(tmp_path / "out")
    assert len(read_drive(folder).frames) == (4 if kind == "time goes back" else 3)


def test_a_folder_that_is_no_bag_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "not a bag: no metadata.yaml" in capsys.readouterr().err


def test_bags_of_one_name_do_not_overwrite_each_other(
    tmp_path: Path, drive: Drive, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("a", "b"):
        write_bag(drive, tmp_path / folder / "bag")
    args = [str(tmp_path / "a/bag"), str(tmp_path / "b/bag"), str(tmp_path / "out")]
    assert main(args) == 2
    assert "two drives are named bag" in capsys.readouterr().err
