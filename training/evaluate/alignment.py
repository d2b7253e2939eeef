"""How exactly pose refinement finds a motion on real pixels, with depth from stereo.

python -m training.evaluate alignment DRIVE/sequences/06 --png basin.png --json basin.json
python -m training.evaluate alignment DRIVE/sequences/06 --checkpoint weights/day.safetensors

The drive needs true poses and the right camera's images (image_1). Each pair starts from the true
motion, its length off by 20 % and turned by 1 degree about a random axis.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from sdepth.alignment.pyramid import rounded
from sdepth.alignment.refiner import Refiner, make_levels, split
from sdepth.alignment.residual import Level
from sdepth.alignment.solver import RefineConfig, refine
from sdepth.checkpoint import bundled, load_refiner
from sdepth.cli import one_or_more, positive
from sdepth.errors import DataError
from sdepth.files import write_json
from sdepth.geometry import se3
from sdepth.markdown import table
from training.data.drive import Drive, read_image
from training.data.open_drive import read_drive
from training.data.stereo import match, to_depth

STEPS = 6
"""Per level, as the convergence is drawn."""
LEAST_PX = 1.0
"""Of disparity: what is far away tells of rotation, however inexact its depth."""


@dataclass(frozen=True)
class Pair:
    """Two frames (1, 3, H, W) in [0, 1], depth (1, 1, H, W) of the first, K, both motions."""

    target: Tensor
    source: Tensor
    depth: Tensor
    K: Tensor
    T_true: Tensor
    T_start: Tensor


def read_pair(drive: Drive, i: int, baseline_m: float) -> Pair:
    """Return frames ``i`` and ``i + 1``, and a wrong start that depends on ``i`` alone.

    Raises:
        DataError: poses or the right image are missing.
    """
    frames = drive.frames[i : i + 2]
    T_world = [f.T_world_cam for f in frames]
    right = frames[0].image.parents[1] / "image_1" / frames[0].image.name
    if T_world[0] is None or T_world[1] is None or not right.is_file():
        raise DataError(f"{frames[0].image}: needs true poses and {right}")
    images = [drive.read(f) for f in frames]
    T_true = torch.from_numpy(np.linalg.inv(T_world[1]) @ T_world[0])[None]
    rng = np.random.default_rng(i)
    axis = rng.normal(size=3)
    turn = torch.from_numpy(np.radians(1.0) * axis / np.linalg.norm(axis))[None]
    T_start = se3.from_rotvec(turn, torch.zeros(1, 3, dtype=torch.float64)) @ T_true
    T_start[:, :3, 3] = T_true[:, :3, 3] * (1 + 0.2 * rng.choice([-1, 1]))
    a, b = (torch.from_numpy(i).permute(2, 0, 1)[None].float() / 255 for i in images)
    disparity = match(images[0], read_image(right))
    depth = torch.from_numpy(to_depth(disparity, drive.camera.fx, baseline_m, LEAST_PX))
    K = torch.from_numpy(drive.camera.K)[None].float()
    return Pair(a, b, depth[None, None], K, T_true.float(), T_start.float())


@torch.inference_mode()
def levels_of(refiner: Refiner, pair: Pair, width: int) -> list[Level]:
    """Return the levels of a pair whose images are first resized to about ``width`` pixels."""
    height = rounded(width * pair.depth.shape[2] / pair.depth.shape[3], 16)
    both = torch.cat([pair.target, pair.source])
    pixels = [cv2.resize(i.permute(1, 2, 0).numpy(), (width, height), interpolation=cv2.INTER_AREA)
              for i in both]  # fmt: skip
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
    return make_levels([split(m) for m in refiner.maps(images)], pair.depth, pair.K)


def errors(T: Tensor, T_true: Tensor) -> tuple[float, float]:
    """Return the error of the length, percent, signed, and of the rotation, degrees."""
    length, true = (float(x[:, :3, 3].norm()) for x in (T, T_true))
    angle = se3.rotation_angle((T[:, :3, :3].mT @ T_true[:, :3, :3]).double())
    return 100 * (length / true - 1), float(torch.rad2deg(angle))


@torch.inference_mode()
def convergence(refiner: Refiner, levels: list[Level], pair: Pair) -> list[tuple[float, float]]:
    """Return the errors before, and after each of ``STEPS`` single steps per level."""
    config = RefineConfig(iterations=1, stop_below=0.0)
    T, trace = pair.T_start, [errors(pair.T_start, pair.T_true)]
    for level, damping in zip(levels, refiner.damping(), strict=True):
        for _ in range(STEPS):
            T = refine([level], T, config, damping[None]).T_levels[-1]
            trace.append(errors(T, pair.T_true))
    return trace


def measure(
    refiner: Refiner, pairs: list[Pair], width: int
) -> tuple[dict[str, float], NDArray[np.float64]]:
    """Return the table's row of a refiner, and the errors (pairs, steps, 2) along the way."""
    final, traces, kept = [], [], 0
    for pair in tqdm(pairs, desc=refiner.kind, unit="pair", leave=False):
        levels = levels_of(refiner, pair, width)
        with torch.inference_mode():
            found = refine(levels, pair.T_start, refiner.config, refiner.damping())
        kept += int(found.ok)
        final.append(errors(found.T_src_tgt, pair.T_true))
        traces.append(convergence(refiner, levels, pair))
    signed, angle = np.array(final).T
    scale = np.abs(signed)
    row = {
        "scale_median_percent": float(np.median(scale)),
        "scale_p90_percent": float(np.percentile(scale, 90)),
        "scale_bias_percent": float(np.median(signed)),
        "scale_deviation_percent": float(np.std(signed)),
        "rotation_median_deg": float(np.median(angle)),
        "rotation_p90_deg": float(np.percentile(angle, 90)),
        "kept": kept / len(pairs),
    }
    return row, np.abs(traces)


