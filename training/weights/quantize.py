"""Write a checkpoint's int8 form, which engines run on the CPU, and tell what it costs.

python -m training.weights.quantize W.safetensors data/synth/day --test data/synth/day_test
python -m training.weights.quantize weights/day.safetensors data/synth/day --bits 8  # with VNNI

Static calibration: images of the training drives show how large the outputs of each layer become.
The file goes beside the checkpoint, named after its weights; DepthEstimator and depth_node find it
with precision int8. The last five layers stay as they are: 256 steps are few for far depth.
Weights have 7 bits by default: CPUs without VNNI overflow when they add two products of 8. Where
the node's CPU has it (grep vnni /proc/cpuinfo), --bits 8 costs less accuracy at the same speed.
With --test the card notes what bf16 and int8 cost: precision auto takes what costs less than 1 %.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from sdepth.checkpoint import read_card, write_card
from sdepth.cli import make_parser, one_or_more, run
from sdepth.engines import Source, candidates
from sdepth.engines.graph import INPUTS
from sdepth.engines.source import quantised_path
from sdepth.errors import DataError, EngineError
from sdepth.files import atomic
from training.data.open_drive import find_drives, read_drive
from training.evaluate.depth import evaluate
from training.evaluate.examples import read_examples
from training.evaluate.protocols import find

_KEPT = 5
"""Convolutions at the end that are not quantised. On rendered day and dusk this, with ranges of
least entropy, lost less than 3, 5 or 7 with ranges of the 99.99th or 99.999th percentile."""


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Images as the quantiser asks for them."""

    def __init__(self, images: Iterator[NDArray[np.uint8]]) -> None:
        self._images = images

    def get_next(self) -> dict[str, Any] | None:
        """Return the inputs of the graph, None after the last."""
        image = next(self._images, None)
        values = (image, np.ones(1, np.float32))
        return None if image is None else dict(zip(INPUTS, values, strict=True))


def calibration_images(
    root: Path, count: int, size: tuple[int, int]
) -> Iterator[NDArray[np.uint8]]:
    """Yield ``count`` images (1, h, w, 3) evenly spread over the drives of ``root``.

    Raises:
        DataError: there are no drives, or an image cannot be read.
    """
    drives = [read_drive(path) for path in find_drives(root)]
    frames = [(drive, frame) for drive in drives for frame in drive.frames]
    if not frames:
        raise DataError(f"{root}: no images; give the folder of the training drives")
    for i in np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int):
        drive, frame = frames[i]
        small = cv2.resize(drive.read(frame), size[::-1], interpolation=cv2.INTER_AREA)
        yield np.asarray(small, np.uint8)[None]


def quantize(checkpoint: Path, images: Iterator[NDArray[np.uint8]], bits: int = 7) -> Path:
    """Write the int8 form of a checkpoint beside it; return its path.

    Args:
        checkpoint: a .safetensors file with its card beside it.
        images: to calibrate on, (1, h, w, 3) of the network's size.
        bits: of the weights, 7 or 8.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    card = read_card(checkpoint)
    source = Source(checkpoint, card, torch.device("cpu"))
    out = quantised_path(checkpoint, card)
    with tempfile.TemporaryDirectory() as folder, atomic(out) as partial:
        plain = Path(folder) / "plain.onnx"
        quant_pre_process(source.onnx(), plain, skip_symbolic_shape=True)
        quantize_static(
            plain,
            partial,
            _Images(images),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=bits == 7,
            calibrate_method=CalibrationMethod.Entropy,
            nodes_to_exclude=_ends(plain),
        )
    return out


def _ends(path: Path) -> list[str]:
    """Return the nodes before the first convolution, and from the last ``_KEPT`` on."""
    nodes = onnx.load(path).graph.node
    convolutions = [i for i, node in enumerate(nodes) if node.op_type == "Conv"]
    kept = [*nodes[: convolutions[0]], *nodes[convolutions[-_KEPT] :]]
    return [node.name for node in kept]


def abs_rels(checkpoint: Path, test: Path, stride: int) -> dict[str, float]:
    """Return AbsRel of the checkpoint per precision on drives with true depth.

    Precisions that do not run here, or that no engine computes exactly enough, are left out.

    Raises:
        DataError: the drives have no depth.
    """
    protocol, found = find("synth"), {}
    source = Source(checkpoint, read_card(checkpoint), torch.device("cpu"))
    for precision in ("fp32", "bf16", "int8"):
        if not candidates(replace(source, precision=precision)):
            continue
        examples = read_examples(test, None, stride)
        try:
            rows, *_ = evaluate(checkpoint, examples, protocol, None, "auto", precision)
        except EngineError as err:
            logging.getLogger(__name__).warning("%s is left out: %s", precision, err)
            continue
        found[precision] = rows[checkpoint.stem].abs_rel
    return found


def main(args: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = make_parser("python -m training.weights.quantize", __doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("drives", type=Path, help="to calibrate on: training drives")
    parser.add_argument(
        "--images", type=one_or_more, default=64, help="of them (default: %(default)s)"
    )
    parser.add_argument("--bits", type=int, choices=(7, 8), default=7, help="8: for VNNI only")
    parser.add_argument("--test", type=Path, help="drives with true depth: say what it costs")
    parser.add_argument("--stride", type=one_or_more, default=1, help="score every n-th frame")
    options = parser.parse_args(args)

    def work() -> None:
        size = read_card(options.checkpoint).input_size
        images = calibration_images(options.drives, options.images, size)
        root, level = logging.getLogger(), logging.getLogger().level
        root.setLevel(logging.ERROR)  # the quantiser's advice for other networks
        try:
            out = quantize(options.checkpoint, images, options.bits)
        finally:
            root.setLevel(level)
        print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
        if options.test:
            errors = abs_rels(options.checkpoint, options.test, options.stride)
            costs = {k: round(v / errors["fp32"] - 1, 5) for k, v in errors.items()}
            parts = (f"{k} {v:.4f} ({costs[k]:+.1%})" for k, v in errors.items())
            print("AbsRel " + ", ".join(parts))
            write_card(options.checkpoint, replace(read_card(options.checkpoint), costs=costs))

    return run(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
