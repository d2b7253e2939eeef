"""Synthetic driving sequences: python -m training.synth OUT --domain day (see --help)."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from sdepth.cli import image_size, make_parser, one_or_more, run, zero_or_more
from sdepth.errors import DataError
from training.synth.config import DOMAINS, DatasetConfig

_HELP = """\
Render drives through procedural streets, in KITTI odometry's folder form:

  OUT/dataset.json                                     the arguments that made it
  OUT/sequences/NN/{calib.txt,times.txt,meta.json}     10 Hz or every Nth; P0..P3 equal
  OUT/sequences/NN/image_2/000000.png                  RGB
  OUT/sequences/NN/depth_2/000000.png                  uint16, metres x 256, 0 = sky or > 255 m
  OUT/sequences/NN/mask_2/000000.png                   bits: 1 moving, 2 textureless, 4 sky,
                                                       8 moving and motion-blurred,
                                                       16 the own bonnet (depth 0, not sky)
  OUT/poses/NN.txt                                     T_cam0_cami, 3 x 4, metres

The same command gives the same bytes (on one kind of machine); one that was stopped goes on where
it was. Streets, drives and cameras depend on --seed, --frames and --every alone: with another
--domain they are the same in another light, with another --size seen by another sensor.
Bit 8 is never set by day: to compare both over the same pixels, take the masks of the night.
"""
_EXAMPLES = """\
examples:
  # eight drives by day, then the same eight by night
  python -m training.synth data/synth/day --domain day --sequences 8 --frames 100
  python -m training.synth data/synth/night --domain night --sequences 8 --frames 100
  # small training images, two processes
  python -m training.synth data/synth/small --sequences 60 --frames 60 --size 320x96 --workers 2
  # many streets to train on, four frames of each, 1.2 s apart
  python -m training.synth data/synth/streets --sequences 2000 --frames 4 --every 12 --size 416x128
  # six drives as no training set has them; seeds from 910000 on are kept for this
  python -m training.synth data/synth/foreign --foreign --sequences 6 --frames 60 --seed 910000
  # one drive from full day into full night
  python -m training.synth data/synth/dusk --domain dusk --sequences 1 --frames 120 --seed 7
"""


def main(args: list[str] | None = None) -> int:
    """Return the exit code: 0, or 2 after one line about bad input."""
    parser = make_parser("python -m training.synth", _HELP, _EXAMPLES)
    parser.add_argument("out", type=Path, help="folder to write, new or of the same arguments")
    parser.add_argument("--domain", choices=DOMAINS, default="day")
    parser.add_argument(
        "--sequences", type=one_or_more, default=8, help="number of drives (%(default)s)"
    )
    parser.add_argument(
        "--frames", type=one_or_more, default=100, help="frames per drive (%(default)s)"
    )
    parser.add_argument(
        "--every", type=one_or_more, default=1, help="keep every Nth frame at 10 Hz (%(default)s)"
    )
    parser.add_argument("--size", default="640x192", help="WIDTHxHEIGHT (%(default)s)")
    parser.add_argument(
        "--seed", type=zero_or_more, default=0, help="draws everything (%(default)s)"
    )
    parser.add_argument(
        "--foreign",
        action="store_true",
        help="cameras, weather and roads beyond all that is trained on: to adapt to",
    )
    parser.add_argument(
        "--supersample",
        type=int,
        choices=(1, 2),
        default=2,
        help="rays per pixel and axis (%(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=one_or_more,
        default=os.cpu_count() or 1,
        help="processes; they share a sequence where these are fewer (%(default)s)",
    )
    opts = parser.parse_args(args)
    return run(parser.prog, lambda: _render(opts))


def _render(opts: argparse.Namespace) -> None:
    """Render as the command line says."""
    try:
        from training.synth.generate import generate  # its libraries are not on every machine
    except ModuleNotFoundError as err:
        if err.name not in ("embreex", "numba"):
            raise
        raise DataError(f"{err.name} is not installed; pip install {err.name}") from err
    generate(opts.out, _config(opts), opts.workers)


def _config(opts: argparse.Namespace) -> DatasetConfig:
    """Return the arguments, checked."""
    height, width = image_size(opts.size)
    if min(height, width) < 16:
        raise DataError(f"--size {opts.size}: expected WIDTHxHEIGHT of at least 16, as 640x192")
    drives = (opts.domain, opts.sequences, opts.frames)
    sampling = (opts.supersample, opts.every)
    return DatasetConfig(*drives, width, height, opts.seed, *sampling, opts.foreign)


if __name__ == "__main__":
    sys.exit(main())
