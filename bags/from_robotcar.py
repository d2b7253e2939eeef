"""Turn a traversal of Oxford RobotCar into a rosbag2 MCAP: demosaiced, undistorted, cropped."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from bags.cli import add_camera_height, convert, converter_parser
from training.data import robotcar
from training.data.crop_resize import CropResize, cropped
from training.data.data_sets import robotcar_options
from training.data.drive import Drive

_EXAMPLES = """examples:
  python -m bags.from_robotcar 2014-12-16-18-44-24 bags/out/night --models SDK/models --limit 500
"""
_CAMERA_HEIGHT_M = 1.5
"""About: the data set does not give it."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = converter_parser("bags.from_robotcar", __doc__, _EXAMPLES)
    robotcar_options(parser)
    parser.add_argument("--crop", default=robotcar.CROP, metavar="WxH+X+Y",
        help="or none (default %(default)s leaves the bonnet out)")  # fmt: skip
    add_camera_height(parser, _CAMERA_HEIGHT_M)
    return convert(parser, args, _read)


def _read(options: Namespace) -> Drive:
    """Return the drive the command line names."""
    drive = robotcar.read(options.drive, options.models, options.camera)
    return cropped(drive, CropResize.parse(options.crop, "none"))


if __name__ == "__main__":
    sys.exit(main())
