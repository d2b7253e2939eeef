"""Real drives replayed fast, also through too slow a network: every image is accounted for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image

from bags.read import read_messages
from bags.write import IMAGE, BagConfig, write_bag
from demo.nodes import environment
from sdepth.checkpoint import read_card, save
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from sdepth_ros.conversions import stamp_ns
from tests.ros import processes, test_depth_node, test_odometry_node
from training.data.open_drive import read_drive

if TYPE_CHECKING:
    from demo.peer import Peer

pytestmark = [pytest.mark.ros, pytest.mark.slow]
ODOMETRY_06 = "kitti_odom/sequences/06"
RAW_0052 = "kitti_raw/2011_09_26/2011_09_26_drive_0052_sync"


@pytest.fixture(scope="module")
def slow_weights(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an untrained ResNet-18 checkpoint of 1280x384: no CPU keeps up with 30 Hz."""
    path = tmp_path_factory.mktemp("weights") / "slow.safetensors"
    card = dataclasses.replace(
        read_card(weights), depth_architecture="resnet18", input_size=(384, 1280)
    )
    save(path, DepthNet("resnet18"), PoseNet(card.pose_architecture), card)
    return path


@pytest.mark.parametrize(
    ("drive", "hz", "network"),
    [(ODOMETRY_06, 10, "weights"), (RAW_0052, 30, "weights"), (ODOMETRY_06, 30, "slow_weights")],
)
def test_every_image_is_answered_once_or_counted_as_dropped(
    peer: Peer, domain: int, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest, drive: str, hz: int, network: str, lost_are_counted: bool,
) -> None:  # fmt: skip
    if not (shared_data / drive).is_dir():
        pytest.skip(f"{shared_data / drive} is not there")
    for name, value in environment(domain).items():  # as the launch files set it
        monkeypatch.setenv(name, value)
    bag = tmp_path / "bag"
    write_bag(read_drive(shared_data / drive), bag, BagConfig(camera_height_m=1.65))
    sent = [stamp_ns(msg.header) for _, _, msg in read_messages(bag, IMAGE)]
    answers = {
        "depth": peer.listen(Image, "/depth/image_rect"),
        "odometry": peer.listen(Odometry, "/odom"),
    }
    said: dict[str, dict[str, str]] = {}

    def keep(report: DiagnosticArray) -> None:
        said[report.status[0].name.split(":")[0]] = {
            item.key: item.value for item in report.status[0].values
        }

    peer.create_subscription(DiagnosticArray, "/diagnostics", keep, 10)
    weights = request.getfixturevalue(network)
    depth = test_depth_node.arguments(weights, "depth.resolution:=model", "cloud.enable:=false")
    odometry = test_odometry_node.arguments(request.getfixturevalue("weights"))
    listened_to = ("--wait-for", IMAGE, "/depth/image_rect", "/odom", "--start-delay", "2")
    with (
        processes.running("depth_node", *depth),
        processes.running("odometry_node", *odometry),
        processes.running("bags.replay", str(bag), "--rate", str(hz / 10), *listened_to) as replay,
    ):
        assert peer.spin_until(lambda: replay.poll() is not None, 120)
        assert replay.returncode == 0
        fates = [f"frames {fate}" for fate in ("out", "dropped", "bad", "lost")]

        def settled() -> bool:
            counts = {node: {key: int(of[key]) for key in (*fates, "frames in")}
                      for node, of in said.items()}  # fmt: skip
            return all(
                sum(of[fate] for fate in fates)
                == (len(sent) if lost_are_counted else of["frames in"])
                for of in counts.values()
            )

        assert peer.spin_until(settled, 60), said
        # An answer may still be on its way when it is counted.
        peer.spin_until(
            lambda: all(len(answers[n]) == int(said[n]["frames out"]) for n in answers), 20
        )
    for node, messages in answers.items():
        stamps = [stamp_ns(m.header) for m in messages]
        assert stamps == sorted(set(stamps) & set(sent))
        assert stamps[-1] == sent[-1]  # the newest image wins
        came = int(said[node]["frames in"]) + int(said[node]["frames lost"])
        assert came == len(sent) if lost_are_counted else came <= len(sent)
        assert said[node]["frames bad"] == "0"
        unheard = int(said[node]["frames out"]) - len(stamps)
        assert 0 <= unheard <= sent.index(stamps[0])  # the node had not found this listener yet
    if network == "slow_weights":
        assert int(said["depth"]["frames dropped"]) > len(sent) / 2
