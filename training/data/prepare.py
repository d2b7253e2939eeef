"""Check a downloaded data set and write it as training reads it fastest.

    python -m training.data.prepare kitti KITTI
    python -m training.data.prepare robotcar ROBOTCAR data/robotcar --models SDK/models
    python -m training.data.prepare nuscenes NUSCENES data/nuscenes_night --light night
    python -m training.data.prepare cityscapes CITYSCAPES data/cityscapes --size 1024x384
    python -m training.data.prepare video drive.mp4 data/mine --calib camera.yaml --every 3

Without OUT it only checks. With OUT it writes OUT/sequences/NAME (KITTI odometry's form), each
image developed, cropped and resized once; files that need nothing of that are linked to. The same
command goes on where a stopped one was. Then train with --set 'data.train=[OUT]'.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from sdepth.cli import make_parser, run
from sdepth.errors import DataError
from training.data.cli import add_write_options, describe_recordings, write_data_set
from training.data.crop_resize import CropResize
from training.data.data_sets import DATA_SETS, DataSet


def make_arguments() -> ArgumentParser:
    """Return the parser: a command per data set."""
    parser = make_parser("training.data.prepare", __doc__)
    commands = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    for name, data_set in DATA_SETS.items():
        command = commands.add_parser(name, help=data_set.about, description=data_set.about)
        add = command.add_argument
        add("root", type=Path, help="where the download was unpacked")
        add("out", type=Path, nargs="?", help="folder to write; without it, only check")
        add("--only", default="", metavar="TEXT", help="drives whose name holds this")
        add_write_options(command, data_set.crop)
        data_set.options(command)
    return parser


def prepare(data_set: DataSet, options: Namespace) -> None:
    """Check a data set and write it where asked, telling what was found.

    Raises:
        DataError: something is missing or broken.
        CameraError: a calibration is not that of a camera.
    """
    recordings = data_set.read(options, CropResize.parse(options.crop, options.size))
    if not recordings:
        named = f" in a drive named *{options.only}*" if options.only else ""
        raise DataError(f"{options.root}: no three frames in a row{named}")
    print(describe_recordings(recordings))
    if options.out is None:
        print(f"data.train=[{options.root}]" if data_set.in_place else "give OUT to write them")
        return
    write_data_set("training.data.prepare", recordings, options)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = make_arguments().parse_args(args)
    return run("training.data.prepare", lambda: prepare(DATA_SETS[options.dataset], options))


if __name__ == "__main__":
    sys.exit(main())
