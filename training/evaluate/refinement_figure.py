"""Draw what pose refinement does to one pair of frames: the figure of odometry_node's page.

python -m training.evaluate refinement weights/day.safetensors \
    data/synth/day_test/sequences/03 --png docs/refinement.png
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from sdepth.alignment.refiner import Refiner, make_levels, split
from sdepth.alignment.residual import Problem
from sdepth.alignment.solver import Refinement, refine
from sdepth.checkpoint import load_depth, load_pose, load_refiner
from sdepth.cli import zero_or_more
from sdepth.depth.colorize import colorize
from sdepth.models.depth_net import disp_to_depth
from training.data.open_drive import read_drive

SCALES = (0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""By which the depth is multiplied in the last panel."""


@dataclass(frozen=True)
class Pair:
    """Target and source (2, 3, H, W) in [0, 1], depth (1, 1, H, W) of the target, K, motions."""

    images: Tensor
    depth: Tensor
    K: Tensor
    T_initial: Tensor
    t_true_m: float | None


@torch.inference_mode()
def read_pair(checkpoint: Path, drive: Path, frame: int) -> Pair:
    """Return frames ``frame`` and the next, with the networks' depth and motion."""
    depth_net, card = load_depth(checkpoint)
    pose_net, _ = load_pose(checkpoint)
    found = read_drive(drive)
    height, width = card.input_size
    frames = found.frames[frame : frame + 2]
    images = torch.stack([torch.from_numpy(found.read(f)) for f in frames])
    images = images.permute(0, 3, 1, 2).float() / 255
    images = torch.nn.functional.interpolate(images, (height, width), mode="area")
    camera = found.camera.resized(width, height)
    focal_scale = camera.focal_ratio / card.focal_ratio
    depth = disp_to_depth(depth_net(images[:1], scales=1)[0], card.depth_range_m, focal_scale)
    T = pose_net(images[:1], images[1:])
    T_world = [f.T_world_cam for f in frames]
    known = T_world[0] is not None and T_world[1] is not None
    t = float(np.linalg.norm((T_world[1] - T_world[0])[:3, 3])) if known else None  # type: ignore[operator]
    return Pair(images, depth, torch.from_numpy(camera.K)[None].float(), T, t)


@torch.inference_mode()
def align(refiner: Refiner, pair: Pair, depth: Tensor) -> tuple[Refinement, NDArray[np.float64]]:
    """Return the refined motion, and the finest residuals (2, h, w) before and after."""
    maps = [split(m) for m in refiner.maps(pair.images)]
    levels = make_levels(maps, depth, pair.K)
    found = refine(levels, pair.T_initial, refiner.config, refiner.damping())
    problem, residuals = Problem(levels[-1]), []
    for T in (pair.T_initial, found.T_src_tgt):
        r, _, valid = problem.look(T)
        error = torch.where(valid, r.norm(dim=1), torch.nan)
        residuals.append(error.view(problem.height, problem.width).numpy())
    return found, np.stack(residuals)


def draw_figure(refiner: Refiner, pair: Pair, png: Path) -> None:
    """Write the figure."""
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    axes = figure.subplots(3, 3)
    with torch.inference_mode():
        finest = refiner.maps(pair.images)[-1]
    _, (before, after) = align(refiner, pair, pair.depth)
    target, source = pair.images.permute(0, 2, 3, 1).numpy()
    _show(axes[0, 0], target, "frame t")
    _show(axes[1, 0], source, "frame t+1")
    _show(axes[2, 0], colorize(pair.depth[0, 0].numpy(), 1, 80)[..., ::-1], "predicted depth of t")
    _show(axes[0, 1], _as_colors(finest.features[0]), "features of t (first 3 components)")
    if finest.confidence is not None:
        _show(axes[1, 1], finest.confidence[0, 0].numpy(), "confidence of t", cmap="gray")
    top = float(np.nanpercentile(before, 97))
    for cell, error, name in ((axes[2, 1], before, "before"), (axes[0, 2], after, "after")):
        title = f"feature residual {name}, mean {np.nanmean(error):.3f}"
        _show(cell, error, title, cmap="inferno", vmin=0, vmax=top)
    _plot_scales(figure, axes, refiner, pair)
    figure.savefig(png, dpi=100)


def _plot_scales(figure: Figure, axes: NDArray, refiner: Refiner, pair: Pair) -> None:
    """Draw |t| before and after against the scale of the depth."""
    for cell in axes[1:, 2]:
        cell.remove()
    cell = figure.add_subplot(axes[1, 2].get_gridspec()[1:, 2])
    start = float(pair.T_initial[0, :3, 3].norm())
    found = [align(refiner, pair, pair.depth * scale)[0] for scale in SCALES]
    lengths = [float(f.T_src_tgt[0, :3, 3].norm()) for f in found]
    cell.loglog(SCALES, lengths, "o-", label="refined: follows the depth")
    cell.axhline(start, color="C1", label="pose network: cannot know")
    if pair.t_true_m is not None:
        cell.loglog(
            SCALES,
            np.multiply(SCALES, pair.t_true_m),
            ":",
            color="0.4",
            label="truth, times the factor",
        )
    cell.set(xlabel="depth multiplied by", ylabel="|t|, metres")
    cell.legend(fontsize=8)
    cell.grid(alpha=0.3)


def _show(cell: Axes, image: NDArray, title: str, **how: object) -> None:
    """Draw an image without axes."""
    cell.imshow(image, **how)  # type: ignore[arg-type]
    cell.set_title(title, fontsize=9)
    cell.axis("off")


def _as_colors(features: Tensor) -> NDArray[np.float64]:
    """Return (h, w, 3) in 0..1: the features' three principal components."""
    flat = features.flatten(1).T.double()
    flat = flat - flat.mean(0)
    parts = (flat @ torch.linalg.svd(flat, full_matrices=False).Vh[:3].T).T
    low, high = parts.quantile(0.02, 1, True), parts.quantile(0.98, 1, True)
    colors = ((parts - low) / (high - low)).clamp(0, 1)
    return colors.T.reshape(*features.shape[1:], 3).numpy()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("drive", type=Path)
    parser.add_argument(
        "--frame", type=zero_or_more, default=10, help="of the drive (%(default)s)"
    )
    parser.add_argument("--png", type=Path, default=Path("refinement.png"))


def draw(o: argparse.Namespace) -> None:
    """Write the picture, and print where."""
    draw_figure(load_refiner(o.checkpoint)[0], read_pair(o.checkpoint, o.drive, o.frame), o.png)
    print(o.png)
