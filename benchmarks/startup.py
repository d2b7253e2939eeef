"""Time from the start of the nodes to their first answers, and take their memory at its peak.

An image of 1242x375 is sent every 100 ms. ``first`` starts with an empty cache: engines are made
and timed; ``again`` is every later start on this machine.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks.messages import CAMERA
from benchmarks.soak import memory_mb
from benchmarks.stream import Stream
from benchmarks.timing import machine
from demo.domain import free_domain
from demo.nodes import CAMERA_ARGS, environment
from demo.processes import Processes, processes
from sdepth.cli import make_parser, one_or_more, run
from sdepth.markdown import table

APART = {"depth_node": ("depth",), "odometry_node": ("odometry",)}
TOGETHER = {"vision_node": ("depth", "odometry")}
"""By executable, whose answers it gives."""
_EXAMPLES = """examples:
  python -m benchmarks.startup
  python -m benchmarks.startup --frames 300
"""
_PERIOD_S, _PATIENCE_S = 0.1, 120.0


def wait(stream: Stream, group: Processes, frames: int, start_s: float) -> dict[str, float]:
    """Send images until every node has answered so many; return when each first did, seconds.

    Raises:
        ProcessError: a node ended, or they did not answer.
    """
    image = np.full((CAMERA.height, CAMERA.width, 3), 128, np.uint8)
    first_s: dict[str, float] = {}
    due_s = start_s

    def answered() -> bool:
        """Send what is due; tell whether all answers are there."""
        nonlocal due_s
        now_s = time.monotonic()
        if now_s >= due_s:
            stream.send(image)
            due_s = now_s + _PERIOD_S
        for name, ages in stream.ages_ms.items():
            if ages:
                first_s.setdefault(name, now_s - start_s)
        return all(len(ages) >= frames for ages in stream.ages_ms.values())

    stream.wait_until(answered, _PATIENCE_S + frames, group, f"{frames} answers")
    return first_s


def start(executables: Mapping[str, tuple[str, ...]], cache: Path, frames: int) -> list[list[str]]:
    """Return the cells of each executable: its answers, when they first came, and its memory."""
    with free_domain() as domain, closing(Stream(domain, CAMERA)) as stream:
        variables = environment(domain) | {"SDEPTH_CACHE": str(cache)}
        with tempfile.TemporaryDirectory() as logs, processes(Path(logs), variables) as group:
            start_s = time.monotonic()
            for name in executables:
                group.start(name, f"sdepth_ros.{name}", "--ros-args", *CAMERA_ARGS)
            first_s = wait(stream, group, frames, start_s)
            return [
                [
                    name,
                    ", ".join(f"{answer} {first_s[answer]:.1f} s" for answer in answers),
                    f"{memory_mb(group.pid(name), 'VmHWM'):.0f}",
                ]
                for name, answers in executables.items()
            ]


def main(args: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = make_parser("python -m benchmarks.startup", __doc__, _EXAMPLES)
    parser.add_argument("--frames", type=one_or_more, default=50, help="answered (%(default)s)")
    options = parser.parse_args(args)

    def work() -> None:
        print(", ".join(f"{key} {value}" for key, value in machine().items()))
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            for name, executables in (("first", APART), ("again", APART), ("again", TOGETHER)):
                started = start(executables, Path(folder), options.frames)
                rows += [[name, *cells] for cells in started]
        print(table(("start", "process", "first answer", "MB at most"), rows))

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
