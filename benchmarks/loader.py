"""Time the training loader against a plain OpenCV loop, and how long training waits for it.

python -m benchmarks.loader                  # on a few rendered frames of KITTI's size
python -m benchmarks.loader KITTI/2011_09_26/2011_09_26_drive_0052_sync --size 640x192

The plain loop reads, resizes and scales the three images of a triplet and does nothing else; the
loader also mirrors and jitters, and prepares cameras and motions. Both take turns in one process
and thread, on images as recorded and as ``training.data.prepare --size`` writes them, timed in
seconds of processor time, which other programs on the machine change little. Training is the
smallest network, which asks for images fastest, on one core, with one loading process on another.
"""

from __future__ import annotations

import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count, repeat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from benchmarks.table import show
from benchmarks.timing import Timing, measure, one_thread, size_of
from sdepth.cli import make_parser, one_or_more, run, zero_or_more
from sdepth.errors import DataError
from sdepth.files import write_json
from training.config import LossConfig, ModelConfig, OptimConfig, TrainConfig
from training.data.crop_resize import CropResize
from training.data.drive import Drive
from training.data.open_drive import read_drive
from training.data.recording import recording
from training.data.triplets import DataConfig, Triplets
from training.data.write import WriteConfig, write_recording
from training.networks import build_model, parameter_groups
from training.synth import __main__ as synth
from training.trainer import load_batches, take_step

_WARM_UP = 2


def plain(drive: Drive, size: tuple[int, int], i: int) -> Tensor:
    """Return the triplet (3, 3, H, W) as one would first write it, without augmentation."""
    images = []
    for frame in drive.frames[i - 1 : i + 2]:
        rgb = cv2.cvtColor(cv2.imread(str(frame.image)), cv2.COLOR_BGR2RGB)
        images.append(cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA))
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def _next_plain(drive: Drive, size: tuple[int, int], turns: Iterator[int]) -> Tensor:
    """Return the plain loop's next triplet."""
    return plain(drive, size, 1 + next(turns) % (len(drive.frames) - 2))


def _next_sample(triplets: Triplets, turns: Iterator[int]) -> dict[str, Tensor]:
    """Return the loader's next sample."""
    draw = next(turns)
    return triplets[draw % len(triplets), draw]


@contextmanager
def drives(drive: Path | None, size: tuple[int, int]) -> Iterator[dict[str, Path]]:
    """Give a drive as recorded, rendered if there is none, and as prepared for ``size``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drive = drive or render(folder / "rendered")
        small = recording(replace(read_drive(drive), name="small"), CropResize(size=size[::-1]))
        write_recording(folder, small, WriteConfig())
        yield {"recorded": drive, "prepared": folder / "sequences/small"}


def render(out: Path) -> Path:
    """Return a short drive of KITTI's image size, rendered by ``training.synth``.

    Raises:
        DataError: the renderer, which says why, could not.
    """
    args = "--sequences 1 --frames 5 --size 1242x375 --supersample 1 --workers 1"
    if synth.main([str(out), *args.split()]) != 0:
        raise DataError("no drive could be rendered; name one: python -m benchmarks.loader DRIVE")
    return out / "sequences/00"


def reading(data: dict[str, Path], size: tuple[int, int], runs: int) -> dict[str, Timing]:
    """Return what a triplet takes, by way of reading and by what is read."""
    calls: dict[str, Callable[[], object]] = {}
    for name, folder in data.items():
        triplets = Triplets(DataConfig(train=(str(folder),), size=size), 1.0, seed=0)
        calls[f"plain loop, {name}"] = partial(_next_plain, read_drive(folder), size, count())
        calls[f"loader, {name}"] = partial(_next_sample, triplets, count())
    return measure(calls, runs)


def tables(size: tuple[int, int], runs: int, drive: Path | None = None) -> dict[str, Any]:
    """Print and return the table of reading a drive, one that is rendered for it by default."""
    with drives(drive, size) as data, one_thread():
        found, camera = reading(data, size, runs), read_drive(data["recorded"]).camera
    of = f"recorded at {camera.width}x{camera.height}, wanted at {size[1]}x{size[0]}"
    over = {f"plain loop, {name}": [f"loader, {name}"] for name in data}
    return {"triplet": show(f"a triplet {of}, one thread", found, over)}


def steps_s(
    config: TrainConfig, batches: Iterator[dict[str, Tensor]], steps: int
) -> tuple[list[float], list[float]]:
    """Return the seconds that each training step waited for its batch, and worked on it."""
    model = build_model(config)
    optimizer = torch.optim.Adam(parameter_groups(model, config), lr=1e-5)
    waits, works = [], []
    for _ in range(steps + _WARM_UP):
        start = time.perf_counter()
        batch = next(batches)
        got = time.perf_counter()
        take_step(model, optimizer, batch, config.optim, 0)
        waits.append(got - start)
        works.append(time.perf_counter() - got)
    return waits[_WARM_UP:], works[_WARM_UP:]


def training(folder: Path, size: tuple[int, int], steps: int) -> dict[str, float]:
    """Return median seconds of a step with its batch at hand, with the loader, and its waiting."""
    config = TrainConfig(
        data=DataConfig(train=(str(folder),), size=size, workers=1),
        model=ModelConfig("tiny", "tiny"),
        loss=LossConfig(scales=1),
        optim=OptimConfig(batch=4),
    )
    in_process = replace(config, data=replace(config.data, workers=0))
    batch = next(load_batches(in_process, 0, 0, 1))
    _, at_hand = steps_s(config, repeat(batch), steps)
    waits, works = steps_s(config, load_batches(config, 0, 0, 1), steps)
    return {
        "step, batch at hand, s": float(np.median(at_hand)),
        "step, loader beside it, s": float(np.median(works)),
        "waiting for a batch, s": float(np.median(waits)),
        "share of time waiting": sum(waits) / (sum(waits) + sum(works)),
    }


def main(args: list[str] | None = None) -> int:
    """Print the tables; return the exit code."""
    parser = make_parser("python -m benchmarks.loader", __doc__)
    add = parser.add_argument
    add("drive", type=Path, nargs="?", help="images as recorded (default: a few are rendered)")
    add("--size", default="640x192", help="WxH; multiples of 32 (%(default)s)")
    add(
        "--runs",
        type=one_or_more,
        default=40,
        help="triplets of each way of reading (%(default)s)",
    )
    add("--steps", type=zero_or_more, default=5, help="of training (%(default)s)")
    add("--json", type=Path, help="write the numbers here, too")
    options = parser.parse_args(args)

    def work() -> None:
        size = size_of(options)
        with drives(options.drive, size) as data, one_thread():
            found = reading(data, size, options.runs)
            rates = {name: 3e3 / timing.cpu for name, timing in found.items()}
            step = training(data["recorded"], size, options.steps)
            report(options, read_drive(data["recorded"]), rates, step)

    return run(parser.prog, work)


def report(
    options: Namespace, drive: Drive, rates: dict[str, float], step: dict[str, float]
) -> None:
    """Print the numbers, and write them where asked."""
    camera = drive.camera
    about = {
        "size": options.size,
        "recorded": f"{camera.width}x{camera.height}",
        "runs": options.runs,
        "steps": options.steps,
        "device": "1 core trains, 1 loads",
    }
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    for name, rate in rates.items():
        print(f"{name:26} {rate:8.1f} images/s")
    for name, value in step.items():
        print(f"{name:26} {value:8.3f}")
    if options.json:
        made = {**about, "images_per_s": rates, "training": step}
        write_json(options.json, made)


if __name__ == "__main__":
    sys.exit(main())
