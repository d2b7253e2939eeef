"""A recording through depth and odometry into a bag, without ROS."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from bags.messages import compressed_image
from bags.read import count_messages, read_messages
from bags.run import main
from bags.write import CAMERA_INFO, IMAGE, write_bag
from sdepth.checkpoint import bundled
from sdepth.depth.estimator import DepthEstimator
from sdepth_ros.conversions import read_transform, stamp_ns, to_depth, to_lens
from tests.bags import forms
from tests.helpers import write_drive
from training.data.drive import Drive
from training.data.open_drive import read_drive

OUTPUTS = {"depth/image_rect", "depth/camera_info", "depth/color", "points", "odom", "tf"}


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    """Return a drive towards a wall, five frames."""
    return read_drive(write_drive(tmp_path / "d", frames=5, size=(64, 96)) / "sequences/00")


def messages(bag: Path, topic: str) -> list[Any]:
    """Return the messages of a topic."""
    return [msg for _, _, msg in read_messages(bag, topic)]


def test_fused_depth_is_there_where_it_is_asked_for(drive: Drive, tmp_path: Path) -> None:
    source, out = str(tmp_path / "d/sequences/00"), tmp_path / "out"
    assert main([source, str(out), "--fused", "--set", "depth.max_m=1000.0"]) == 0
    names = ("depth/image_rect", "depth/camera_info", "depth/color", "points")
    counts = count_messages(out)
    assert {counts[f"/fused/{name}"] for name in names} == {5}
    own, fused = messages(out, "/depth/image_rect"), messages(out, "/fused/depth/image_rect")
    assert [m.header.stamp for m in fused] == [m.header.stamp for m in own]
    assert to_depth(fused[0]) == pytest.approx(to_depth(own[0]))  # nothing came before
    assert to_depth(fused[-1]) != pytest.approx(to_depth(own[-1]), rel=1e-3)


def test_fused_depth_stays_in_range_as_the_node_has_it(drive: Drive, tmp_path: Path) -> None:
    source, first, second = str(tmp_path / "d/sequences/00"), tmp_path / "free", tmp_path / "cut"
    assert main([source, str(first), "--set", "depth.max_m=1000.0"]) == 0
    middle = float(np.median(to_depth(messages(first, "/depth/image_rect")[-1])))
    assert main([source, str(second), "--fused", "--set", f"depth.max_m={middle:.3f}"]) == 0
    for number in range(5):
        own, fused = (
            to_depth(messages(second, f"{under}/depth/image_rect")[number])
            for under in ("", "/fused")
        )
        np.testing.assert_array_equal(np.isfinite(fused), np.isfinite(own))
        assert fused[np.isfinite(fused)].max() <= middle + 1e-3


def test_a_drive_becomes_what_the_nodes_publish(drive: Drive, tmp_path: Path) -> None:
    out = tmp_path / "out"
    args = [str(tmp_path / "d/sequences/00"), str(out), "--camera-height", "1.5"]

    params = ("depth.max_m=1000.0", "mode=night", "model.precision=fp32")
    assert main([*args, *(x for param in params for x in ("--set", param))]) == 0
    counts = count_messages(out)
    assert {counts[f"/{name}"] for name in OUTPUTS} == {5}
    assert (counts["/depth/mode"], counts["/depth/scale"], counts["/tf_static"]) == (1, 1, 1)
    assert messages(out, "/depth/mode")[0].data == "night"
    stamps = [frame.stamp_ns for frame in drive.frames]
    for name in OUTPUTS - {"tf"}:
        assert [stamp_ns(m.header) for m in messages(out, f"/{name}")] == stamps
    depth, info = messages(out, "/depth/image_rect")[0], messages(out, "/depth/camera_info")[0]
    assert to_lens(info).rectified == drive.camera
    image, night = drive.read(drive.frames[0]), DepthEstimator(bundled("night"), "cpu")
    own = night.predict(image, drive.camera)
    assert to_depth(depth) == pytest.approx(own.depth, rel=1e-3)  # perhaps another engine
    odom, moved = messages(out, "/odom")[-1], messages(out, "/tf")[-1].transforms[0]
    T_odom, T_tf = (
        read_transform(odom.pose.pose.position, odom.pose.pose.orientation),
        read_transform(moved.transform.translation, moved.transform.rotation),
    )
    assert np.array_equal(T_odom, T_tf)
    assert (odom.header.frame_id, odom.child_frame_id) == ("odom", "base_link")
    assert np.linalg.eigvalsh(odom.pose.covariance.reshape(6, 6)).min() > 0


def test_a_bag_gives_what_its_drive_gives(drive: Drive, tmp_path: Path) -> None:
    write_bag(drive, tmp_path / "bag")
    source, one, two = str(tmp_path / "d/sequences/00"), tmp_path / "one", tmp_path / "two"

    assert main([source, str(one)]) == main([str(tmp_path / "bag"), str(two)]) == 0
    depths = [[to_depth(m) for m in messages(out, "/depth/image_rect")] for out in (one, two)]
    np.testing.assert_array_equal(*depths)
    assert messages(one, "/odom")[0].child_frame_id == "camera_optical"


def test_a_folder_and_a_video_need_their_calibration(drive: Drive, tmp_path: Path) -> None:
    calib, video = tmp_path / "camera.yaml", tmp_path / "ride.avi"
    c = drive.camera
    calib.write_text(
        yaml.safe_dump(
            {
                "image_width": c.width,
                "image_height": c.height,
                "distortion_model": "plumb_bob",
                "camera_matrix": {"rows": 3, "cols": 3, "data": c.K.ravel().tolist()},
                "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.0] * 5},
                "rectification_matrix": {"rows": 3, "cols": 3, "data": np.eye(3).ravel().tolist()},
                "projection_matrix": {
                    "rows": 3,
                    "cols": 4,
                    "data": np.c_[c.K, np.zeros(3)].ravel().tolist(),
                },
            }
        )
    )
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 10, (c.width, c.height))
    for frame in drive.frames:
        writer.write(drive.read(frame)[..., ::-1])
    writer.release()
    images = drive.frames[0].image.parent

    assert main([str(video), str(tmp_path / "none")]) == 2
    for source in (video, images):
        out = tmp_path / f"of_{source.stem}"
        assert main([str(source), str(out), "--calib", str(calib)]) == 0
        assert count_messages(out)["/odom"] == 5


def test_day_or_night_is_told_by_the_image_as_it_came(tmp_path: Path) -> None:
    timed = forms.drive(3)
    for topic, _, msg in timed:
        if topic == CAMERA_INFO:
            msg.distortion_model, msg.d = "plumb_bob", np.array([1e-3, 0, 0, 0, 0])
            msg.p[[0, 5]] *= 2  # the rectified image shows a quarter of the sensor
        if topic == IMAGE:
            pixels = msg.data.reshape(forms.CAMERA.height, forms.CAMERA.width, 3)
            pixels[:] = 255
            pixels[7:25, 15:49] = 0
    bag = forms.write(tmp_path / "bag", timed)

    assert main([str(bag), str(tmp_path / "out")]) == 0

    (jpeg, *_) = messages(tmp_path / "out", "/image_rect/compressed")
    assert cv2.imdecode(jpeg.data, cv2.IMREAD_GRAYSCALE).mean() < 0.05 * 255
    assert [mode.data for mode in messages(tmp_path / "out", "/depth/mode")] == ["day"]


def test_the_first_calibrated_camera_info_counts_and_a_change_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    timed = forms.drive(6)
    infos = [msg for topic, _, msg in timed if topic == CAMERA_INFO]
    infos[0].k, infos[0].p = np.zeros(9), np.zeros(12)  # as a driver sends before it has read it
    infos[4].k[0] = infos[4].p[0] = 70.0
    bag, out = forms.write(tmp_path / "bag", timed), tmp_path / "out"

    assert main([str(bag), str(out)]) == 0
    assert to_lens(messages(out, "/depth/camera_info")[5]).rectified == forms.CAMERA
    changed = forms.START_NS + 4 * forms.PERIOD_NS
    said = [r.getMessage() for r in caplog.records if "calibration changes" in r.getMessage()]
    assert said == [
        f"{bag}: {CAMERA_INFO}: the calibration changes, for example at {changed} ns; the first "
        "one is taken for all images. Cut the bag there, or give --calib"
    ]


def test_a_bag_without_any_calibration_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    timed = forms.drive(3)
    for topic, _, msg in timed:
        if topic == CAMERA_INFO:
            msg.k, msg.p = np.zeros(9), np.zeros(12)
    assert main([str(forms.write(tmp_path / "bag", timed)), str(tmp_path / "out")]) == 2
    assert "K of all zeros means 'uncalibrated'" in capsys.readouterr().err


def test_stamps_before_1970_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stamps = [-5 * 10**9 + i * 10**8 for i in range(6)]
    bag = forms.write(tmp_path / "bag", forms.drive(6, stamps))
    assert main([str(bag), str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "message 1 of 6: stamp -5000000000 ns is before 1970" in said
    assert main([str(bag), str(tmp_path / "out"), "--stamps", "bag"]) == 0


@pytest.mark.parametrize(
    "form", ["16UC1; compressedDepth png", "32FC1; compressedDepth", "16UC1; png"]
)
def test_depth_is_no_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    png = cv2.imencode(".png", np.full((32, 64), 900, np.uint16))[1]
    depth = compressed_image(png, form, forms.START_NS)
    topic = "/camera/depth/compressedDepth"
    timed = [*forms.drive(3), (topic, forms.START_NS, depth)]
    bag = str(forms.write(tmp_path / "bag", timed))

    args = ["--image", topic, "--camera-info", CAMERA_INFO]
    assert main([bag, str(tmp_path / "none"), *args]) == 2
    assert f"format '{form}': depth, expected a picture" in capsys.readouterr().err
    assert main([bag, str(tmp_path / "out")]) == 0  # and not one of two topics of images


@pytest.mark.parametrize("stamps", [[0] * 6, [7 * 10**9] * 6])
def test_where_no_stamp_is_set_the_bag_s_own_times_are_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stamps: list[int]
) -> None:
    bag = forms.write(tmp_path / "bag", forms.drive(6, stamps))

    assert main([str(bag), str(tmp_path / "out")]) == 0

    times = [stamp_ns(m.header) for m in messages(tmp_path / "out", "/odom")]
    assert times == [forms.START_NS + i * forms.PERIOD_NS for i in range(6)]
    (said,) = (r.getMessage() for r in caplog.records if "driver did not set" in r.getMessage())
    assert f"all 6 stamps are {stamps[0]} ns" in said


@pytest.mark.parametrize(
    ("stamps", "said", "kept"),
    [
        ((1, 2, 2, 3, 4, 5), "message 3 of 6: stamp 2 ns is that of the frame before", 5),
        ((1, 2, 3, 2, 4, 5), "message 4 of 6: stamp 2 ns does not come after 3 ns", 5),
        ((0, 0, 3, 4, 5, 6), "message 2 of 6: stamp is 0 again", 5),
        ((4, 5, 6, 1, 2, 3), "message 4 of 6: stamp 1 ns does not come after 6 ns", 3),
    ],
)
def test_stamps_out_of_order_are_refused_unless_told_how(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    stamps: tuple[int, ...],
    said: str,
    kept: int,
) -> None:
    bag, out = forms.write(tmp_path / "bag", forms.drive(6, stamps)), tmp_path / "out"

    assert main([str(bag), str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
    assert main([str(bag), str(out), "--skip-broken"]) == 0
    assert count_messages(out)["/odom"] == kept
    assert main([str(bag), str(out), "--stamps", "bag", "--overwrite"]) == 0
    assert count_messages(out)["/odom"] == 6


def test_metres_that_nobody_knows_are_said_not_to_be(drive: Drive, tmp_path: Path) -> None:
    out = tmp_path / "out"

    assert main([str(tmp_path / "d/sequences/00"), str(out), "--set", "scale.source=unknown"]) == 0
    assert isnan(messages(out, "/depth/scale")[0].data)
    assert messages(out, "/odom")[0].pose.covariance[0] == 9999


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("cloud.stide=2", "unknown key 'stide'"),
        ("scale.source=camera_height", "set scale.camera_height_m"),
        ("depth.min_m=100.0", "expected min < max"),
    ],
)
def test_a_wrong_parameter_is_named_and_nothing_written(
    drive: Drive, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, reason: str
) -> None:
    out = tmp_path / "out"

    assert main([str(tmp_path / "d/sequences/00"), str(out), "--set", change]) == 2
    assert reason in capsys.readouterr().err
    assert not out.exists()
