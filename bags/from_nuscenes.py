"""Turn the front camera of a nuScenes scene into a rosbag2 MCAP, with the vehicle's true poses."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from bags.cli import convert, converter_parser
from training.data import nuscenes
from training.data.drive import Drive

_EXAMPLES = """examples:
  python -m bags.from_nuscenes NUSCENES bags/out/night --scene scene-1100 --compressed
"""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = converter_parser("bags.from_nuscenes", __doc__, _EXAMPLES)
    parser.add_argument("--scene", required=True, help="its name, such as scene-0103")
    return convert(parser, args, _read)


def _read(options: Namespace) -> Drive:
    """Return the scene the command line names."""
    (drive,) = nuscenes.read(options.drive, names=[options.scene])
    return drive


if __name__ == "__main__":
    sys.exit(main())
