"""Run depth and odometry over many bags, on all cores of a machine or of a cluster.

    python -m bags.process bags.txt out
    python -m bags.process drives/ out --address ray://head:10001

LIST is a folder of bags, or a file that names one per line: folders of rosbag2, lone .mcap and
.db3, ROS 1 .bag. A table at the end says what came of each. Each bag's trajectory and summary
appear in OUT/NAME when it is done, so that the same command goes on where it was stopped. The work
is spread by Ray; a worker that dies has its bag done again. A cluster's machines
need the same checkout and packages, and LIST and OUT where they all see them. --workers 0 works
one by one, without Ray.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from bags.cli import add_camera
from bags.process_bag import RESULT, ProcessConfig, Result, process_bag
from bags.recordings import Topics
from sdepth.checkpoint import bundled
from sdepth.cli import make_parser, run
from sdepth.errors import DataError, SdepthError
from sdepth.markdown import table
from sdepth_ros.bags.reader import is_bag
from training.data.write import claim
from training.spread import add_options, workers


def make_arguments() -> ArgumentParser:
    """Return the parser."""
    parser = make_parser("bags.process", __doc__)
    add = parser.add_argument
    add("list", type=Path, help="folder of bags, or a file that names one per line")
    add("out", type=Path, help="folder to write")
    add_options(parser, "bags", os.cpu_count() or 1)
    add("--image", default="", metavar="TOPIC", help="default: the only one of images")
    add_camera(parser)
    add("--mode", choices=("auto", "day", "night"), default="auto")
    add("--day", type=Path, default=bundled("day"), help="checkpoint")
    add("--night", type=Path, default=bundled("night"), help="checkpoint")
    add("--device", default="cpu")
    add("--depth", action="store_true", help="keep depth images, too")
    add("--fused", action="store_true", help="keep them fused with the frames before")
    add("--skip-broken", action="store_true", help="leave out images that are broken")
    return parser


def find_bags(path: Path) -> list[Path]:
    """Return the bags of a folder or list, or the one that ``path`` is itself.

    Raises:
        DataError: there is none, or two have one name.
    """
    if (path / "metadata.yaml").is_file() or (path.is_file() and is_bag(path)):
        bags = [path]
    elif path.is_dir():
        bags = sorted(found for found in path.glob("[!.]*") if is_bag(found))
    elif path.is_file():
        # Any bytes are a file's name.
        lines = path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
        named = [line.strip() for line in lines if line.strip() and line[0] != "#"]
        bags = [path.parent / Path(name).expanduser() for name in named]
    else:
        raise DataError(f"{path}: missing; expected a folder of bags, or a file that names them")
    if not bags:
        raise DataError(f"{path}: no bags; expected folders of rosbag2, .mcap, .db3 or .bag files")
    twice = [name for name, n in Counter(bag.name for bag in bags).items() if n > 1]
    if twice:
        raise DataError(f"{path}: two bags are named {twice[0]}; process them apart")
    return bags


def process(options: Namespace) -> None:
    """Process what is not done yet.

    Raises:
        DataError: the arguments do not fit, or bags failed, which are named.
    """
    topics = Topics(options.image, options.camera_info, "none", options.calib, options.stamps)
    checkpoints = options.day.resolve(), options.night.resolve()
    config = ProcessConfig(topics, options.mode, checkpoints, options.device, options.depth,
                            options.fused, options.skip_broken)  # fmt: skip
    bags, out = [bag.resolve() for bag in find_bags(options.list)], options.out.resolve()
    made = {**asdict(config), "checkpoints": [str(path) for path in checkpoints]}
    claim(out, {"generator": "bags.process", **made})
    left = [bag for bag in bags if not (out / bag.name / RESULT).is_file()]
    failed = {}
    with (
        workers(options.workers, options.address) as some,
        tqdm(total=len(bags), initial=len(bags) - len(left), unit="bag") as bar,
    ):
        for i, result in some.as_done(process_bag, left, out, config):
            bar.update()
            if isinstance(result, Exception):  # whatever it is, others are done
                failed[left[i]] = said = _said(result)
                tqdm.write(f"{left[i].name}: {said}", file=sys.stderr)
    print(_table(bags, out, failed))
    print(f"{out}: {len(bags) - len(failed)} of {len(bags)} bags done")
    if failed:
        first, said = next(iter(failed.items()))
        raise DataError(f"{len(failed)} bags failed, the first: {first.name}: {said}")


def _said(err: Exception) -> str:
    """Return why a bag failed."""
    if isinstance(err, SdepthError):
        return str(err)
    return f"{type(err).__name__}: {' '.join(str(err).split())}"


def _table(bags: Sequence[Path], out: Path, failed: dict[Path, str]) -> str:
    """Return what came of each bag as Markdown."""
    rows: list[list[object]] = []
    for bag in bags:
        if bag in failed:
            rows.append([bag.name, "", "", "", "", f"failed: {failed[bag]}"])
            continue
        r = _read_result(out / bag.name / RESULT)
        rows.append([bag.name, r.frames, r.ok, r.night, f"{r.path_m:.1f}", "; ".join(r.notes)])
    return table(("bag", "frames", "tracked", "night", "path, m", ""), rows)


def _read_result(path: Path) -> Result:
    """Return what came of a bag."""
    try:
        return Result(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as err:
        raise DataError(f"{path}: damaged ({err}); remove its folder to do the bag again") from err


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = make_arguments().parse_args(args)
    return run("bags.process", lambda: process(options))


if __name__ == "__main__":
    sys.exit(main())
