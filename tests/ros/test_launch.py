"""Fast DDS's profile, and both launch files, really launched."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from typing import TYPE_CHECKING

import pytest
import yaml

from bags.from_kitti import main as from_kitti
from sdepth_ros.conversions import stamp_ns
from tests import workspace
from tests.conftest import ROOT
from tests.helpers import write_drive

if TYPE_CHECKING:
    from demo.peer import Peer

VEHICLE = {
    *("image_topic", "camera_info_topic", "image_transport", "camera_info_url", "rectify"),
    *("namespace", "depth_params", "odometry_params", "day_model", "night_model"),
    *("odometry_model", "mode", "device", "base_frame", "odom_frame", "publish_tf"),
    *("use_sim_time", "rviz", "rviz_config", "one_process", "log_level", "autostart", "respawn"),
}
REPLAY = {"bag", "rate", "loop", "start_delay"}


def test_the_dds_profile_makes_room_for_large_images() -> None:
    tree = ET.parse(ROOT / "ros2_ws/src/sdepth_ros/config/fastdds.xml")
    name = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"
    sizes = [int(item.text or 0) for item in tree.iter(f"{name}segment_size")]
    used = {item.text for item in tree.iter(f"{name}transport_id")}
    assert sizes == [32 * 1024 * 1024]
    assert used == {"large_shm", "udp"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the install folder of a workspace to launch from."""
    pytest.importorskip("colcon_core", reason="colcon is not installed")
    pytest.importorskip("launch_ros", reason="launch is not on PyPI, needs a ROS 2 install")
    if shutil.which("ros2") is None:
        pytest.skip("no ros2 on the PATH")
    return workspace.build(tmp_path_factory.mktemp("launch"), "--symlink-install")


@contextmanager
def launched(installed: Path, *args: str) -> Iterator[Popen[str]]:
    """Run ``ros2 launch sdepth_ros`` while the block runs; then all must end quietly."""
    from tests.ros import processes

    patient = "sigterm_timeout:=60"  # launch gives a node 5 s to end, a busy machine needs more
    launch = shlex.join(["ros2", "launch", "sdepth_ros", *args, patient])
    command = workspace.sourced(installed, launch)
    process = Popen(command, stdout=PIPE, stderr=STDOUT, text=True)
    try:
        yield process
    finally:
        output = processes.finish(process, 100)
    print(output)
    assert "Traceback" not in output
    assert output.count("finished cleanly") >= 2


@pytest.mark.parametrize(("name", "expected"), [("sdepth", VEHICLE), ("replay", REPLAY | VEHICLE)])
def test_every_launch_argument_is_described(
    installed: Path, name: str, expected: set[str]
) -> None:
    command = f"ros2 launch sdepth_ros {name}.launch.py --show-args"
    output = subprocess.check_output(workspace.sourced(installed, command), text=True)
    arguments = re.findall(r"^    '(\w+)':\n        (.*)", output, re.MULTILINE)
    assert {argument for argument, _ in arguments} == expected
    assert "no description given" not in output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("replay.launch.py bag:=/no/bag", "bag:=/no/bag: no such file or folder"),
        ("replay.launch.py bag:=/ loop:=maybe", "maybe"),
        ("replay.launch.py bag:=/ rviz:=maybe", '"rviz" provided value "maybe"'),
        ("replay.launch.py bag:=/ publish_tf:=maybe", '"publish_tf" provided value "maybe"'),
        ("replay.launch.py bag:=/ rate:=0", "rate:=0: expected a number, more than 0"),
        ("sdepth.launch.py respawn:=maybe", '"respawn" provided value "maybe"'),
        ("sdepth.launch.py mode:=dawn", '"mode" provided value "dawn"'),
        ("sdepth.launch.py depth_params:=/none.yaml", "depth_params:=/none.yaml: no such file"),
    ],
)
def test_a_wrong_argument_ends_the_launch_before_anything_runs(
    installed: Path, arguments: str, reason: str
) -> None:
    command = workspace.sourced(installed, f"ros2 launch sdepth_ros {arguments}")
    done = subprocess.run(command, stdout=PIPE, stderr=STDOUT, text=True, check=False)
    assert done.returncode == 1
    assert reason in done.stdout
    assert "process started" not in done.stdout


