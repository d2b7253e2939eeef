"""Time what DDS adds from an image to its depth and points, by image size and transport setting.

An echo in a process of its own answers each image with depth and points of 640x192, of the depth
node's QoS but made before: all that is timed is the middleware and the message classes. Images go
one at a time; one without an answer after a second is lost. ``profile`` is what sdepth.launch.py
and the demo set, ``default`` what Fast DDS does by itself, the others are its own settings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.timing import machine
from demo.domain import domain_variables, free_domain
from sdepth.cli import make_parser, one_or_more, run
from sdepth.errors import SdepthError
from sdepth.files import write_json
from sdepth.markdown import table
from sdepth_ros.middleware import PROFILES_VARIABLE, TRANSPORTS_VARIABLE, profile_file

SIZES = ("320x96", "640x192", "1242x375", "1920x1080")
SETTINGS = {
    "profile": {PROFILES_VARIABLE: str(profile_file())},
    "default": {},
    "LARGE_DATA": {TRANSPORTS_VARIABLE: "LARGE_DATA"},
    "UDPv4": {TRANSPORTS_VARIABLE: "UDPv4"},
}
"""By name, the environment that sets it."""
_EXAMPLES = """examples:
  python -m benchmarks.transport
  python -m benchmarks.transport --sizes 1280x720 --settings profile default --frames 300
"""


def measure(setting: str, sizes: list[str], frames: int) -> dict[str, dict[str, float]]:
    """Return what ``send`` finds under a transport setting.

    Raises:
        SdepthError: a process failed; its last words.
    """
    names = (PROFILES_VARIABLE, TRANSPORTS_VARIABLE)
    ours = {name: value for name, value in os.environ.items() if name not in names}
    ours |= SETTINGS[setting]
    command = [sys.executable, "-m", "benchmarks.echo"]
    sizes_of = ["--sizes", *sizes, "--frames", str(frames)]
    with free_domain() as domain:
        ours |= domain_variables(domain)
        with subprocess.Popen(
            [*command, "echo"], env=ours, stderr=subprocess.DEVNULL
        ) as answering:
            try:
                sent = subprocess.run(
                    [*command, "send", *sizes_of], env=ours, stdout=subprocess.PIPE, text=True
                )
            finally:
                answering.kill()
    if sent.returncode:
        raise SdepthError(f"{setting}: the sending process failed, code {sent.returncode}")
    found: dict[str, dict[str, float]] = json.loads(sent.stdout)
    return found


def tables(settings: list[str], sizes: list[str], frames: int) -> dict[str, Any]:
    """Print and return the table, by setting and size; ratios are of medians of depth."""
    found = {name: measure(name, sizes, frames) for name in settings}
    times = ("depth p50, ms", "p95", "lost", "points p50", "p95", "lost")
    rows = []
    for size in sizes:
        for name in settings:
            row = found[name][size]
            base = found.get("default", found[settings[0]])[size]["depth_p50"]
            cells = [
                f"{row[f'{k}_{what}']:.{0 if what == 'lost' else 1}f}"
                for k in ("depth", "points")
                for what in ("p50", "p95", "lost")
            ]
            ratio = f"{row['depth_p50'] / base:.2f}"
            rows.append([size, name, *cells, ratio])
    print(table(("image", "transport", *times, "/ default"), rows))
    return found


def main(args: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = make_parser("python -m benchmarks.transport", __doc__, _EXAMPLES)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="WxH", help="of images")
    parser.add_argument("--settings", nargs="+", default=[*SETTINGS], choices=SETTINGS)
    parser.add_argument("--frames", type=one_or_more, default=100, help="per size (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    options = parser.parse_args(args)

    def work() -> None:
        about = machine()
        print(", ".join(f"{key} {value}" for key, value in about.items()))
        found = tables(options.settings, options.sizes, options.frames)
        if options.json:
            write_json(options.json, {**about, "transport": found})

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
