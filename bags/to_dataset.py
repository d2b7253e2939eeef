"""Turn recorded bags into a folder to train on: images, camera, times, and poses where known."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from bags.cli import add_camera
from bags.recordings import Topics, read_bag
from sdepth.cli import make_parser, run
from training.data.cli import add_write_options, write_data_set
from training.data.crop_resize import CropResize

_EXAMPLES = """examples:
  python -m bags.to_dataset bags/out/06 data/mine
  python -m bags.to_dataset drives/* data/mine --image /front/image_raw --size 640x360
  python -m bags.to_dataset dashcam data/mine --calib camera.yaml
  python -m training.train training/configs/video.yaml --set 'data.train=[data/mine]'

A sequence per bag, more where images are missing. Images are rectified by their camera_info. Poses
are those of an odometry topic or of /tf, brought to the camera by /tf_static; the trainer's
loss.speed_weight learns metres from them.
"""


def make_arguments() -> ArgumentParser:
    """Return the parser."""
    parser = make_parser("bags.to_dataset", __doc__, _EXAMPLES)
    add = parser.add_argument
    add("bags", type=Path, nargs="+", help="rosbag2 (folder, .mcap or .db3) or ROS 1 .bag")
    add("out", type=Path, help="folder to write; the same command goes on where one was stopped")
    add("--image", default="", metavar="TOPIC", help="default: the only one of images")
    add_camera(parser)
    add("--odometry", default="", metavar="TOPIC",
        help="of poses, /tf, or none (default: the only one there is)")  # fmt: skip
    add_write_options(parser)
    return parser


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = make_arguments().parse_args(args)
    return run("bags.to_dataset", lambda: _convert(options))


def _convert(options: Namespace) -> None:
    """Write the data set the command line asks for."""
    topics = Topics(
        options.image, options.camera_info, options.odometry, options.calib, options.stamps
    )
    crop = CropResize.parse(options.crop, options.size)
    recordings = [
        r for bag in options.bags for r in read_bag(bag, topics, crop, options.skip_broken)
    ]
    write_data_set("bags.to_dataset", recordings, options)


if __name__ == "__main__":
    sys.exit(main())
