"""Trajectories in both forms of file, scored from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sdepth.errors import DataError
from training.evaluate.__main__ import main
from training.evaluate.trajectories import _nearest, associate, read_trajectory


def road(count: int = 300) -> NDArray[np.float64]:
    """Return T_world_cam (N, 4, 4) of a winding drive, 1 m a frame."""
    yaw = 0.5 * np.sin(np.arange(count) / 20)
    T = np.tile(np.eye(4), (count, 1, 1))
    T[:, :3, :3] = Rotation.from_euler("y", yaw[:, None]).as_matrix()
    T[:, :3, 3] = np.cumsum(np.stack([np.sin(yaw), 0 * yaw, np.cos(yaw)], 1), 0)
    return T


def write_kitti(
    path: Path, T: NDArray[np.float64], frames: NDArray[np.int64] | None = None
) -> Path:
    rows = T[:, :3].reshape(-1, 12)
    np.savetxt(path, rows if frames is None else np.column_stack([frames, rows]))
    return path


def write_tum(path: Path, T: NDArray[np.float64], stamps: NDArray[np.float64]) -> Path:
    q = Rotation.from_matrix(T[:, :3, :3]).as_quat()
    np.savetxt(path, np.column_stack([stamps, T[:, :3, 3], q]), header="stamp x y z qx qy qz qw")
    return path


def run(truth: Path, estimate: Path, *options: object) -> int:
    return main(
        ["odometry", "--truth", str(truth), "--estimate", str(estimate), *map(str, options)]
    )


def test_command_prints_protocol_and_table_and_writes_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estimate = road()
    estimate[:, :3, 3] *= 0.5
    files = write_kitti(tmp_path / "t.txt", road()), write_kitti(tmp_path / "e.txt", estimate)
    out, png = tmp_path / "o.json", tmp_path / "o.png"

    assert run(*files, "--align", "7dof", "--json", out, "--plot", png) == 0

    printed, found = capsys.readouterr().out, json.loads(out.read_text())
    assert "kitti-odom: aligned by 7dof; drift over 100 to 800 m from every 10th pose" in printed
    assert "| e | 0.000 | 0.000 | 0.000 | 0.000 | 0.000 | 2.000 |" in printed
    assert found["protocol"]["alignment"] == "7dof"
    assert found["errors"]["e"]["scale"] == pytest.approx(2)
    assert cv2.imread(str(png)).std() > 10  # something is drawn


def test_both_forms_of_file_give_the_same_numbers(tmp_path: Path) -> None:
    truth, estimate, stamps = road(), road(), np.arange(300) / 10
    estimate[:, 0, 3] += 0.1 * np.sin(np.arange(300) / 7)
    kitti = [write_kitti(tmp_path / f"k{i}.txt", T) for i, T in enumerate((truth, estimate))]
    tum = [write_tum(tmp_path / f"t{i}.txt", T, stamps) for i, T in enumerate((truth, estimate))]
    out = [tmp_path / "k.json", tmp_path / "t.json"]

    assert run(*kitti, "--json", out[0]) == run(*tum, "--json", out[1]) == 0

    a, b = (json.loads(path.read_text())["errors"] for path in out)
    assert a["k1"]["ate_m"] > 0.01
    assert b["t1"] == pytest.approx(a["k1"], abs=1e-6)


def test_stamps_are_associated_with_the_nearest_within_a_gap(tmp_path: Path) -> None:
    stamps = 1e9 + np.arange(30) / 10
    truth = write_tum(tmp_path / "t.txt", road(30), stamps)
    seen = np.array([3, 7, 8, 20])
    late = stamps[seen] + [0.004, -0.004, 0.05, 0.001]
    estimate = write_tum(tmp_path / "e.txt", road(30)[seen], late)

    T_true, T, rows = associate(read_trajectory(truth), read_trajectory(estimate), 0.01)

    assert T_true == pytest.approx(road(30)[[3, 7, 20]], abs=1e-9)
    assert np.allclose(T, T_true)
    assert rows.tolist() == [0, 1, 2]


@pytest.mark.parametrize("max_gap_s", [0.01, 0.05, 0.5])
@pytest.mark.parametrize("hz", [10, 20, 30, 200])
def test_an_exact_estimate_has_no_error_at_any_rate(
    tmp_path: Path, hz: int, max_gap_s: float
) -> None:
    def at(stamps: NDArray[np.float64]) -> NDArray[np.float64]:
        T = np.tile(np.eye(4), (len(stamps), 1, 1))
        T[:, :3, 3] = np.stack([8 * stamps, 10 * np.sin(0.8 * stamps), 0 * stamps], 1)
        return T

    slow, fast = np.arange(300) / 10, np.arange(30 * hz) / hz
    truth = write_tum(tmp_path / "t.txt", at(slow), 1000 + slow)
    estimate = write_tum(tmp_path / "e.txt", at(fast), 1000 + fast)

    T_true, T, rows = associate(read_trajectory(truth), read_trajectory(estimate), max_gap_s)

    assert len(rows) == 300
    assert np.allclose(T, T_true, atol=1e-6)  # the stamps' rounding


@given(
    truth=st.lists(st.integers(0, 300), min_size=3, max_size=40, unique=True),
    estimate=st.lists(st.integers(0, 300), min_size=3, max_size=40, unique=True),
    gap=st.integers(1, 60),
)
def test_poses_are_paired_one_to_one_in_order_and_nearest(
    truth: list[int], estimate: list[int], gap: int
) -> None:
    true_s, found_s = (np.sort(np.array(stamps, np.float64)) for stamps in (truth, estimate))

    rows, near = _nearest(true_s, found_s, gap)

    gaps = np.abs(true_s[rows] - found_s[near])
    assert (np.diff(rows) > 0).all()
    assert (np.diff(near) > 0).all()
    assert (gaps <= gap).all()
    assert (gaps == np.abs(true_s[:, None] - found_s[near]).min(0)).all()
    for row, own in zip(rows, gaps, strict=True):  # nobody nearer went without
        wants = np.abs(true_s[:, None] - found_s).argmin(0) == row
        assert own == np.abs(true_s[row] - found_s[wants]).min(initial=own)


def test_truth_that_stands_still_has_no_scale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = np.tile(np.eye(4), (300, 1, 1))
    still[:, :3, 3] = np.random.default_rng(0).normal(0, 1e-3, (300, 3))
    files = write_kitti(tmp_path / "t.txt", still), write_kitti(tmp_path / "e.txt", road())

    for alignment in ("7dof", "scale"):
        assert run(*files, "--align", alignment) == 2
        assert "e.txt: the truth stands still" in capsys.readouterr().err
    assert run(*files, "--align", "6dof") == 0


def test_an_estimate_that_goes_backwards_is_not_turned_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backwards = road()
    backwards[:, :3, 3] *= -1
    files = write_kitti(tmp_path / "t.txt", road()), write_kitti(tmp_path / "e.txt", backwards)

    assert run(*files, "--align", "scale") == 2
    assert "finds scale -" in capsys.readouterr().err


def test_missing_frames_are_matched_by_number(tmp_path: Path) -> None:
    seen = np.delete(np.arange(2, 300), [40, 41])
    truth = write_kitti(tmp_path / "t.txt", road())
    out = tmp_path / "o.json"

    assert run(truth, write_kitti(tmp_path / "e.txt", road()[seen], seen), "--json", out) == 0
    assert json.loads(out.read_text())["errors"]["e"]["ate_m"] == pytest.approx(0, abs=1e-6)


def test_folders_are_matched_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("truth", "estimate"):
        (tmp_path / folder).mkdir()
        for name in ("09", "10"):
            write_kitti(tmp_path / folder / f"{name}.txt", road(120))
    (tmp_path / "truth/00.txt").write_text("left alone")

    assert run(tmp_path / "truth", tmp_path / "estimate") == 0
    printed = capsys.readouterr().out
    assert printed.index("| 09 |") < printed.index("| 10 |")
    (tmp_path / "truth/10.txt").unlink()
    assert run(tmp_path / "truth", tmp_path / "estimate") == 2
    assert "no truth for ['10.txt']" in capsys.readouterr().err


def test_short_drives_have_no_drift_but_on_shorter_lengths(tmp_path: Path) -> None:
    file, out = write_kitti(tmp_path / "e.txt", road(40)), tmp_path / "o.json"

    assert run(file, file, "--json", out) == 0
    assert json.loads(out.read_text())["errors"]["e"]["t_err_percent"] is None
    assert run(file, file, "--lengths", 10, 20, "--json", out) == 0
    assert json.loads(out.read_text())["errors"]["e"]["t_err_percent"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1 2 3\n", "1 rows of 3 numbers; expected 12"),
        ("1 0 0 0\nx\n", "expected rows of 12, 13 or 8 numbers"),
        ("0 1 2 3 0 0 0 1\n0 1 2 3 0 0 0 1\n", "row 2 does not come after the row before"),
        ("", "0 rows of 0 numbers"),
        ("timestamp tx ty tz qx qy qz qw\n", "# before comments"),
        ("0,1,2,3,0,0,0,1\n", "spaces between them"),
        ("0 1 2 3 0 0 0 0\n", "a quaternion of length 0"),
        ("1e18 1 2 3 0 0 0 1\n", r"stamps up to 1e\+18 s; expected seconds, not ns"),
        ("1.7e12 1 2 3 0 0 0 1\n", "expected seconds, not ns"),
        ("0 1 2 3 0 0 0 7\n", "a quaternion of length 7"),
        ("0 1 2 nan 0 0 0 1\n", "row 1 is not finite"),
        ("2 0 0 0 0 2 0 0 0 0 2 0\n", "row 1 is not a pose"),
        ("0.5 1 0 0 0 0 1 0 0 0 0 1 0\n", "the first of 13 numbers"),
    ],
)
def test_file_that_is_no_trajectory_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "bad.txt").write_text(text)

    with pytest.raises(DataError, match=complaint):
        read_trajectory(tmp_path / "bad.txt")


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_comments_and_byte_order_marks_are_no_numbers(
    tmp_path: Path, start: bytes, end: bytes
) -> None:
    lines = [b"# timestamp tx ty tz qx qy qz qw", b"", b"0 1 2 3 0 0 0 1", b"1\t2\t3\t4 0 0 0 1 #"]
    (tmp_path / "t.txt").write_bytes(start + end.join(lines))
    assert read_trajectory(tmp_path / "t.txt").T[:, 0, 3].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("option", "place", "said"),
    [
        ("--plot", "x.xyz", "expected a name ending in .png"),
        ("--plot", "missing/x.png", "No such file or directory"),
        ("--json", "e.txt/x.json", "e.txt: File exists"),
    ],
)
def test_an_output_that_cannot_be_written_is_named_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, place: str, said: str
) -> None:
    file = write_kitti(tmp_path / "e.txt", road(40))
    assert run(file, file, option, tmp_path / place) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_what_a_computer_leaves_in_a_folder_is_no_estimate(tmp_path: Path) -> None:
    for name in ("truth", "found"):
        (tmp_path / name).mkdir()
        write_kitti(tmp_path / name / "00.txt", road(20))
    (tmp_path / "found/._00.txt").write_bytes(b"\0\5\x16\7")
    (tmp_path / "found/Thumbs.db").write_bytes(b"")
    assert run(tmp_path / "truth", tmp_path / "found") == 0


@pytest.mark.parametrize("lengths", [["0"], ["-5"], ["nan"], ["100", "0"]])
def test_lengths_that_are_none_are_refused(tmp_path: Path, lengths: list[str]) -> None:
    file = write_kitti(tmp_path / "e.txt", road(40))
    with pytest.raises(SystemExit, match="2"):
        run(file, file, "--lengths", *lengths)


def test_trajectories_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    kitti = read_trajectory(write_kitti(tmp_path / "k.txt", road(20)))
    longer = read_trajectory(write_kitti(tmp_path / "l.txt", road(25)))
    now, later = (
        read_trajectory(write_tum(tmp_path / f"{s}.txt", road(20), s + np.arange(20) / 10))
        for s in (0, 100)
    )
    with pytest.raises(DataError, match="frame 20 of the estimate is not in the truth"):
        associate(kitti, longer, 0.01)
    with pytest.raises(DataError, match="one in TUM's"):
        associate(kitti, now, 0.01)
    with pytest.raises(DataError, match=r"0 poses of two trajectories within 0\.01 s"):
        associate(now, later, 0.01)


def test_evo_agrees_on_ate_and_rpe(tmp_path: Path) -> None:
    """An independent implementation (GPL-3, so only called here)."""
    file_interface = pytest.importorskip("evo.tools.file_interface", reason="evo is not installed")
    from evo.core import metrics

    estimate = road()
    estimate[:, :3, 3] = 0.3 * estimate[:, :3, 3] + np.sin(np.arange(900).reshape(300, 3) / 9)
    files = write_kitti(tmp_path / "t.txt", road()), write_kitti(tmp_path / "e.txt", estimate)
    true, est = (file_interface.read_kitti_poses_file(str(file)) for file in files)
    est.align(true, correct_scale=True)
    ape = metrics.APE(metrics.PoseRelation.translation_part)
    ape.process_data((true, est))
    rpe = metrics.RPE(metrics.PoseRelation.translation_part, 1, metrics.Unit.frames)
    rpe.process_data((true, est))

    assert run(*files, "--json", tmp_path / "o.json") == 0

    ours = json.loads((tmp_path / "o.json").read_text())["errors"]["e"]
    assert ours["ate_m"] == pytest.approx(ape.get_statistic(metrics.StatisticsType.rmse), rel=1e-6)
    assert ours["rpe_m"] == pytest.approx(rpe.get_statistic(metrics.StatisticsType.mean), rel=1e-6)