def draw(path: Path, traces: dict[str, NDArray[np.float64]]) -> None:
    """Write the convergence as a PNG: medians as lines, 90th percentiles dashed."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    names = ("error of |t|, %", "error of rotation, degrees")
    for k, (axes, name) in enumerate(zip(figure.subplots(1, 2), names, strict=True)):
        for color, (label, trace) in enumerate(traces.items()):
            steps, style = np.arange(trace.shape[1]), {"color": f"C{color}"}
            axes.semilogy(steps, np.median(trace[..., k], 0), label=label, **style)
            axes.semilogy(steps, np.percentile(trace[..., k], 90, 0), linestyle="--", **style)
        for level in range(1, trace.shape[1] // STEPS):
            axes.axvline(level * STEPS, color="0.8", zorder=0)
        axes.set(xlabel=f"step ({STEPS} per level, coarse to fine)", ylabel=name)
        axes.grid(axis="y", alpha=0.3)
    axes.legend(title="median (dashed: 90th percentile)")
    figure.savefig(path, dpi=110)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("drive", type=Path, help="KITTI odometry sequence with image_1 and poses")
    parser.add_argument("--checkpoint", type=Path, default=bundled("day"))
    parser.add_argument("--baseline", type=positive, default=0.5372, help="metres (%(default)s)")
    parser.add_argument(
        "--width", type=one_or_more, default=640, help="of the images (%(default)s)"
    )
    parser.add_argument("--stride", type=one_or_more, default=1, help="take every n-th pair")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--png", type=Path, help="draw the convergence")


def score(o: argparse.Namespace) -> None:
    """Print the table; write JSON and picture where asked."""
    drive = read_drive(o.drive)
    pairs = [read_pair(drive, i, o.baseline) for i in range(0, len(drive.frames) - 1, o.stride)]
    learned, card = load_refiner(o.checkpoint)
    refiners = {"intensity + gradient": Refiner("intensity", (8, 4, 2)).eval()}
    if card.features:
        refiners[f"learned ({card.features})"] = learned
    rows, traces = {}, {}
    for name, refiner in refiners.items():
        rows[name], traces[name] = measure(refiner, pairs, o.width)
    print(f"{len(pairs)} pairs of {o.drive}, images {o.width} wide")
    print("error of |t| in %, rotation in degrees; the bias is that of the stereo depth, mostly")
    head = ["features", "|t| median", "p90", "bias", "deviation", "rotation median", "p90", "kept"]
    print(table(head, ([name, *(f"{v:.3f}" for v in row.values())] for name, row in rows.items())))
    if o.json:
        about = {"drive": o.drive.name, "pairs": len(pairs), "width": o.width, "rows": rows}
        write_json(o.json, about)
    if o.png:
        draw(o.png, traces)
