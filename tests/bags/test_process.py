"""Many bags at once give what they give one by one, whatever dies on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
import torch

from bags.process import find_bags, main
from bags.process_bag import ProcessConfig, process_bag
from bags.write import write_bag
from sdepth.errors import DataError
from tests.bags import forms
from tests.helpers import write_drive
from training.data.drive import read_depth
from training.data.open_drive import read_drive

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bags(tmp_path: Path) -> Path:
    """Return a folder of six bags of walls that come nearer, 5 to 10 frames each."""
    for i in range(6):
        root = write_drive(tmp_path / f"drive{i}", frames=5 + i, size=(64, 96), name=f"{i:02d}")
        write_bag(read_drive(root / f"sequences/{i:02d}"), tmp_path / f"bags/{i:02d}")
    return tmp_path / "bags"


def contents(out: Path) -> dict[str, bytes]:
    """Return all files under ``out``."""
    return {
        str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*.*")) if p.is_file()
    }


def start(bags: Path, out: Path, mark: str) -> subprocess.Popen[str]:
    """Return a run on two workers in the background; ``mark`` is in its workers' environment."""
    path = os.pathsep.join(p for p in sys.path if p)
    return subprocess.Popen(
        [sys.executable, "-m", "bags.process", str(bags), str(out), "--workers", "2"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "SDEPTH_TEST": mark},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_worker(mark: str, run: subprocess.Popen[str]) -> int:
    """Return the process id of one of the run's workers that is at a bag."""
    while run.poll() is None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                mine = mark in (folder / "environ").read_bytes().decode(errors="ignore")
                if mine and (folder / "cmdline").read_bytes().startswith(b"ray::process_bag"):
                    return int(folder.name)
            except OSError:
                continue
        time.sleep(0.05)
    raise AssertionError(run.communicate()[1])


def test_threads_are_left_as_they_were(bags: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        process_bag(bags / "00", tmp_path / "out", ProcessConfig())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_bag_gives_a_trajectory_and_depth(bags: Path, tmp_path: Path) -> None:
    result = process_bag(bags / "05", tmp_path / "out", ProcessConfig(depth=True))
    rows = np.loadtxt(tmp_path / "out/05/trajectory.txt")
    assert (result.frames, result.night, rows.shape) == (10, 0, (10, 8))
    np.testing.assert_allclose(rows[:, 0], np.arange(10) * 0.1, atol=1e-9)
    assert result.path_m == pytest.approx(
        np.linalg.norm(np.diff(rows[:, 1:4], axis=0), axis=1).sum()
    )
    depth = read_depth(tmp_path / "out/05/depth/0000000000000000000.png")
    assert depth.shape == (64, 96)
    assert depth.min() > 0.1


def test_depth_is_kept_fused_where_it_is_asked_for(bags: Path, tmp_path: Path) -> None:
    for name, config in (("own", ProcessConfig(depth=True)), ("fused", ProcessConfig(fused=True))):
        process_bag(bags / "05", tmp_path / name, config)
    first, last = ("0000000000000000000.png", "0000000000900000000.png")
    own, fused = (
        [read_depth(tmp_path / name / "05/depth" / frame) for frame in (first, last)]
        for name in ("own", "fused")
    )
    np.testing.assert_array_equal(fused[0], own[0])  # nothing came before
    assert (fused[1] != own[1]).any()


def test_one_by_one_goes_on_and_names_what_fails(
    bags: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bags / "01/01.mcap").write_bytes(b"")
    args = [str(bags), str(tmp_path / "out"), "--workers", "0"]
    assert main(args) == 2
    assert "1 bags failed, the first: 01: " in capsys.readouterr().err
    first = (tmp_path / "out/02/result.json").stat().st_mtime_ns
    assert main(args) == 2
    assert (tmp_path / "out/02/result.json").stat().st_mtime_ns == first
    assert "5 of 6 bags done" in capsys.readouterr().out


def test_other_arguments_want_another_folder(
    bags: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.txt").write_text("bags/00\n")
    args = [str(tmp_path / "one.txt"), str(tmp_path / "out"), "--workers", "0"]
    assert main(args) == 0
    assert main([*args, "--mode", "night"]) == 2
    assert "made with mode 'auto' (now 'night')" in capsys.readouterr().err


def test_lists_and_folders_name_bags(bags: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("bags/03\n\nbags/00\n")
    assert [bag.name for bag in find_bags(tmp_path / "list.txt")] == ["03", "00"]
    assert [bag.name for bag in find_bags(bags)] == [f"{i:02d}" for i in range(6)]
    (tmp_path / "list.txt").write_text("bags/03\nother/03\n")
    for path, message in ((tmp_path / "list.txt", "two bags are named 03"), (tmp_path, "no bags"),
                          (tmp_path / "typo", "missing; expected")):  # fmt: skip
        with pytest.raises(DataError, match=message):
            find_bags(path)


def test_lists_are_as_people_write_them(tmp_path: Path) -> None:
    rows = b"\xef\xbb\xbf# of monday\r\n\r\nbags/03/\r\n~/rides/00\r\nfr\xe9d.mcap\r\n"
    (tmp_path / "list.txt").write_bytes(rows)
    assert find_bags(tmp_path / "list.txt") == [
        tmp_path / "bags/03", Path.home() / "rides/00", tmp_path / os.fsdecode(b"fr\xe9d.mcap")
    ]  # fmt: skip


def test_endings_may_be_of_capital_letters_and_hidden_files_are_none(tmp_path: Path) -> None:
    shutil.move(forms.make(tmp_path, "lone mcap"), tmp_path / "RIDE.MCAP")
    (tmp_path / "._RIDE.MCAP").write_bytes(b"\0\5\x16\7")
    shutil.rmtree(tmp_path / "drive")
    assert find_bags(tmp_path) == [tmp_path / "RIDE.MCAP"]
    assert process_bag(tmp_path / "RIDE.MCAP", tmp_path / "out", ProcessConfig()).frames == 6


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(bags: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    mark = uuid.uuid4().hex
    run = start(bags, tmp_path / "ray", mark)
    os.kill(wait_for_worker(mark, run), signal.SIGKILL)
    said = run.communicate()[1]
    assert run.returncode == 0, said
    assert main([str(bags), str(tmp_path / "single"), "--workers", "0"]) == 0
    assert contents(tmp_path / "ray") == contents(tmp_path / "single")


@pytest.mark.slow
def test_an_interrupted_run_goes_on(bags: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    mark = uuid.uuid4().hex
    run = start(bags, tmp_path / "ray", mark)
    os.kill(wait_for_worker(mark, run), signal.SIGSTOP)  # its bag is not done before the interrupt
    while run.poll() is None and not list((tmp_path / "ray").glob("[0-9]*/result.json")):
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    run.communicate()
    done = {p: p.stat().st_mtime_ns for p in (tmp_path / "ray").glob("[0-9]*/result.json")}
    assert 0 < len(done) < 6
    assert main([str(bags), str(tmp_path / "ray"), "--workers", "0"]) == 0  # Ray starts in 10 s
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in done.items())
    names = [json.loads(p.read_text())["name"] for p in (tmp_path / "ray").glob("*/result.json")]
    assert sorted(names) == [f"{i:02d}" for i in range(6)]
