"""Damaged files of every kind: each is read, or refused in one line; none hangs or is half used.

Each kind of file is damaged 500 times, its forms share them; ``SDEPTH_FUZZ=5000`` for more.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import ceil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from bags.recordings import Topics, read_bag
from bags.to_dataset import main as to_dataset
from sdepth.checkpoint import bundled, check_weights, read_card
from sdepth.config import load_config
from sdepth.errors import SdepthError
from sdepth.geometry.calibration import read_calibration
from tests.bags import forms
from tests.conftest import ROOT
from tests.helpers import write_drive
from training.config import TrainConfig
from training.data.check import check_whole, file_size
from training.data.crop_resize import CropResize
from training.data.drive import read_depth, read_image
from training.data.open_drive import read_drive
from training.data.split import find_frames, read_list
from training.data.write import claim
from training.evaluate.trajectories import associate, read_trajectory

TRIES = int(os.environ.get("SDEPTH_FUZZ", "500"))
SAID = "nan -inf 1e999 x -1 0 [ { : # 99999999999999999999 null 1e-320 !!python/object:a &a *a"
WORDS = (*SAID.encode().split(), b"", b"\n", b": ", b"\xff\xfe")


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Return a file's content after an accident."""
    at = rng.randrange(len(data))
    size = rng.choice((1, 4, 64, 4096))
    end = min(len(data), at + size)
    return {
        "flipped": data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :],
        "zeros": data[:at] + bytes(end - at) + data[end:],
        "ones": data[:at] + b"\xff" * (end - at) + data[end:],
        "noise": data[:at] + rng.randbytes(end - at) + data[end:],
        "cut": data[:at],
        "lost": data[:at] + data[end:],
        "twice": data[:end] + data[at:],
        "word": data[:at] + rng.choice(WORDS) + data[min(len(data), at + rng.randrange(9)) :],
    }[rng.choice(("flipped", "zeros", "ones", "noise", "cut", "lost", "twice", "word", "word"))]


