"""Time the network alone: every engine and precision, PyTorch as it comes, and the limit.

python -m benchmarks.engines --threads 2 --json engines.json

The limit is measured, too: the rate of a large 3x3 convolution (oneDNN, fp32) on this machine in
this run, times the network's operations. All calls take turns. int8 is calibrated on noise here:
time does not depend on values; what it costs in accuracy, training.weights.quantize tells.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.depth import make_checkpoint
from benchmarks.table import show
from benchmarks.timing import Timing, measure, run_tables
from sdepth.checkpoint import load_depth, read_card
from sdepth.engines import ENGINES, Source, choose, installed
from sdepth.engines.golden import golden_frame
from sdepth.errors import SdepthError
from sdepth.models.depth_net import DepthNet, disp_to_depth
from training.weights.quantize import quantize

EAGER, LIMIT = "PyTorch as it comes", "limit"
_CHANNELS, _SIZE = 256, (48, 160)
"""Of the convolution that tells the machine's rate: the best of several shapes tried."""


def limit(rate_runs: nn.Module, x: Tensor) -> Tensor:
    """Return what the convolution gives; nobody looks."""
    with torch.inference_mode():
        y: Tensor = rate_runs(x)
    return y


def operations(module: nn.Module, *args: object) -> int:
    """Return the floating-point operations of a call, two per multiplication with addition."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        module(*args)
    return int(counter.get_total_flops())


def eager(net: DepthNet, depth_range_m: tuple[float, float], image: np.ndarray) -> np.ndarray:
    """Return depth as PyTorch gives it without a change to the network."""
    with torch.inference_mode():
        batch = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        return disp_to_depth(net(batch.contiguous(), 1)[0], depth_range_m)[0, 0].numpy()


def engine_calls(checkpoint: Path, image: np.ndarray) -> dict[str, Callable[[], object]]:
    """Return a call per engine and precision that runs here; say why others do not."""
    card = read_card(checkpoint)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    calls: dict[str, Callable[[], object]] = {}
    for name, kind in ENGINES.items():
        for precision in kind.cpu if device.type == "cpu" else kind.cuda:
            if name not in installed():
                print(f"{name}: not installed, pip install {name}")
                break
            try:
                engine, _ = choose(Source(checkpoint, card, device, precision), name)
            except SdepthError as err:
                print(f"{name} {precision}: {err}")
                continue
            calls[f"{name}, {precision}"] = partial(engine.infer, image, 1.0)
    return calls


def network(checkpoint: Path, runs: int) -> tuple[float, dict[str, Timing]]:
    """Return the network's operations, GFLOP, and what each way takes, with the limit."""
    net, card = load_depth(checkpoint)
    image = golden_frame(card.input_size)
    ops = operations(net, torch.zeros(1, 3, *card.input_size), 1)
    conv = nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.rand(1, _CHANNELS, *_SIZE).contiguous(memory_format=torch.channels_last)
    noise = np.random.default_rng(0).integers(0, 255, (2, 1, *image.shape), np.uint8)
    with redirect_stdout(io.StringIO()):  # ONNX Runtime talks while it counts
        quantize(checkpoint, iter(noise))
    calls: dict[str, Callable[[], object]] = {
        EAGER: partial(eager, net, card.depth_range_m, image),
        LIMIT: partial(limit, conv, x),
        **engine_calls(checkpoint, image),
    }
    found = measure(calls, runs)
    share = ops / operations(conv, x)
    found[LIMIT] = Timing(*(share * value for value in asdict(found[LIMIT]).values()))
    return ops / 1e9, found


def engines(architecture: str, size: tuple[int, int], runs: int) -> dict[str, Any]:
    """Print and return the table of one architecture with random weights."""
    with tempfile.TemporaryDirectory() as folder:
        gflop, found = network(make_checkpoint(Path(folder), architecture, size), runs)
    title = f"{architecture} at {size[1]}x{size[0]}, {gflop:.1f} GFLOP, batch 1"
    ours = [name for name in found if name not in (EAGER, LIMIT)]
    return {**show(title, found, {EAGER: ours, LIMIT: ours}), "gflop": gflop}


def tables(size: tuple[int, int], runs: int) -> dict[str, Any]:
    """Print and return the table of each architecture."""
    return {name: engines(name, size, runs) for name in ("resnet18", "light", "lite0")}


def main(args: list[str] | None = None) -> int:
    """Print the tables; return the exit code."""
    return run_tables("engines", __doc__, tables, args)


if __name__ == "__main__":
    sys.exit(main())
