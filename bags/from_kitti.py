"""Turn a KITTI drive (odometry or raw layout) into a rosbag2 MCAP."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bags.cli import add_camera_height, convert, converter_parser
from bags.write import KITTI_CAMERA_HEIGHT_M

_EXAMPLES = """examples:
  python -m bags.from_kitti kitti/sequences/06 bags/out/06
  python -m bags.from_kitti kitti/2011_09_26/2011_09_26_drive_0052_sync bags/out/0052 --compressed
  python -m bags.from_kitti kitti/sequences/06 bags/out/06 --limit 20 --overwrite
"""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = converter_parser("bags.from_kitti", __doc__, _EXAMPLES)
    add_camera_height(parser, KITTI_CAMERA_HEIGHT_M)
    return convert(parser, args)


if __name__ == "__main__":
    sys.exit(main())
