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
    python -m training.evaluate sizes weights/day.safetensors --rendered data/synth/day_test
    python -m training.evaluate night weights/night.safetensors data/synth/night_test \
        --day data/synth/day_test
    python -m training.evaluate motion weights/day.safetensors data/synth/day_test
    python -m training.evaluate fused data/synth/day_test --sheet fused.png
    python -m training.evaluate odometry --truth poses/09.txt --estimate 09.txt --align 7dof \
        --plot 09.png
    python -m training.evaluate compare day.json night.json

Every table is printed beside its protocol; `compare` sets no two protocols side by side.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from sdepth.cli import make_parser, run
from training.evaluate import (
    alignment,
    compare,
    confidence,
    contact_sheet,
    curve,
    depth,
    drive_odometry,
    fused,
    handover,
    metres,
    motion,
    night,
    odometry,
    real,
    refinement_figure,
    sizes,
)
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


@dataclass(frozen=True)
class Command:
    """A command: what it is for, in a line and in all; what it takes; what does it."""

    help: str
    description: str | None
    add_arguments: Callable[[argparse.ArgumentParser], None]
    work: Callable[[argparse.Namespace], None]


def _command(help: str, module: ModuleType, verb: str = "score") -> Command:
    """Return the command that a module is."""
    return Command(help, module.__doc__, module.add_arguments, getattr(module, verb))


COMMANDS = {
    "protocols": Command("list the protocols", None, no_arguments, list_protocols),
    "depth": _command("score a checkpoint's depth", depth),
    "real": _command("score checkpoints on all real sets at hand", real),
    "sheet": _command("draw depth of real frames by several weights", contact_sheet, "draw"),
    "curve": _command("draw scores over the steps of a training", curve, "draw"),
    "sizes": _command("score a checkpoint at several input sizes, with their times", sizes),
    "night": _command("score depth where nights are hard, and by day", night),
    "confidence": _command("score how often confidence is right", confidence),
    "metres": _command("score depth and path in metres, by model and camera height", metres),
    "handover": _command("score what changing from day to night weights does", handover),
    "motion": _command("score depth, motion, and how well their scales agree", motion),
    "alignment": _command("score pose refinement on stereo depth", alignment),
    "refinement": _command("draw what pose refinement does to a pair", refinement_figure, "draw"),
    "drive_odometry": _command("follow drives with learned and fixed features", drive_odometry),
    "fused": _command("score depth fused with the frames before", fused),
    "odometry": _command("score a trajectory", odometry),
    "compare": _command("set written results in one table", compare, "compare"),
}


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.evaluate", __doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, c in COMMANDS.items():
        raw = argparse.RawDescriptionHelpFormatter
        c.add_arguments(
            commands.add_parser(
                name, help=c.help, description=c.description or c.help, formatter_class=raw
            )
        )
    options = parser.parse_args(args)
    return run(f"{parser.prog} {options.command}", lambda: COMMANDS[options.command].work(options))


if __name__ == "__main__":
    sys.exit(main())