@contextmanager
def in_time(seconds: float = 30) -> Iterator[None]:
    """Raise where what is inside hangs."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"still reading after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def try_all(file: Path, read: Callable[[], object], name: str, share: float = 1) -> None:
    """Damage a file again and again, for its share of the tries, and read it."""
    whole = file.read_bytes()
    read()
    for number in range(ceil(TRIES * share)):
        file.write_bytes(damaged(whole, random.Random(f"{name} {number}")))
        said = ""
        try:
            with in_time():
                read()
        except SdepthError as err:
            said = str(err)
        except BaseException as err:
            raise AssertionError(f"{name} {number}: {err!r}") from err
        assert "\n" not in said, f"{name} {number}"
    file.write_bytes(whole)


BAGS = ("mcap", "mcap of chunks", "db3", "db3 of messages", "packed db3", "ros1")


@pytest.mark.parametrize("form", BAGS)
def test_damaged_bags(tmp_path: Path, form: str) -> None:
    bag = forms.make(tmp_path, form)

    def read() -> None:
        for recording in read_bag(bag, Topics(), CropResize()):
            for frame in recording.frames():
                frame.image()  # type: ignore[operator]

    files = [bag] if bag.is_file() else sorted(bag.iterdir())
    for file in files:
        try_all(file, read, f"{form} {file.name}", 1 / len(files) / len(BAGS))


@pytest.mark.parametrize("form", BAGS)
def test_a_damaged_bag_leaves_no_drive_that_is_half_written(tmp_path: Path, form: str) -> None:
    bag, out = forms.make(tmp_path, form), tmp_path / "out"
    file = bag if bag.is_file() else forms.data_file(bag)

    def convert() -> None:
        shutil.rmtree(out, ignore_errors=True)
        code = to_dataset([str(bag), str(out)])
        drives = [path.parent for path in out.glob("sequences/*/calib.txt")]
        assert (code, bool(drives)) in ((0, True), (2, False))
        for drive in drives:
            images = len([*(drive / "image_2").iterdir()])
            assert images == len((drive / "times.txt").read_text().splitlines()) > 2
        assert [path for path in out.rglob(".*")] == []  # what is renamed when it is whole

    try_all(file, convert, form, 0.1 / len(BAGS))


@pytest.mark.parametrize("columns", [8, 12, 13])
def test_damaged_trajectories(tmp_path: Path, columns: int) -> None:
    poses = np.tile(np.eye(4)[:3].ravel(), (20, 1))
    poses[:, 3] = np.arange(20)
    rows = {
        8: np.column_stack(
            [np.arange(20) / 10, poses[:, 3], np.tile([0, 0, 0, 0, 0, 1], (20, 1))]
        ),
        12: poses,
        13: np.column_stack([np.arange(20), poses]),
    }[columns]
    for name in ("truth.txt", "found.txt"):
        np.savetxt(tmp_path / name, rows, "%.6f")

    def read() -> None:
        associate(*(read_trajectory(tmp_path / n) for n in ("truth.txt", "found.txt")), 0.01)

    try_all(tmp_path / "found.txt", read, f"trajectory of {columns}", 1 / 3)


def test_damaged_calibrations(tmp_path: Path) -> None:
    numbers = {"camera_matrix": [60.0, 0, 31.5, 0, 60, 15.5, 0, 0, 1],
               "distortion_coefficients": [0.1, -0.02, 1e-3, 1e-3, 0.0],
               "rectification_matrix": np.eye(3).ravel().tolist(),
               "projection_matrix": [60.0, 0, 31.5, 0, 0, 60, 15.5, 0, 0, 0, 1, 0]}  # fmt: skip
    given = {
        key: {"rows": 3, "cols": len(data) // 3, "data": data} for key, data in numbers.items()
    }
    given |= {"image_width": 64, "image_height": 32, "distortion_model": "plumb_bob"}  # type: ignore[dict-item]
    file = tmp_path / "camera.yaml"
    file.write_text(yaml.safe_dump(given))

    def read() -> None:
        camera, rectify = read_calibration(file).rectification()
        if rectify and (camera.width, camera.height) == (64, 32):
            rectify(np.zeros((32, 64, 3), np.uint8))

    try_all(file, read, "calibration")


@pytest.mark.parametrize("ending", [".png", ".jpg", ".ppm"])
def test_damaged_images(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"image{ending}"
    noise = np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8)
    cv2.imwrite(str(file), noise)

    def read() -> None:
        file_size(file)
        check_whole(file)
        assert read_image(file).dtype == np.uint8

    try_all(file, read, f"image{ending}", 1 / 3)


def test_damaged_depth(tmp_path: Path) -> None:
    file = tmp_path / "depth.png"
    cv2.imwrite(str(file), np.full((32, 64), 2560, np.uint16))
    try_all(file, lambda: read_depth(file), "depth")


@pytest.mark.parametrize("part", ["calib.txt", "times.txt", "meta.json", "../../poses/00.txt"])
def test_damaged_drives(tmp_path: Path, part: str) -> None:
    folder = write_drive(tmp_path, frames=4) / "sequences/00"
    (folder / "meta.json").write_text('{"camera_height_m": 1.5}')
    try_all(folder / part, lambda: read_drive(folder), part, 1 / 4)


def test_damaged_cards_and_weights(tmp_path: Path) -> None:
    path = tmp_path / "day.safetensors"
    for file in (bundled("day"), bundled("day").with_suffix(".json")):
        shutil.copy(file, tmp_path / file.name)

    def read() -> None:
        check_weights(path, read_card(path))

    try_all(path.with_suffix(".json"), read, "card")
    for number in range(20):  # hashing them takes a while
        path.write_bytes(damaged(bundled("day").read_bytes(), random.Random(number)))
        with pytest.raises(SdepthError):
            read()


def test_damaged_configurations_and_lists(tmp_path: Path) -> None:
    config, listed, made = (tmp_path / name for name in ("run.yaml", "list.txt", "dataset.json"))
    config.write_text((ROOT / "training/configs/video.yaml").read_text())
    drives = [write_drive(tmp_path, frames=4) / "sequences/00"]
    listed.write_text("00 000002 l\n00/000001.png\n")
    made.write_text(json.dumps({"generator": "it", "crop": "none"}))

    try_all(config, lambda: load_config(TrainConfig, config), "configuration")
    try_all(listed, lambda: find_frames(drives, read_list(listed), listed), "list")
    try_all(made, partial(claim, tmp_path, {"generator": "it", "crop": "none"}), "dataset.json")
