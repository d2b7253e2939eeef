r"""Turn a training run into weights that ship (half precision, with their card), or into ONNX.

python -m training.weights.export runs/day weights/day.safetensors
python -m training.weights.export runs/day weights/night.safetensors \
    --average-with runs/day/kept/008000.safetensors runs/day/kept/007000.safetensors
python -m training.weights.export weights/day.safetensors day.onnx --image-size 1242x375

The ONNX takes bytes and gives metres: image, RGB uint8 (B, H, W, 3), and focal_scale, float32
(B,), the camera's sqrt(fx fy / (W H)) over the card's focal_ratio, become depth (B, 1, h, w) at
the network's size. OpenCV's INTER_AREA, normalisation and focal length are inside; B is any.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from sdepth.checkpoint import load_depth, load_pose, load_refiner, save
from sdepth.cli import image_size, make_parser, run
from sdepth.engines.graph import DepthGraph, write_onnx
from sdepth.errors import CheckpointError
from sdepth.files import atomic
from training.run_folder import WEIGHTS


def export(
    run: Path, out: Path, training_data: str = "", average_with: Sequence[Path] = ()
) -> None:
    """Write the run's newest weights to ``out`` (.safetensors) and the card beside it.

    Args:
        run: folder of training.train.
        out: where to.
        training_data: what the weights have seen, in words; empty: what the run says.
        average_with: weights that the run continued, or that continued the same; the mean of all
            often errs less than each (Wortsman et al. 2022, "Robust fine-tuning", "Model soups").

    Raises:
        CheckpointError: the run has no weights, they are damaged, or those to average with are
            of another network.
    """
    depth, card = load_depth(run / WEIGHTS)
    pose, _ = load_pose(run / WEIGHTS)
    for count, other in enumerate(average_with, 2):
        _average(depth, load_depth(other)[0], other, 1 / count)
        _average(pose, load_pose(other)[0], other, 1 / count)
    if average_with:
        names = ", ".join(map(str, average_with))
        card = dataclasses.replace(card, command=f"{card.command}; mean with {names}")
    refiner = load_refiner(run / WEIGHTS)[0] if card.features else None
    if training_data:
        card = dataclasses.replace(card, training_data=training_data)
    save(out, depth, pose, card, half=True, refiner=refiner)


def export_onnx(checkpoint: Path, out: Path, image_size: tuple[int, int] | None = None) -> None:
    """Write a checkpoint's depth network as ONNX, from image bytes to metres.

    Args:
        checkpoint: a .safetensors file with its card beside it.
        out: where to.
        image_size: (height, width) of the images; None for the network's own.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        ConfigError: images smaller than the network's.
    """
    graph = DepthGraph(*load_depth(checkpoint), image_size)
    with atomic(out) as partial:
        write_onnx(graph, partial)


@torch.no_grad()
def _average(net: nn.Module, other: nn.Module, name: Path, share: float) -> None:
    """Move each weight of a network towards another's, by ``share`` of the way."""
    ours, theirs = net.state_dict(), other.state_dict()
    if {k: v.shape for k, v in ours.items()} != {k: v.shape for k, v in theirs.items()}:
        raise CheckpointError(f"{name}: not the run's network; average with what it started from")
    for key, value in ours.items():
        if value.is_floating_point():
            value.lerp_(theirs[key], share)


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.weights.export", __doc__)
    parser.add_argument(
        "run", type=Path, help="run folder of training.train; for ONNX also weights"
    )
    parser.add_argument("out", type=Path, help="ends in .safetensors or .onnx")
    parser.add_argument("--training-data", default="", help="what the weights have seen, in words")
    parser.add_argument(
        "--average-with", type=Path, nargs="+", default=[], metavar="WEIGHTS",
        help="ship the mean of the run's and these: what it continued, or what continued that",
    )  # fmt: skip
    parser.add_argument(
        "--image-size",
        type=image_size,
        help="of the ONNX: WxH of the images (default: the network's)",
    )  # fmt: skip
    options = parser.parse_args(args)
    if options.out.suffix not in (".safetensors", ".onnx"):
        parser.error(f"{options.out}: expected a name ending in .safetensors or .onnx")

    def work() -> None:
        if options.out.suffix == ".onnx":
            checkpoint = options.run / WEIGHTS if options.run.is_dir() else options.run
            export_onnx(checkpoint, options.out, options.image_size)
            print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")
            return
        export(options.run, options.out, options.training_data, options.average_with)
        size = options.out.stat().st_size / 1e6
        print(f"{options.out}: {size:.1f} MB, card {options.out.with_suffix('.json')}")

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
