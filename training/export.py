r"""Turn a training run into weights that ship: half precision, with their card.

python -m training.export runs/day weights/day.safetensors
python -m training.export runs/night_dasp weights/night.safetensors \
    --average-with runs/night/weights.safetensors
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import torch
from torch import nn

from sdepth.checkpoint import load_depth, load_pose, load_refiner, save
from sdepth.cli import make_parser, run
from sdepth.errors import CheckpointError
from training.state import WEIGHTS


def export(
    run: Path, out: Path, training_data: str = "", average_with: Path | None = None
) -> None:
    """Write the run's newest weights to ``out`` (.safetensors) and the card beside it.

    Args:
        run: folder of training.train.
        out: where to.
        training_data: what the weights have seen, in words; empty: what the run says.
        average_with: weights that the run continued; the mean of before and after often errs
            less than either (Wortsman et al. 2022, "Robust fine-tuning", at one half).

    Raises:
        CheckpointError: the run has no weights, they are damaged, or those to average with are
            of another network.
    """
    depth, card = load_depth(run / WEIGHTS)
    pose, _ = load_pose(run / WEIGHTS)
    if average_with:
        _average(depth, load_depth(average_with)[0], average_with)
        _average(pose, load_pose(average_with)[0], average_with)
        card = dataclasses.replace(card, command=f"{card.command}; mean with {average_with}")
    refiner = load_refiner(run / WEIGHTS)[0] if card.features else None
    if training_data:
        card = dataclasses.replace(card, training_data=training_data)
    save(out, depth, pose, card, half=True, refiner=refiner)


@torch.no_grad()
def _average(net: nn.Module, other: nn.Module, name: Path) -> None:
    """Make each weight of a network the mean of its own and another's."""
    ours, theirs = net.state_dict(), other.state_dict()
    if {k: v.shape for k, v in ours.items()} != {k: v.shape for k, v in theirs.items()}:
        raise CheckpointError(f"{name}: not the run's network; average with what it started from")
    for key, value in ours.items():
        if value.is_floating_point():
            value.lerp_(theirs[key], 0.5)


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.export", __doc__)
    parser.add_argument("run", type=Path, help="run folder of training.train")
    parser.add_argument("out", type=Path, help="ends in .safetensors")
    parser.add_argument("--training-data", default="", help="what the weights have seen, in words")
    parser.add_argument("--average-with", type=Path, help="weights that the run started from")
    options = parser.parse_args(args)
    if options.out.suffix != ".safetensors":
        parser.error(f"{options.out}: expected a name ending in .safetensors")

    def work() -> None:
        export(options.run, options.out, options.training_data, options.average_with)
        size = options.out.stat().st_size / 1e6
        print(f"{options.out}: {size:.1f} MB, card {options.out.with_suffix('.json')}")

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
