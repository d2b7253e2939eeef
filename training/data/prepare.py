"""Check a downloaded data set and write it as training reads it fastest.

    python -m training.data.prepare kitti KITTI
    python -m training.data.prepare robotcar ROBOTCAR data/robotcar --models SDK/models
    python -m training.data.prepare nuscenes NUSCENES data/nuscenes_night --light night

Without OUT it only checks. With OUT it writes OUT/sequences/NAME (KITTI odometry's form), each
image developed, cropped and resized once; files that need nothing of that are linked to. The same
command goes on where a stopped one was. Then train with --set 'data.train=[OUT]'.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from sdepth.cli import make_parser, run
from sdepth.errors import DataError
from training.data.sources import SOURCES, Source
from training.data.trim import Trim
from training.data.write import WriteConfig, claim, write_recording

_NOT_CLAIMED = ("out", "skip_broken", "workers")


def make_arguments() -> ArgumentParser:
    """Return the parser: a command per data set."""
    parser = make_parser("training.data.prepare", __doc__)
    commands = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    for name, source in SOURCES.items():
        command = commands.add_parser(name, help=source.about, description=source.about)
        add = command.add_argument
        add("root", type=Path, help="where the download was unpacked")
        add("out", type=Path, nargs="?", help="folder to write; without it, only check")
        add("--only", default="", metavar="TEXT", help="drives whose name holds this")
        add("--crop", default=source.crop, metavar="WxH+X+Y", help="or none (default %(default)s)")
        add("--size", default="none", metavar="WxH", help="resize to, after the crop")
        add(
            "--skip-broken", action="store_true", help="leave out files that are missing or broken"
        )
        add("--workers", type=int, default=2, metavar="N", help="threads (default %(default)s)")
        source.options(command)
    return parser


def prepare(source: Source, options: Namespace) -> None:
    """Check a data set and write it where asked, telling what was found.

    Raises:
        DataError: something is missing or broken.
        CameraError: a calibration is not that of a camera.
    """
    recordings = source.read(options, Trim.parse(options.crop, options.size))
    if not recordings:
        named = f" in a drive named *{options.only}*" if options.only else ""
        raise DataError(f"{options.root}: no three frames in a row{named}")
    for r in recordings:
        print(f"{r.name}: {r.count} images, {r.camera.width}x{r.camera.height}")
    print(f"{sum(r.count for r in recordings)} images in {len(recordings)} drives, none missing")
    if options.out is None:
        how = f"data.train=[{options.root}]" if source.in_place else "give OUT to write them"
        print(how)
        return
    made = {k: str(v) for k, v in vars(options).items() if k not in _NOT_CLAIMED}
    claim(options.out, {"generator": "training.data.prepare", **made})
    config = WriteConfig(options.skip_broken, options.workers)
    with tqdm(total=sum(r.count for r in recordings), unit="frame") as bar:
        for r in recordings:
            bar.set_description(r.name)
            for name, said in write_recording(options.out, r, config, bar.update).items():
                tqdm.write(f"left out {r.name}/{name}: {said}", file=sys.stderr)
    print(f"wrote {options.out}; train with --set 'data.train=[{options.out}]'")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = make_arguments().parse_args(args)
    return run("training.data.prepare", lambda: prepare(SOURCES[options.dataset], options))


if __name__ == "__main__":
    sys.exit(main())
