"""Turn a training run into weights that ship: half precision, with their card.

python -m training.export runs/day weights/day.safetensors
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from sdepth.checkpoint import load_depth, load_pose, load_refiner, save
from sdepth.cli import make_parser, run
from training.state import WEIGHTS


def export(run: Path, out: Path, training_data: str = "") -> None:
    """Write the run's newest weights to ``out`` (.safetensors) and the card beside it.

    Raises:
        CheckpointError: the run has no weights, or they are damaged.
    """
    depth, card = load_depth(run / WEIGHTS)
    pose, _ = load_pose(run / WEIGHTS)
    refiner = load_refiner(run / WEIGHTS)[0] if card.features else None
    if training_data:
        card = dataclasses.replace(card, training_data=training_data)
    save(out, depth, pose, card, half=True, refiner=refiner)


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.export", __doc__)
    parser.add_argument("run", type=Path, help="run folder of training.train")
    parser.add_argument("out", type=Path, help="ends in .safetensors")
    parser.add_argument("--training-data", default="", help="what the weights have seen, in words")
    options = parser.parse_args(args)
    if options.out.suffix != ".safetensors":
        parser.error(f"{options.out}: expected a name ending in .safetensors")

    def work() -> None:
        export(options.run, options.out, options.training_data)
        size = options.out.stat().st_size / 1e6
        print(f"{options.out}: {size:.1f} MB, card {options.out.with_suffix('.json')}")

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
