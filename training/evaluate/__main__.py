r"""Score depth and trajectories by published protocols, and set results side by side.

    python -m training.evaluate protocols
    python -m training.evaluate depth weights/day.safetensors data/synth/day_test
    python -m training.evaluate depth weights/day.safetensors data/synth/day_test --scale none
    python -m training.evaluate depth weights/day.safetensors data/synth/day_test --precision bf16
    python -m training.evaluate depth W.safetensors KITTI --protocol kitti-eigen --truth eigen.npz
    python -m training.evaluate depth W.safetensors DRIVE --protocol stereo80 --truth stereo.npz
    python -m training.evaluate real weights/day.safetensors runs/new/weights.safetensors
    python -m training.evaluate sheet sheet.png weights/day.safetensors runs/new/w.safetensors
    python -m training.evaluate curve runs/day --rendered data/synth/day_test
    python -m training.evaluate odometry --truth poses/09.txt --estimate 09.txt --align 7dof \
        --plot 09.png
    python -m training.evaluate compare day.json night.json

Every table is printed beside its protocol; `compare` sets no two protocols side by side.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from sdepth.cli import make_parser, run
from training.evaluate import compare, contact_sheet, curve, depth, odometry, real
from training.evaluate.protocols import PROTOCOLS, OdometryProtocol
from training.evaluate.scoring import Protocol


def list_protocols(_: argparse.Namespace) -> None:
    """Print each protocol and where it is from."""
    protocols: list[Protocol | OdometryProtocol] = [*PROTOCOLS.values(), OdometryProtocol()]
    for protocol in protocols:
        print(
            f"{protocol.describe()}\n    images: {protocol.split}\n    source: {protocol.source}"
        )


def no_arguments(_: argparse.ArgumentParser) -> None:
    """Take none."""


COMMANDS: dict[
    str,
    tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], None]],
] = {
    "protocols": ("list the protocols", no_arguments, list_protocols),
    "depth": ("score a checkpoint's depth", depth.add_arguments, depth.score),
    "real": ("score checkpoints on all real sets at hand", real.add_arguments, real.score),
    "sheet": (
        "draw depth of real frames by several weights",
        contact_sheet.add_arguments,
        contact_sheet.draw,
    ),
    "curve": ("draw scores over the steps of a training", curve.add_arguments, curve.draw),
    "odometry": ("score a trajectory", odometry.add_arguments, odometry.score),
    "compare": ("set written results in one table", compare.add_arguments, compare.compare),
}


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.evaluate", __doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (text, add_arguments, _) in COMMANDS.items():
        add_arguments(commands.add_parser(name, help=text, description=text))
    options = parser.parse_args(args)
    return run(f"{parser.prog} {options.command}", lambda: COMMANDS[options.command][2](options))


if __name__ == "__main__":
    sys.exit(main())
