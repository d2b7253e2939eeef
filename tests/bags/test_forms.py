"""Bags as people have them are read by every tool, and what is missing is said."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer

from bags.messages import STORE, make
from bags.process import find_bags
from bags.process import main as process
from bags.read import count_messages, read_messages
from bags.recordings import Topics, read_bag
from bags.run import main as run
from bags.write import CAMERA_INFO, IMAGE
from sdepth.errors import DataError
from sdepth_ros.bags.reader import is_bag, open_bag
from tests.bags import forms
from training.data.crop_resize import CropResize


@pytest.mark.parametrize("form", forms.FORMS)
def test_every_form_holds_the_same_drive(tmp_path: Path, form: str) -> None:
    bag = forms.make(tmp_path, form)

    assert is_bag(bag)
    assert count_messages(bag) == {"/tf_static": 1, "/odom": 6, CAMERA_INFO: 6, IMAGE: 6}
    (recording,) = read_bag(bag, Topics(), CropResize())
    frames = list(recording.frames())
    images = [msg.data.reshape(32, 64, 3) for topic, _, msg in forms.drive() if topic == IMAGE]
    assert recording.camera == forms.CAMERA
    assert [frame.stamp_ns for frame in frames] == [10**11 + i * 10**8 for i in range(6)]
    np.testing.assert_array_equal([frame.image() for frame in frames], images)
    assert frames[-1].T_world_cam[2, 3] == pytest.approx(2.5)  # by /odom and /tf_static


def test_files_of_one_bag_are_one_drive(tmp_path: Path) -> None:
    timed = forms.drive(12)
    for number in range(12):
        part = [item for item in timed if item[1] == forms.START_NS + number * forms.PERIOD_NS]
        made = forms.write(tmp_path / f"part{number}", part, StoragePlugin.SQLITE3)
        (tmp_path / "bag").mkdir(exist_ok=True)
        shutil.move(forms.data_file(made), tmp_path / f"bag/drive_{number}.db3")

    assert [time for _, time, _ in read_messages(tmp_path / "bag")] == [t for _, t, _ in timed]
    assert count_messages(tmp_path / "bag")[IMAGE] == 12


@pytest.mark.parametrize("packed", [CompressionMode.NONE, CompressionMode.STORAGE])
@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_a_bag_cut_off_is_read_as_far_as_it_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, packed: CompressionMode, share: float
) -> None:
    file = forms.data_file(forms.write(tmp_path / "bag", forms.drive(120), packed=packed))
    whole = [(topic, time) for topic, time, _ in read_messages(file.parent)]
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])

    with caplog.at_level(logging.WARNING):
        found = [(topic, time) for topic, time, _ in read_messages(file.parent)]

    assert found == whole[: len(found)]
    assert len(found) > (share - 0.3) * len(whole)  # the rest of a block of zstd
    (said,) = (r.getMessage() for r in caplog.records if "cut off" in r.getMessage())
    assert f"{file}: cut off; read as far as it goes: {len(found)} messages" in said


def test_types_that_nobody_knows_are_left_out_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Writer(tmp_path / "bag", version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, kind in (
            ("/lidar", "livox_ros_driver2/msg/CustomMsg"),
            ("/plan/_service_event", "nav_msgs/srv/GetPlan_Event"),
            ("/drive/_action/feedback", "nav2_msgs/action/Drive_FeedbackMessage"),
        ):
            odd = writer.add_connection(topic, kind, msgdef="uint8 x", rihs01="RIHS01_0")
            for time in range(3):
                writer.write(odd, time, b"\0\1\0\0\7")
        known = writer.add_connection("/name", "std_msgs/msg/String", typestore=STORE)
        text = make("std_msgs/String", data="here")
        writer.write(known, 5, STORE.serialize_cdr(text, text.__msgtype__))

    for _ in range(2):
        assert [topic for topic, _, _ in read_messages(tmp_path / "bag")] == ["/name"]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert "/lidar: type livox_ros_driver2/msg/CustomMsg is not known, left out" in said[0]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.mcap", b"", "damaged"),
        ("a.mcap", b"no mcap at all", "File magic is invalid"),
        ("a.db3", b"SQLite format 3\0" + bytes(100), "damaged"),
        ("a.bag", b"#ROSBAG V2.0\n", "`rosbag reindex`"),
        ("a.bag.active", b"#ROSBAG V2.0\n", "`rosbag reindex`"),
        ("a.db3.zstd", b"junk", "damaged"),
        ("a.txt", b"", "expected a rosbag2"),
    ],
)
def test_what_is_no_bag_is_one_line(
    tmp_path: Path, name: str, content: bytes, complaint: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        open_bag(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_metadata_names_must_be_there(tmp_path: Path) -> None:
    bag = forms.write(tmp_path / "bag", forms.drive())
    meta = yaml.safe_load((bag / "metadata.yaml").read_text())
    meta["rosbag2_bagfile_information"]["relative_file_paths"].append("bag_1.mcap")
    (bag / "metadata.yaml").write_text(yaml.safe_dump(meta))
    with pytest.raises(DataError, match=r"bag_1\.mcap of metadata\.yaml missing.*reindex"):
        open_bag(bag)


def test_a_fleet_is_done_whatever_its_bags_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet, out = tmp_path / "fleet", tmp_path / "out"
    forms.write(fleet / "good", forms.drive(3))
    shutil.copytree(fleet / "good", fleet / "bad")
    file = forms.data_file(fleet / "bad")
    data = bytearray(file.read_bytes())
    data[40:80] = b"\xff" * 40
    file.write_bytes(data)
    forms.make(fleet, "ros1")
    whole = forms.data_file(fleet / "good").read_bytes()
    (fleet / "cut.mcap").write_bytes(whole[: len(whole) * 3 // 4])

    assert len(find_bags(fleet)) == 4
    assert process([str(fleet), str(out), "--workers", "0"]) == 2

    said = capsys.readouterr()
    table = {line.split(" | ")[0]: line for line in said.out.splitlines() if line.startswith("| ")}
    assert "| good | 3 | " in table["| good"]
    assert "| drive.bag | 6 | " in table["| drive.bag"]
    assert "cut off; read as far as it goes" in table["| cut.mcap"]
    assert f"failed: {fleet / 'bad'}: " in table["| bad"]
    assert "3 of 4 bags done" in said.out
    assert sorted(p.name for p in out.iterdir()) == [
        "cut.mcap", "dataset.json", "drive.bag", "good",
    ]  # fmt: skip


def test_run_takes_every_form(tmp_path: Path) -> None:
    for form in ("lone db3", "ros1"):
        bag = forms.make(tmp_path, form)
        assert run([str(bag), str(tmp_path / "out"), "--overwrite"]) == 0
        assert count_messages(tmp_path / "out")["/odom"] == 6
