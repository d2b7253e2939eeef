"""Play a long stream through both real nodes: does memory grow, is anything lost, how old is it?

Two images at most are on their way, so nothing need be dropped. Blobs move sideways; by turns it
is day and night, so that both networks and the change between them are at work. Memory is the
resident set of each node, from the end of the warm-up on. Ctrl-C ends the stream early.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.stream import Stream, streaming
from demo.nodes import NODES
from demo.processes import Processes
from sdepth.cli import image_size, make_parser, not_negative, one_or_more, run
from sdepth.errors import ConfigError
from sdepth.geometry.camera import Camera
from sdepth.markdown import table

HEAD = (
    *("node", "in", "out", "dropped", "bad", "age p50, ms", "p95"),
    *("MB at 1 %", "warm", "end", "growth"),
)
_EXAMPLES = """examples:
  python -m benchmarks.soak                                20,000 frames of 96x64
  python -m benchmarks.soak --frames 2000 --size 320x96    shorter, larger
"""
_DARK_EVERY = 500
"""Frames of day, then as many of night."""
_ON_THEIR_WAY = 2
_PATIENCE_S, _REST_S = 5.0, 3.0


def blobs(width: int, height: int) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) of blobs."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.normal(size=(height, width)), (0, 0), 2)
    grey = np.clip(150 + 60 * noise / noise.std(), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def memory_mb(pid: int, what: str = "VmRSS") -> float:
    """Return the resident memory of a process, MB; ``VmHWM``: what it was at most."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0]) / 1024


def soak(
    stream: Stream, group: Processes, frames: int, texture: NDArray[np.uint8]
) -> dict[str, NDArray[np.float64]]:
    """Return each node's memory, MB, at every hundredth part of the stream.

    Raises:
        ProcessError: a node ended.
    """
    memory: dict[str, list[float]] = {name: [] for name in NODES}
    every = max(1, frames // 100)
    with contextlib.suppress(KeyboardInterrupt):
        for k in tqdm(range(frames), unit="frame", mininterval=1):
            image = np.roll(texture, k, 1)
            stream.send(image // 8 if k // _DARK_EVERY % 2 else image)
            end_s = time.monotonic() + _PATIENCE_S

            def room(end_s: float = end_s) -> bool:
                """Tell whether the next image may go, or one got lost."""
                before = stream.sent[-_ON_THEIR_WAY:][0]
                return before in stream.ages_ms["odometry"] or time.monotonic() > end_s

            stream.wait_until(room, 2 * _PATIENCE_S, group, "a pose")
            if (k + 1) % every == 0:
                for name in NODES:
                    memory[name].append(memory_mb(group.pid(name)))
        rest_s = time.monotonic() + _REST_S  # until the last diagnostics are here
        stream.wait_until(lambda: time.monotonic() > rest_s, 2 * _REST_S, group, "a rest")
    return {name: np.array(values) for name, values in memory.items()}


def report(stream: Stream, name: str, memory: NDArray[np.float64], warm_up: float) -> list[str]:
    """Return the table's row of a node."""
    ages = [ages[0] for ages in stream.ages_ms[name].values()]
    p50, p95 = np.percentile(ages, [50, 95])
    first = memory[int(warm_up * len(memory))]
    fates = [str(stream.count(name, fate)) for fate in ("in", "out", "dropped", "bad")]
    cells = [name, *fates, f"{p50:.1f}", f"{p95:.1f}", f"{memory[0]:.1f}", f"{first:.1f}"]
    return [*cells, f"{memory[-1]:.1f}", f"{100 * (memory[-1] / first - 1):+.2f} %"]


def main(args: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = make_parser("python -m benchmarks.soak", __doc__, _EXAMPLES)
    parser.add_argument("--frames", type=one_or_more, default=20_000, help="(default %(default)s)")
    parser.add_argument("--size", default="96x64", help="WxH of the images (%(default)s)")
    parser.add_argument("--warm-up", type=not_negative, default=0.2, help="share of the stream")
    options = parser.parse_args(args)

    def work() -> None:
        if options.frames < 100 or not 0 <= options.warm_up < 1:
            raise ConfigError("--frames 100 or more, --warm-up from 0 to below 1")
        height, width = image_size(options.size)
        camera = Camera(width, width, (width - 1) / 2, (height - 1) / 2, width, height)
        with streaming(camera) as (stream, group):
            memory = soak(stream, group, options.frames, blobs(width, height))
        rows = (report(stream, name, memory[name], options.warm_up) for name in NODES)
        print(table(HEAD, rows))

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
