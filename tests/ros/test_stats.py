"""What became of frames, and what the parts of one took."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Float64

from sdepth_ros.notices import ERROR, OK, WARN
from sdepth_ros.stats import FrameStats
from tests.ros import processes, test_vision_node
from tests.ros.camera_peer import values_of
from tests.ros.test_odometry_node import FakeDepthCamera

if TYPE_CHECKING:
    from demo.peer import Peer

DEPTH = {"decode", "mode", "rectify", "network", "rescale", "clean", "color", "cloud", "publish"}
ODOMETRY = {"decode", "rectify", "align", "pose", "publish"}


def times(values: dict[str, str]) -> dict[str, float]:
    """Return the median of each part of a frame, ms, and of ``processing`` and ``latency``."""
    ending = " p50 ms"
    return {k.removesuffix(ending): float(v) for k, v in values.items() if k.endswith(ending)}


def test_refused_frames_warn_and_are_an_error_while_they_are_most() -> None:
    stats, levels = FrameStats(), []
    for good in (True, False, False, False, True, True, True, *[True] * 17):
        if good:
            stats.done(1.0)
        else:
            stats.bad("step 0")
        levels.append(said.level if (said := stats.refused()) else OK)
    assert levels == [OK, WARN, WARN, ERROR, ERROR, *[WARN] * 16, *[WARN] * 2, OK]
    stats.bad("step 0")
    assert stats.refused().text.startswith("1 of the last 20 frames refused, the last one: step 0")
    stats.forget_recent()
    assert stats.refused() is None


def test_a_part_within_another_counts_once_and_a_failed_frame_not_at_all() -> None:
    stats = FrameStats()
    with pytest.raises(ValueError, match="bad"), stats.frame(), stats.part("decode"):
        raise ValueError("bad")
    for _ in range(3):
        with stats.frame():
            with stats.part("depth"):
                time.sleep(0.02)
                with stats.part("network"):
                    time.sleep(0.04)
            with stats.part("depth"):
                time.sleep(0.01)
        took = stats.done(latency_ms=1000.0)
    found = times(stats.values())
    assert set(found) == {"depth", "network", "other", "processing", "latency"}
    assert found["network"] >= 40
    assert 30 <= found["depth"] < found["processing"] - 39
    assert took == pytest.approx(sum(found.values()) - 1000 - found["processing"], rel=0.2)
    assert stats["frames out"] == 3


@pytest.mark.ros
@pytest.mark.parametrize(
    ("executable", "parts"),
    [
        ("depth_node", {"depth": DEPTH}),
        ("odometry_node", {"odometry": ODOMETRY}),
        ("vision_node", {"depth": DEPTH, "odometry": ODOMETRY - {"decode", "rectify"}}),
    ],
)
def test_the_parts_add_up_to_the_time_of_a_frame(
    executable: str, parts: dict[str, set[str]], peer: Peer, weights: Path
) -> None:
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    took = {node: peer.listen(Float64, f"/{node}/debug/processing_time_ms") for node in parts}
    if executable == "odometry_node":
        camera = FakeDepthCamera(peer)
    else:
        for kind, topic in ((Image, "depth/image_rect"), (Image, "depth/color")):
            peer.listen(kind, topic)
        peer.listen(PointCloud2, "points")
        camera = test_vision_node.rolling_camera(peer)
    camera.resize(1280, 480)
    camera.send_mounting()

    def said(node: str) -> dict[str, float]:
        names = f"{node}: frames"
        newest = [r.status[0] for r in reports if r.status[0].name == names][-1:]
        return times({v.key: v.value for status in newest for v in status.values})

    with processes.running(executable, *test_vision_node.arguments(weights)):
        camera.wait_for_node()
        peer.spin_until(lambda: False, 1)  # the node finds who listens to it, too
        for number in (1, 2):  # the median of two is their mean: sums of medians are exact
            camera.send()
            assert peer.spin_until(lambda n=number: all(len(t) == n for t in took.values()))
        before = len(reports)
        assert peer.spin_until(lambda: len(reports) >= before + 2 * len(parts))
    for node, names in parts.items():
        found = said(node)
        assert set(found) == names | {"other", "processing", "latency"}
        processing = sum(m.data for m in took[node]) / 2
        assert found["processing"] == pytest.approx(processing, abs=0.01)
        assert found["other"] < 0.2 * processing
        whole = sum(found[name] for name in names | {"other"})
        assert whole == pytest.approx(processing, rel=0.05)
        assert found["latency"] >= found["processing"]


@pytest.mark.ros
@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from Linux's /proc")
def test_the_process_tells_its_memory(peer: Peer) -> None:
    reports = peer.listen(DiagnosticArray, "/diagnostics")
    waiting = ("--ros-args", "-p", "autostart:=false")
    with processes.running("depth_node", *waiting, fresh=True) as node:
        assert peer.spin_until(lambda: len(reports) > 2)
        lines = Path(f"/proc/{node.pid}/status").read_text().splitlines()
        (resident,) = (int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
    values = values_of(reports)
    assert float(values["memory MiB"]) == pytest.approx(resident, rel=0.05)
    assert float(values["memory peak MiB"]) >= float(values["memory MiB"]) - 1
