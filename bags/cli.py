"""What the converters' command lines share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bags.write import BagConfig, write_bag
from sdepth.cli import make_parser, run
from training.data.drive import read_drive


def converter_parser(prog: str, description: str, examples: str) -> argparse.ArgumentParser:
    """Return a parser with the options of every converter."""
    parser = make_parser(prog, description, examples)
    add = parser.add_argument
    add("drive", type=Path, help="folder of the drive")
    add("bag", type=Path, help="folder to write: metadata.yaml and an .mcap")
    add("--compressed", action="store_true",
        help="store the image files as they are, on /camera/image_raw/compressed")  # fmt: skip
    add("--limit", type=int, metavar="N", help="only the first N frames")
    add("--overwrite", action="store_true", help="replace the bag where it exists")
    return parser


def convert(parser: argparse.ArgumentParser, args: Sequence[str] | None) -> int:
    """Run a converter's command line; return its exit code."""
    options = parser.parse_args(args)
    config = BagConfig(
        compressed=options.compressed,
        camera_height_m=getattr(options, "camera_height", None),
        limit=options.limit,
        overwrite=options.overwrite,
    )

    def work() -> None:
        counts = write_bag(read_drive(options.drive), options.bag, config)
        for topic, count in sorted(counts.items()):
            print(f"{count:8d}  {topic}")
        print(f"wrote {options.bag}; play it with: python -m sdepth_ros.replay {options.bag}")

    return run(parser.prog, work)
