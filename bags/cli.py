"""What the converters' command lines share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from bags.images import STAMPS
from bags.write import BagConfig, check_apart, write_bag
from sdepth.cli import make_parser, one_or_more, positive, run
from training.data.data_sets import without_broken
from training.data.drive import Drive
from training.data.open_drive import read_drive


def converter_parser(prog: str, description: str | None, examples: str) -> argparse.ArgumentParser:
    """Return a parser with the options of every converter."""
    parser = make_parser(prog, description, examples)
    add = parser.add_argument
    add("drive", type=Path, help="folder of the drive")
    add("bag", type=Path, help="folder to write: metadata.yaml and an .mcap")
    add("--compressed", action="store_true",
        help="store the image files as they are, on /camera/image_raw/compressed")  # fmt: skip
    add("--limit", type=one_or_more, metavar="N", help="only the first N frames")
    add("--skip-broken", action="store_true", help="leave out images that are missing or broken")
    add("--overwrite", action="store_true", help="replace the bag where it exists")
    return parser


def add_camera_height(parser: argparse.ArgumentParser, default_m: float) -> None:
    """Add the option that says how high the camera is."""
    parser.add_argument(
        "--camera-height",
        type=positive,
        default=default_m,
        metavar="M",
        help="of the camera above the road, m (default %(default)s)",
    )


def add_camera(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where calibration and times of a bag's images are."""
    add = parser.add_argument
    add("--camera-info", default="", metavar="TOPIC", help="default: the image's sibling")
    add("--calib", type=lambda path: str(Path(path).resolve()), metavar="FILE",
        help="the .yaml of ROS' camera_calibration, in place of camera_info")  # fmt: skip
    add("--stamps", choices=STAMPS, default=STAMPS[0],
        help="times of a bag's images: of their headers, or when the bag received them; "
        "auto: the latter where all headers have one stamp")  # fmt: skip


def convert(
    parser: argparse.ArgumentParser,
    args: Sequence[str] | None,
    read: Callable[[argparse.Namespace], Drive] = lambda options: read_drive(options.drive),
) -> int:
    """Run a converter's command line; return its exit code. ``read`` gives the drive it names."""
    options = parser.parse_args(args)
    config = BagConfig(
        compressed=options.compressed,
        camera_height_m=getattr(options, "camera_height", None),
        limit=options.limit,
        overwrite=options.overwrite,
    )

    def work() -> None:
        check_apart(options.drive, options.bag)
        (drive,) = without_broken([read(options)], options.skip_broken)
        counts = write_bag(drive, options.bag, config)
        for topic, count in sorted(counts.items()):
            print(f"{count:8d}  {topic}")
        print(f"wrote {options.bag}; play it with: sdepth-replay {options.bag}")

    return run(parser.prog, work)
