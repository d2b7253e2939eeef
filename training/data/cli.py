"""What the command lines that write data sets share."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter

from tqdm import tqdm

from sdepth.cli import zero_or_more
from sdepth.errors import DataError
from training.data.recording import Recording
from training.data.write import WriteConfig, claim, write_recording

_NOT_CLAIMED = ("out", "skip_broken", "workers")


def add_write_options(parser: ArgumentParser, crop: str = "none") -> None:
    """Add what says how images are written; ``crop`` is kept unless asked otherwise."""
    add = parser.add_argument
    add("--crop", default=crop, metavar="WxH+X+Y", help="or none (default %(default)s)")
    add("--size", default="none", metavar="WxH", help="resize to, after the crop")
    add("--skip-broken", action="store_true", help="leave out images that are missing or broken")
    add(
        "--workers",
        type=zero_or_more,
        default=2,
        metavar="N",
        help="threads (default %(default)s)",
    )


def describe_recordings(recordings: list[Recording]) -> str:
    """Return a line for each recording, and one for all."""
    lines = [f"{r.name}: {r.count} images, {r.camera.width}x{r.camera.height}" for r in recordings]
    total = sum(r.count for r in recordings)
    return "\n".join([*lines, f"{total} images in {len(recordings)} drives, none missing"])


def write_data_set(generator: str, recordings: list[Recording], options: Namespace) -> None:
    """Write recordings under ``options.out``, with a bar; the same call goes on after a stop.

    Raises:
        DataError: the folder holds something else, two recordings have one name, or a frame cannot
            be read.
    """
    twice = [name for name, count in Counter(r.name for r in recordings).items() if count > 1]
    if twice:
        raise DataError(f"two drives are named {twice[0]}; rename one, or write them apart")
    made = {k: str(v) for k, v in vars(options).items() if k not in _NOT_CLAIMED}
    claim(options.out, {"generator": generator, **made})
    config = WriteConfig(options.skip_broken, options.workers)
    with tqdm(total=sum(r.count for r in recordings), unit="frame") as bar:
        for r in recordings:
            bar.set_description(r.name)
            for name, said in write_recording(options.out, r, config, bar.update).items():
                tqdm.write(f"left out {r.name}/{name}: {said}", file=sys.stderr)
    print(f"wrote {options.out}; train with --set 'data.train=[{options.out}]'")
