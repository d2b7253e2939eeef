"""A drive at the pace of a camera, beside endless loops."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from benchmarks import replay
from tests.helpers import write_drive

SENT = 20


def test_ages_under_load_are_held_to_those_without() -> None:
    idle = {"depth": 40.0, "odometry": 60.0}
    assert replay.too_old(idle, {"depth": 113.0, "odometry": 153.0}, hz=30) == []
    (said,) = replay.too_old(idle, {"depth": 114.0, "odometry": 153.0}, hz=30)
    assert said.startswith("depth: 95th percentile of the age 114 ms under load, expected at most")


def test_what_nodes_leave_free_counts_every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    said = replay.share_free({"depth": 15.0, "odometry": 20.0}, hz=20)
    assert said.endswith("depth 15.0 ms, odometry 20.0 ms; 65% of 2 cores free")


def test_processor_time_of_a_process_goes_up_as_it_works() -> None:
    before, since = replay.cpu_s(os.getpid()), time.process_time()
    while time.process_time() - since < 0.1:
        pass
    assert replay.cpu_s(os.getpid()) - before == pytest.approx(0.1, abs=0.05)


@pytest.mark.ros
def test_the_newest_image_wins_beside_endless_loops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = write_drive(tmp_path, frames=4, size=(96, 256), step_m=0.1) / "sequences/00"
    sent = ["--hz", "30", "--frames", str(SENT), "--together", "--busy", "0", "2"]

    code = replay.main([str(drive), *sent])

    lines = capsys.readouterr().out.splitlines()
    assert "processor time of an image: vision " in lines[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "| 30 |" in line]
    assert [row[1:3] for row in rows] == [[n, s] for n in "02" for s in ("depth", "odometry")]
    assert code == (replay.TOO_OLD if "under load" in lines[-1] else 0)
    for _, _, node, count, out, dropped, lost, work, _, p95 in rows:
        followed = sum(map(int, (out, dropped, lost)))
        assert int(count) == SENT
        assert int(out) > 0
        assert node == "odometry" or followed == SENT
        # The newest waits alone, of odometry one more; the rest is for who else is at work here.
        assert int(p95) <= 5 * int(work) + 1000, lines
