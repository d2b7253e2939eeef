"""Train depth and pose networks from video.

    python -m training.train training/configs/video.yaml
    python -m training.train training/configs/day.yaml --set optim.lr=2.0e-4 --out runs/lr2
    torchrun --nproc-per-node 4 -m training.train training/configs/kitti.yaml

A run that was stopped continues where it was: give the same command again.
Watch it: tensorboard --logdir runs
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
from pathlib import Path

from sdepth.cli import make_parser, run
from sdepth.config import load_config
from training.config import TrainConfig
from training.trainer import train


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.train", __doc__)
    parser.add_argument("config", type=Path, help="YAML file, see training/configs/")
    parser.add_argument("--out", type=Path, help="run folder (default: runs/NAME)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    parser.add_argument("--overwrite", action="store_true", help="begin anew in an old run folder")
    options = parser.parse_args(args)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    command = "python -m training.train " + shlex.join(sys.argv[1:] if args is None else args)

    def work() -> None:
        config = load_config(TrainConfig, options.config, options.overrides)
        folder = options.out or Path("runs") / config.name
        if options.overwrite and os.environ.get("RANK", "0") == "0":
            shutil.rmtree(folder, ignore_errors=True)
        print(train(config, folder, options.device, command))

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
