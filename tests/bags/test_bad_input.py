"""Bad drives give one clear line, exit code 2 and no bag."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bags import from_kitti, from_synth, run
from bags.read import read_messages
from bags.write import write_bag
from sdepth.errors import DataError
from tests.bags.drives import first_image, write_drive
from training.data.drive import Drive
from training.data.open_drive import read_drive


def refuse(capsys: pytest.CaptureFixture[str], drive: Path, out: Path) -> str:
    """Return the one line a failing conversion printed, checking that it left nothing."""
    before = set(out.parent.iterdir())
    assert from_kitti.main([str(drive), str(out)]) == 2
    assert set(out.parent.iterdir()) == before
    lines = [line for line in capsys.readouterr().err.splitlines() if "bags.from_kitti" in line]
    assert len(lines) == 1
    return lines[0]


def test_empty_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert "neither a KITTI" in refuse(capsys, tmp_path / "empty", tmp_path / "bag")


def test_no_frames_are_refused(tmp_path: Path) -> None:
    drive = read_drive(write_drive(tmp_path))
    with pytest.raises(DataError, match="no frames"):
        write_bag(Drive("none", drive.camera, ()), tmp_path / "bag")
    assert not (tmp_path / "bag").exists()


@pytest.mark.parametrize("number", [0, 3])
def test_truncated_image_is_refused_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    image = write_drive(tmp_path) / "image_2" / f"{number:06d}.png"
    image.write_bytes(image.read_bytes()[:-40])
    message = refuse(capsys, image.parent.parent, tmp_path / "bag")
    assert str(image) in message


def test_times_that_do_not_increase_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_drive(tmp_path)
    np.savetxt(folder / "times.txt", [0.0, 0.2, 0.1, 0.3])
    assert "does not increase" in refuse(capsys, folder, tmp_path / "bag")


def test_a_bag_that_exists_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, bag = write_drive(tmp_path), tmp_path / "bag"
    assert from_kitti.main([str(folder), str(bag)]) == 0
    before = (bag / "bag.mcap").read_bytes()
    assert "--overwrite" in refuse(capsys, folder, bag)
    assert (bag / "bag.mcap").read_bytes() == before


def test_a_failing_overwrite_keeps_the_old_bag(tmp_path: Path) -> None:
    folder, bag = write_drive(tmp_path), tmp_path / "bag"
    assert from_synth.main([str(folder), str(bag)]) == 0
    before = (bag / "bag.mcap").read_bytes()
    image = first_image(folder)
    image.write_bytes(image.read_bytes()[:-40])
    assert from_synth.main([str(folder), str(bag), "--overwrite"]) == 2
    assert (bag / "bag.mcap").read_bytes() == before


@pytest.mark.parametrize(
    "held", ["precious.txt", "inner/precious.txt", "camera.yaml", ".git/HEAD"]
)
def test_only_a_bag_is_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], held: str
) -> None:
    folder, out = write_drive(tmp_path), tmp_path / "out"
    for file in (out / held, out / "a.mcap", out / "metadata.yaml"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("keep me")
    assert from_kitti.main([str(folder), str(out), "--overwrite"]) == 2
    assert f"not a rosbag2 (it holds {held.split('/')[0]})" in capsys.readouterr().err
    assert (out / held).read_text() == "keep me"


def test_recordings_side_by_side_are_no_bag_to_overwrite(tmp_path: Path) -> None:
    folder, out = write_drive(tmp_path), tmp_path / "out"
    out.mkdir()
    (out / "monday.mcap").write_text("keep me")
    assert from_kitti.main([str(folder), str(out), "--overwrite"]) == 2
    assert (out / "monday.mcap").read_text() == "keep me"
    assert from_kitti.main([str(folder), str(out / "monday.mcap"), "--overwrite"]) == 2
    assert (out / "monday.mcap").read_text() == "keep me"


@pytest.mark.parametrize("source", ["bag", "bag/bag.mcap"])
def test_a_bag_is_not_replaced_by_what_is_made_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    folder, bag = write_drive(tmp_path), tmp_path / "bag"
    assert from_kitti.main([str(folder), str(bag)]) == 0
    before = (bag / "bag.mcap").read_bytes()
    assert run.main([str(tmp_path / source), str(bag), "--overwrite"]) == 2
    assert "choose another name" in capsys.readouterr().err
    assert (bag / "bag.mcap").read_bytes() == before


def test_reading_what_is_no_bag_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metadata\.yaml"):
        list(read_messages(tmp_path))