def test_what_is_no_bag_ends_the_launch_with_its_nodes(installed: Path, domain: int) -> None:
    command = "ros2 launch sdepth_ros replay.launch.py bag:=/ rviz:=false"
    output = subprocess.check_output(
        workspace.sourced(installed, command), stderr=STDOUT, text=True, timeout=100
    )
    assert "not a rosbag2" in output
    assert output.count("process started") == 3
    assert output.count("process has finished cleanly") == 2
    assert "Traceback" not in output


def test_without_rviz_the_nodes_start(installed: Path, domain: int) -> None:
    from ament_index_python.packages import get_package_prefix

    with suppress(LookupError):
        get_package_prefix("rviz2")
        pytest.skip("RViz is installed")
    with launched(installed, "sdepth.launch.py", "rviz:=true", "autostart:=false") as process:
        assert process.stdout
        lines = list(itertools.takewhile(lambda text: "waiting to be" not in text, process.stdout))
    assert "going on without" in "".join(lines)


@pytest.mark.parametrize(("base", "fixed"), [("car", "car"), ("none", "world")])
def test_rviz_looks_from_the_frames_that_arguments_give(
    installed: Path, base: str, fixed: str
) -> None:
    from launch.launch_description_sources import python_launch_file_utilities as files

    from launch import LaunchContext

    module = files.load_python_launch_file_as_module(str(ROOT / "launch/sdepth.launch.py"))
    context = LaunchContext()
    context.launch_configurations.update(
        rviz_config=str(ROOT / "rviz/sdepth.rviz"), base_frame=base, odom_frame="world"
    )
    shown = Path(module._view(context)).read_text()
    assert re.findall(r"\n +(Fixed|Target|Reference) Frame: ([a-z]+)", shown) == [
        ("Reference", "world"), ("Fixed", fixed), ("Target", fixed),
    ]  # fmt: skip


@pytest.mark.ros
@pytest.mark.slow
def test_arguments_win_over_files_and_files_over_defaults(
    installed: Path, peer: Peer, tmp_path: Path
) -> None:
    written = tmp_path / "depth.param.yaml"
    values = {"mode": "night", "depth.max_m": 30.0, "autostart": True}
    written.write_text(yaml.safe_dump({"/**": {"ros__parameters": values}}))
    given = [f"depth_params:={written}", "namespace:=front", "autostart:=false"]
    from tests.ros.manager import Manager

    given += ["odom_frame:=world", "base_frame:=none"]
    with launched(installed, "sdepth.launch.py", *given):
        depth, odometry = (Manager(peer, f"front/{name}") for name in ("depth", "odometry"))
        assert depth.get("mode", "depth.max_m", "autostart") == ["night", 30.0, False]
        assert odometry.get("odom_frame", "base_frame", "autostart") == [
            "world", "", False,
        ]  # fmt: skip
        assert (depth.state(), odometry.state()) == ("unconfigured", "unconfigured")


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize("together", ["false", "true"], ids=["two processes", "one process"])
def test_a_bag_is_played_once_both_nodes_listen(
    installed: Path, peer: Peer, weights: Path, tmp_path: Path, together: str
) -> None:
    from nav_msgs.msg import Odometry
    from sensor_msgs.msg import Image

    drive = write_drive(tmp_path, frames=8, size=(96, 256)) / "sequences/00"
    assert from_kitti([str(drive), str(tmp_path / "bag")]) == 0
    depths, odoms = peer.listen(Image, "/depth/image_rect"), peer.listen(Odometry, "/odom")
    models = [f"{name}_model:={weights}" for name in ("day", "night", "odometry")]
    args = [f"bag:={tmp_path / 'bag'}", "rviz:=false", "rate:=0.2", *models]
    args += [f"one_process:={together}", "start_delay:=3.0"]  # the node finds us, too
    with launched(installed, "replay.launch.py", *args):
        assert peer.spin_until(lambda: len(odoms) == 8, 90)
    stamps = [stamp_ns(msg.header) for msg in odoms]
    assert stamps == [stamp_ns(msg.header) for msg in depths]
    assert [after - before for before, after in pairwise(stamps)] == [100_000_000] * 7
