"""Send a real drive's images at the pace of a camera: what is answered, what dropped, how old.

An image is stamped when it is sent; its age is that of its answer when it is heard. The newest
image wins, so with a network slower than the camera an answer is at most two inferences old (the
one at work, then its own), plus the way there and back. Lost images never reached a node.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.depth import make_checkpoint
from benchmarks.stream import Stream, streaming
from demo.nodes import NODES
from demo.processes import Processes
from sdepth.cli import image_size, make_parser, run
from sdepth.engines import PRECISIONS
from sdepth.markdown import table
from training.data.drive import Drive
from training.data.open_drive import read_drive

HEAD = ("Hz", "node", "sent", "out", "dropped", "lost", "work, ms", "age p50, ms", "p95")
_EXAMPLES = """examples:
  python -m benchmarks.replay KITTI/sequences/06                  at 10 and 30 Hz
  python -m benchmarks.replay KITTI/sequences/06 --hz 30 --network resnet18 --size 1280x384
  python -m benchmarks.replay KITTI/sequences/06 --hz 15 20 25 --nodes depth --network light
  python -m benchmarks.replay KITTI/sequences/06 --hz 60 --nodes depth --precision bf16
"""
_PATIENCE_S, _STILL_S = 60.0, 4.0


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


def rows(stream: Stream, hz: float) -> list[list[object]]:
    """Return the table's rows of a rate, one per node."""
    cells: list[list[object]] = []
    for name in stream.nodes:
        ages = [ages[0] for ages in stream.ages_ms[name].values()]
        p50, p95 = np.percentile(ages, [50, 95])
        work = float(np.median(stream.work_ms[name]))
        fates = [stream.count(name, fate) for fate in ("out", "dropped", "lost")]
        times = (f"{ms:.0f}" for ms in (work, p50, p95))
        cells.append([f"{hz:g}", name, len(stream.sent), *fates, *times])
    return cells


def measure(
    drive: Drive, hz: float, count: int, params: list[str], nodes: Sequence[str]
) -> list[list[object]]:
    """Return the table's rows of a drive sent to nodes at a rate."""
    images = [drive.read(frame) for frame in drive.frames]
    with streaming(drive.camera, *params, nodes=nodes) as (stream, group):
        play(stream, group, images, hz, count)
    return rows(stream, hz)


def main(args: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = make_parser("python -m benchmarks.replay", __doc__, _EXAMPLES)
    parser.add_argument("drive", type=Path, help="folder, KITTI odometry or raw layout")
    parser.add_argument("--hz", type=float, nargs="+", default=[10.0, 30.0])
    parser.add_argument("--nodes", nargs="+", default=[*NODES], choices=NODES)
    parser.add_argument("--frames", type=int, default=150, help="over and over (%(default)s)")
    parser.add_argument("--network", choices=("light", "lite0", "resnet18"),
                        help="untrained, of --size; without it, the one that ships")  # fmt: skip
    parser.add_argument("--size", default="640x192", help="WxH of --network (%(default)s)")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="(%(default)s)")
    options = parser.parse_args(args)

    def work() -> None:
        drive = read_drive(options.drive)
        with tempfile.TemporaryDirectory() as folder:
            params = ["depth.resolution:=model", f"model.precision:={options.precision}"]
            if options.network:
                path = make_checkpoint(Path(folder), options.network, image_size(options.size))
                params += [f"model.{domain}_path:={path}" for domain in ("day", "night")]
            found = [
                measure(drive, hz, options.frames, params, options.nodes) for hz in options.hz
            ]
            print(table(HEAD, (row for of_rate in found for row in of_rate)))

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
