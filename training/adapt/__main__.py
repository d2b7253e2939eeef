"""Adapt the weights that ship to your own drives, without labels; prove it, or write nothing.

    python -m training.adapt BAG my_day.safetensors
    python -m training.adapt DRIVES… my_day.safetensors --minutes 30 --night my_night.safetensors
    python -m training.adapt drive.mp4 my_day.safetensors --calib camera.yaml
    torchrun --nproc-per-node 4 -m training.adapt DRIVES… my_day.safetensors --workers 16

DRIVES are bags, folders of images, videos, or KITTI's folder forms. The last fifth of each is
never trained on: the old and the new weights are compared there. Exit code 0: better, written; 3:
not better, nothing written; 2: nothing to learn from, or a mistake. The same command goes on after
a stop.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from pathlib import Path

from sdepth.checkpoint import bundled
from sdepth.cli import make_parser, positive, run, zero_or_more
from sdepth.depth.daynight import DAY, NIGHT
from training.adapt.adaptation import Request, adapt
from training.adapt.learn import Budget, follow
from training.adapt.sources import Options
from training.processes import Processes, together
from training.spread import Workers, add_options, workers

NOT_BETTER = 3


def make_arguments() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = make_parser("python -m training.adapt", __doc__)
    add = parser.add_argument
    add("drives", type=Path, nargs="*", metavar="DRIVE", help="what was recorded")
    add("out", type=Path, help="day weights to write; ends in .safetensors")
    add("--night", type=Path, metavar="OUT", help="night weights to write (default: OUT_night)")
    add("--night-drive", type=Path, action="append", default=[], metavar="DRIVE",
        dest="night_drives", help="one by night, however bright; may be given again")  # fmt: skip
    add("--minutes", type=positive, default=15.0, help="of training, each mode (%(default)s)")
    add(
        "--steps",
        type=zero_or_more,
        default=0,
        metavar="N",
        help="in place of --minutes: exactly so long",
    )
    add("--calib", type=Path, metavar="FILE",
        help="of images without one: the .yaml of ROS' camera_calibration")  # fmt: skip
    add("--fps", type=positive, default=10.0, metavar="HZ", help="of folders without times.txt")
    add("--bag-option", action="append", default=[], metavar="OPTION", dest="bag_options",
        help="for bags.to_dataset, as --bag-option=--image=/front/image_raw")  # fmt: skip
    add("--day-from", type=Path, default=bundled(DAY), metavar="W", help="weights to start from")
    add("--night-from", type=Path, default=bundled(NIGHT), metavar="W", help="likewise by night")
    add("--work", type=Path, metavar="FOLDER", help="of run and report (default: runs/OUT's name)")
    add_options(parser, "drives", 0)
    add("--force", action="store_true", help="write weights that are not better, too")
    add("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="changes a line of training/configs/adapt.yaml")  # fmt: skip
    return parser


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_arguments()
    o = parser.parse_intermixed_args(args)  # options may stand between drives, too
    for path in filter(None, (o.out, o.night)):
        if path.suffix != ".safetensors":
            parser.error(f"{path}: expected a name ending in .safetensors")
    if not (o.drives or o.night_drives):
        parser.error("expected at least one DRIVE, and where to write")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    o.command = "python -m training.adapt " + shlex.join(sys.argv[1:] if args is None else args)
    better: list[bool] = []

    def work() -> None:
        with together() as processes:
            if processes.rank > 0:
                better.append(True)  # what counts is what the first says
                return follow(processes)
            with workers(o.workers, o.address) as some:
                better.extend(adapt(make_request(o, some, processes)))
            processes.tell(None)

    code = run(parser.prog, work)
    return code or (0 if any(better) else NOT_BETTER)


def make_request(o: argparse.Namespace, some: Workers, processes: Processes) -> Request:
    """Return what the options ask for; whoever works may stand in another folder."""
    night = o.night or o.out.with_name(f"{o.out.stem}_night.safetensors")
    calib = o.calib.resolve() if o.calib else None
    return Request(
        drives=tuple(drive.resolve() for drive in o.drives),
        night_drives=tuple(drive.resolve() for drive in o.night_drives),
        outs={DAY: o.out, NIGHT: night},
        starts={DAY: o.day_from.resolve(), NIGHT: o.night_from.resolve()},
        folder=(o.work or Path("runs") / o.out.stem).resolve(),
        budget=Budget(o.minutes, o.steps),
        options=Options(calib, o.fps, tuple(o.bag_options)),
        overrides=tuple(o.overrides),
        force=o.force,
        command=o.command,
        workers=some,
        processes=processes,
    )


if __name__ == "__main__":
    sys.exit(main())
