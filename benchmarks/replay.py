"""Send a real drive's images at the pace of a camera: what is answered, what dropped, how old.

An image is stamped when it is sent; its age is that of its answer when it is heard. The newest
image wins, so with a network slower than the camera an answer is at most two inferences old (the
one at work, then its own), plus the way there and back. Lost images never reached a node.

With --busy 0 2 so many endless loops take the processor meanwhile. The newest image still wins:
the 95th percentile of the age must stay below twice that without the loops plus one frame, or the
exit code is 1. Without loops it is told what share of the cores' time the nodes leave free, DDS
included; that of camera and listener, which are no part of them, is not counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.depth import make_checkpoint
from benchmarks.stream import Stream, streaming
from demo.nodes import NODES
from demo.processes import Processes
from sdepth.cli import image_size, make_parser, one_or_more, positive, run, zero_or_more
from sdepth.engines import AUTO, PRECISIONS
from sdepth.markdown import table
from training.data.drive import Drive
from training.data.open_drive import read_drive

HEAD = ("Hz", "busy", "node", "sent", "out", "dropped", "lost", "work, ms", "age p50, ms", "p95")
_EXAMPLES = """examples:
  python -m benchmarks.replay KITTI/sequences/06                  at 10 and 30 Hz
  python -m benchmarks.replay KITTI/sequences/06 --hz 30 --network resnet18 --size 1280x384
  python -m benchmarks.replay KITTI/sequences/06 --hz 15 20 25 --nodes depth --network light
  python -m benchmarks.replay KITTI/sequences/06 --hz 60 --nodes depth --precision bf16
  python -m benchmarks.replay KITTI/sequences/06 --hz 30 --together --busy 0 2
"""
_PATIENCE_S, _STILL_S = 60.0, 4.0
TOO_OLD = 1
"""Exit code."""


def play(
    stream: Stream, group: Processes, images: list[NDArray[np.uint8]], hz: float, count: int
) -> None:
    """Send so many images in time, whatever becomes of them; return when the nodes rest.

    Raises:
        ProcessError: a node ended.
    """
    start_s = time.monotonic()
    for k in tqdm(range(count), unit="frame", leave=False):
        stream.spin_to(start_s + k / hz)
        group.check()
        stream.send(images[k % len(images)])
    last_s = time.monotonic()
    stream.wait_until(
        lambda: time.monotonic() - last_s > _STILL_S and stream.settled(count),
        _PATIENCE_S, group, "an end",
    )  # fmt: skip


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Take the processor by so many endless loops while the block runs."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def rows(stream: Stream, hz: float, loops: int) -> tuple[list[list[object]], dict[str, float]]:
    """Return the table's rows of a rate, one per node, and their 95th percentiles of the age."""
    cells: list[list[object]] = []
    late: dict[str, float] = {}
    for name in stream.nodes:
        ages = [ages[0] for ages in stream.ages_ms[name].values()]
        p50, late[name] = np.percentile(ages, [50, 95]) if ages else (np.inf, np.inf)
        work = float(np.median(stream.work_ms[name] or [np.inf]))
        fates = [stream.count(name, fate) for fate in ("out", "dropped", "lost")]
        times = (f"{ms:.0f}" for ms in (work, p50, late[name]))
        cells.append([f"{hz:g}", loops, name, len(stream.sent), *fates, *times])
    return cells, late


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has taken so far, all threads, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share_free(spent_ms: dict[str, float], hz: float) -> str:
    """Return what processes leave of the cores, by what each spends on an image, milliseconds."""
    cores = len(os.sched_getaffinity(0))
    free = 1 - sum(spent_ms.values()) * hz / 1000 / cores
    parts = ", ".join(f"{name} {ms:.1f} ms" for name, ms in spent_ms.items())
    return f"{hz:g} Hz, processor time of an image: {parts}; {free:.0%} of {cores} cores free"


def measure(
    drive: Drive, hz: float, count: int, params: list[str], loops: int, **how: Any
) -> tuple[list[list[object]], dict[str, float]]:
    """Return ``rows`` of a drive sent to nodes at a rate; ``how``: as ``streaming`` takes it."""
    images = [drive.read(frame) for frame in drive.frames]
    with streaming(drive.camera, *params, **how) as (stream, group), busy(loops):
        before = {name: cpu_s(group.pid(name)) for name in group.names()}
        play(stream, group, images, hz, count)
        spent = {name: cpu_s(group.pid(name)) - s for name, s in before.items()}
    if not loops:
        print(share_free({name: 1e3 * s / count for name, s in spent.items()}, hz), flush=True)
    return rows(stream, hz, loops)


def too_old(idle: dict[str, float], now: dict[str, float], hz: float) -> list[str]:
    """Return what is to be said of nodes that answer too late under load, milliseconds."""
    limits = {name: 2 * idle[name] + 1000 / hz for name in now}
    return [
        f"{name}: 95th percentile of the age {now[name]:.0f} ms under load, expected at most "
        f"{limit:.0f}, twice the {idle[name]:.0f} without and a frame"
        for name, limit in limits.items()
        if now[name] > limit
    ]


def main(args: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = make_parser("python -m benchmarks.replay", __doc__, _EXAMPLES)
    parser.add_argument("drive", type=Path, help="folder, KITTI odometry or raw layout")
    parser.add_argument("--hz", type=positive, nargs="+", default=[10.0, 30.0])
    parser.add_argument("--nodes", nargs="+", default=[*NODES], choices=NODES)
    parser.add_argument(
        "--frames", type=one_or_more, default=150, help="over and over (%(default)s)"
    )
    parser.add_argument("--together", action="store_true", help="both nodes in one process")
    parser.add_argument("--features", choices=("fixed", "learned"), default="fixed",
                        help="of odometry (%(default)s)")  # fmt: skip
    parser.add_argument("--busy", type=zero_or_more, nargs="+", default=[0],
                        help="endless loops beside it, a run for each (none)")  # fmt: skip
    parser.add_argument("--network", choices=("light", "lite0", "resnet18"),
                        help="untrained, of --size; without it, the one that ships")  # fmt: skip
    parser.add_argument("--size", default="640x192", help="WxH of --network (%(default)s)")
    parser.add_argument(
        "--precision", choices=(AUTO, *PRECISIONS), default="fp32", help="(%(default)s)"
    )
    options = parser.parse_args(args)
    said: list[str] = []

    def work() -> None:
        drive = read_drive(options.drive)
        with tempfile.TemporaryDirectory() as folder:
            params = ["depth.resolution:=model", f"model.precision:={options.precision}"]
            params += [f"features:={options.features}"]
            if options.network:
                path = make_checkpoint(Path(folder), options.network, image_size(options.size))
                params += [f"model.{domain}_path:={path}" for domain in ("day", "night")]
            nodes = NODES if options.together else options.nodes
            how: dict[str, Any] = {"nodes": nodes, "together": options.together}
            cells: list[list[object]] = []
            for hz in options.hz:
                sent = hz, options.frames, params
                found = [measure(drive, *sent, loops, **how) for loops in options.busy]
                cells += [row for of_one, _ in found for row in of_one]
                said.extend(s for _, late in found for s in too_old(found[0][1], late, hz))
            print(table(HEAD, cells))
            print(*said, sep="\n", end="\n" if said else "")

    return run(parser.prog, work) or (TOO_OLD if said else 0)


if __name__ == "__main__":
    sys.exit(main())
