"""How benchmarks time: calls take turns, medians, on a machine that is described."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from sdepth.cli import image_size, make_parser, one_or_more, run
from sdepth.engines.source import device_name
from sdepth.files import write_json

Calls = Mapping[str, Callable[[], object]]
_WARM_UP = 3


@dataclass(frozen=True)
class Timing:
    """What a call took, milliseconds.

    Attributes:
        median: by the clock.
        p95: likewise, of nineteen in twenty at most.
        cpu: least processor time, all threads together; other programs change it least.
    """

    median: float
    p95: float
    cpu: float


def measure(calls: Calls, runs: int) -> dict[str, Timing]:
    """Return what each call takes; calls take turns, so that noise is shared."""
    clocks: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    rounds = range(runs + _WARM_UP)
    for _ in tqdm(rounds, "timing", unit="round", leave=False, disable=None):  # terminals only
        for name, call in calls.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            call()
            end, end_cpu = time.perf_counter(), time.process_time()
            clocks[name].append((1e3 * (end - start), 1e3 * (end_cpu - start_cpu)))
    found = {}
    for name, pairs in clocks.items():
        wall, cpu = np.array(pairs[_WARM_UP:]).T
        median, p95 = np.percentile(wall, (50, 95))
        found[name] = Timing(float(median), float(p95), float(cpu.min()))
    return found


def median_ms(calls: Calls, runs: int) -> dict[str, float]:
    """Return the median of each call, milliseconds; calls take turns."""
    return {name: timing.median for name, timing in measure(calls, runs).items()}


def machine() -> dict[str, object]:
    """Return what the numbers were measured on, and how busy it was."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": device_name(torch.device("cpu")),
        "cores": os.cpu_count(),
        "flags": instructions(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def instructions() -> str:
    """Return the CPU's instructions that speed hangs on: ``AVX2``, ``AVX512``, ``AVX512 AMX``."""
    vectors = torch.backends.cpu.get_cpu_capability()
    known = Path("/proc/cpuinfo")  # Linux: PyTorch does not tell of matrix instructions
    has_matrices = known.is_file() and "amx_tile" in known.read_text()
    return f"{vectors} AMX" if has_matrices else vectors


def timing_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a benchmark, with what every timing takes."""
    parser = make_parser(f"python -m benchmarks.{name}".rstrip("."), description)
    parser.add_argument("--size", default="640x192", help="WxH; multiples of 32 (%(default)s)")
    parser.add_argument("--threads", type=one_or_more, default=2)
    parser.add_argument("--runs", type=one_or_more, default=15)
    return parser


def run_tables(
    name: str,
    description: str | None,
    tables: Callable[[tuple[int, int], int], dict[str, object]],
    args: list[str] | None,
) -> int:
    """Run a benchmark of its own; return the exit code.

    Args:
        name: of its module.
        description: of it.
        tables: prints the tables for an input (height, width) and a number of runs, and returns
            them.
        args: of the command line.
    """
    parser = timing_parser(name, description)
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    options = parser.parse_args(args)

    def work() -> None:
        about = prepare(options)
        found = {**about, name: tables(size_of(options), options.runs)}
        if options.json:
            write_json(options.json, found)

    return run(parser.prog, work)


def prepare(options: argparse.Namespace) -> dict[str, object]:
    """Set the threads asked for; print and return what the numbers are of."""
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    about = {**machine(), "size": options.size, "runs": options.runs}
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    return about


@contextmanager
def one_thread() -> Iterator[None]:
    """Give PyTorch and OpenCV one thread each for a while."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def size_of(options: argparse.Namespace) -> tuple[int, int]:
    """Return the network's (height, width) asked for."""
    height, width = image_size(options.size)
    return height, width
