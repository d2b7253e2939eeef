"""Time pose refinement against the depth network it goes with, and in training; one run.

python -m benchmarks.refine --threads 2 --json refine.json
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.table import show
from benchmarks.timing import measure, median_ms, timing_parser
from sdepth.alignment.refiner import make_levels, split
from sdepth.alignment.residual import TINY, Level, Problem
from sdepth.alignment.search import search
from sdepth.alignment.solver import RefineConfig, refine
from sdepth.checkpoint import bundled, load_pose, read_card
from sdepth.cli import image_size
from sdepth.config import load_config
from sdepth.engines import FEATURES, POSE, Engine, Source, choose
from sdepth.engines.golden import golden_inputs
from sdepth.engines.graph import fuse
from sdepth.files import write_json
from sdepth.geometry import projection, se3
from sdepth.geometry.warp import warp
from sdepth.models.depth_net import DepthNet
from sdepth.models.feature_net import make_features
from training.config import TrainConfig
from training.networks import build_model, parameter_groups
from training.trainer import take_step

CONFIG = Path(__file__).parents[1] / "training/configs/sa4depth.yaml"
DEPTH_M = 8.0
NETWORK, SEARCH = "depth network, light", "search 8 4, 3 steps"
AUTOGRAD = "search 8 4, autograd"
UNET, ENGINE_FEATURES = "U-Net features 8 4 2, a frame", "the same, fastest engine in fp32"
POSE_NET, ENGINE_POSE = "pose network of the day", "pose network of the day, fastest engine"
TENSORS, COMPILED = "search 8 4 2, 1 pixel in 4", "the same, compiled"
Calls = dict[str, Callable[[], object]]


def views(count: int, height: int, width: int, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return a textured wall (B, 3, H, W) seen twice, half a metre nearer then, and K."""
    torch.manual_seed(0)
    coarse = torch.rand(count, 3, height // 8, width // 8)
    source = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    f, cx, cy = 0.58 * width, (width - 1) / 2, (height - 1) / 2
    K = torch.tensor([[f, 0, cx], [0, f, cy], [0, 0, 1]]).expand(count, 3, 3)
    target, _ = warp(source, torch.full((count, 1, height, width), DEPTH_M), motion(count), K)
    return target.to(device), source.to(device), K.to(device)


def motion(count: int, share: float = 1.0) -> Tensor:
    """Return T_source_target (B, 4, 4) of the two views, or a share of it."""
    t = torch.tensor([[0.05, 0.0, -0.5]]).expand(count, 3)
    return se3.from_rotvec(torch.zeros(count, 3), share * t)


def levels_of(strides: Sequence[int], size: tuple[int, int], device: str) -> list[Level]:
    """Return the levels of two views at ``strides``: untrained features, time is the same."""
    target, source, K = views(1, *size, device)
    layout = torch.channels_last  # as the estimator and load_refiner have it
    with torch.no_grad():
        net = make_features("unet", strides).to(device).to(memory_format=layout)  # type: ignore[call-overload]
        maps = net(torch.cat([target, source]).contiguous(memory_format=layout))
    return make_levels([split(m) for m in maps], torch.full_like(target[:, :1], DEPTH_M), K)


def plain_sample(image: Tensor, uv: Tensor) -> Tensor:
    """Return the image (1, C, H, W) at uv (1, 2, h, w): autograd's way forward knows no other."""
    h, w = image.shape[2:]
    u, v = uv[0, 0].clamp(0, w - 1.001), uv[0, 1].clamp(0, h - 1.001)
    left, top = u.detach().floor().long(), v.detach().floor().long()
    a, b, pixels = u - left, v - top, image[0]
    upper = pixels[:, top, left] * (1 - a) + pixels[:, top, left + 1] * a
    lower = pixels[:, top + 1, left] * (1 - a) + pixels[:, top + 1, left + 1] * a
    return upper * (1 - b) + lower * b


def naive(levels: Sequence[Level], T: Tensor, iterations: int, damping: float) -> Tensor:
    """Return the motion as one would first write it: the same search, Jacobians by autograd."""
    T_new = T
    for level in levels:
        problem, lam, best = Problem(level), damping, torch.inf
        for i in range(iterations + 1):
            r, trust, valid = problem.look(T_new)
            error = r.square().sum(1)
            if i == 0:
                c_sq = RefineConfig().robust ** 2 * error[valid].median().clamp(min=TINY)
            cost = float((trust * c_sq * torch.log1p(error / c_sq)).sum() / trust.sum())
            lam *= 1.0 if i == 0 else 0.1 if cost < best else 10.0
            if cost < best:
                T, best = T_new, cost
                if i < iterations:
                    J = torch.func.jacfwd(partial(residual, T, problem))(T.new_zeros(6))
                    wJ = (trust / (1 + error / c_sq))[0, :, None] * J
                    H = torch.einsum("cni,cnj->ij", J, wJ)
                    g = torch.einsum("cni,cn->i", wJ, r[0])
            delta = -torch.linalg.solve(H + lam * torch.diag(H.diagonal()), g)[None]
            T_new = T @ se3.from_rotvec(delta[:, 3:], delta[:, :3])
        T_new = T
    return T


def residual(T: Tensor, problem: Problem, delta: Tensor) -> Tensor:
    """Return the residuals (C, N) at T exp(delta), delta (6,)."""
    moved = T @ se3.from_rotvec(delta[None, 3:], delta[None, :3])
    uv, _ = projection.project(projection.transform(moved, problem.points), problem.K)
    return plain_sample(problem.source[:, : problem.channels], uv).flatten(1) - problem.target[0]


def by_engine(part: str, size: tuple[int, int]) -> tuple[Engine, tuple[Any, ...]]:
    """Return the engine that ``auto`` takes for a part of the day's weights, and its inputs."""
    card = read_card(bundled("day"))
    source = Source(bundled("day"), card, torch.device("cpu"), part=part)
    if part != FEATURES:
        return choose(source)[0], golden_inputs(source)
    sized = replace(source, card=replace(card, input_size=(size[0] // 2, size[1] // 2)))
    return choose(source)[0], golden_inputs(sized)


def inference_calls(size: tuple[int, int], device: str) -> Calls:
    """Return what to time of one frame; the depth network comes first."""
    layout = torch.channels_last  # as the estimator and load_refiner have it
    image = views(1, *size, device)[0].contiguous(memory_format=layout)
    depth = fuse(DepthNet("light").eval()).to(device).to(memory_format=layout)  # type: ignore[call-overload]
    start = motion(1, 0.7).to(device)
    unet, small_unet, fixed_net = (
        make_features(k, s).to(device).to(memory_format=layout)  # type: ignore[call-overload]
        for k, s in (("unet", (8, 4, 2)), ("unet", (8, 4)), ("intensity", (8, 4, 2)))
    )
    two, three = (levels_of(s, size, device) for s in ((8, 4), (8, 4, 2)))
    (see, even), (guess, pair) = (by_engine(part, size) for part in (FEATURES, POSE))
    pose = load_pose(bundled("day"))[0]
    earlier, later = (torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255 for x in pair)
    fixed = RefineConfig(iterations=3, stop_below=0)
    return {
        NETWORK: partial(depth, image, 1),
        UNET: partial(unet, image),
        ENGINE_FEATURES: partial(see.run, *even),
        "U-Net features 8 4, a frame": partial(small_unet, image),
        "fixed features 8 4 2, a frame": partial(fixed_net, image),
        POSE_NET: partial(pose, earlier, later),
        ENGINE_POSE: partial(guess.run, *pair),
        SEARCH: partial(refine, two, start, fixed),
        AUTOGRAD: partial(naive, two, start, 3, fixed.damping),
        "search 8 4, 3 steps, 1 pixel in 4": partial(refine, two, start, replace(fixed, cell=2)),
        "search 8 4 2, 3 steps": partial(refine, three, start, fixed),
        "search 8 4 2, until it stops": partial(refine, three, start, RefineConfig()),
        TENSORS: partial(refine, three, start, RefineConfig(cell=2)),
        COMPILED: partial(search, three, start, RefineConfig(cell=2)),
    }


def tables(size: tuple[int, int], runs: int) -> dict[str, Any]:
    """Print and return the table of a frame, with the processor's time."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.no_grad():
        calls = inference_calls(size, device)
        found = measure({name: synchronised(c, device) for name, c in calls.items()}, runs)
    title = f"pose refinement of a frame of {size[1]}x{size[0]}, beside its depth network"
    ours = [name for name in found if name not in (NETWORK, AUTOGRAD)]
    over = {NETWORK: ours, AUTOGRAD: [SEARCH], TENSORS: [COMPILED]}
    over |= {UNET: [ENGINE_FEATURES], POSE_NET: [ENGINE_POSE]}
    return {"frame": show(title, found, over)}


def training_step(refinement: list[str], device: str) -> tuple[Callable[[], object], int]:
    """Return a training step of 8 triplets of 192x64, and what its graph keeps, bytes."""
    config = load_config(TrainConfig, CONFIG, refinement)
    model = build_model(config).to(device)
    optimizer = torch.optim.Adam(parameter_groups(model, config), lr=1e-5)
    batch = triplets(config.optim.batch, config.data.size, device)
    size = kept(lambda: model(batch).losses["total"], model.parameters())
    return partial(take_step, model, optimizer, batch, config.optim, 0), size


def triplets(count: int, size: tuple[int, int], device: str) -> dict[str, Tensor]:
    """Return a batch of triplets of the wall, as training reads them, motion unknown."""
    target, source, K = views(count, *size, device)
    images = torch.stack([source, target, source], 1)
    return {
        "images": images,
        "inputs": images,
        "K": K,
        "focal_scale": torch.ones(count, device=device),
        "motions": torch.full((count, 2, 4, 4), torch.nan, device=device),
        "noise": 1e-5 * torch.rand(count, 2, *size, device=device),
    }


def kept(make_loss: Callable[[], Tensor], parameters: Iterable[Tensor]) -> int:
    """Return the bytes that the graph of a loss keeps for going back, each tensor once."""
    sizes: dict[int, int] = {}

    def count(x: Tensor) -> Tensor:
        sizes[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    known = {p.untyped_storage().data_ptr() for p in parameters}
    with torch.autograd.graph.saved_tensors_hooks(count, lambda x: x):
        loss = make_loss()
    del loss
    return sum(n for at, n in sizes.items() if at not in known)


def synchronised(call: Callable[[], object], device: str) -> Callable[[], object]:
    """Return the call, waiting for its end where it runs beside Python."""

    def run() -> None:
        call()
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def table(calls: Calls, runs: int, device: str) -> dict[str, dict[str, float]]:
    """Return median milliseconds of each call, and their ratio to the first's."""
    ms = median_ms({name: synchronised(call, device) for name, call in calls.items()}, runs)
    first = next(iter(ms.values()))
    return {name: {"ms": t, "ratio": t / first} for name, t in ms.items()}


def main(args: list[str] | None = None) -> int:
    """Print the tables; return the exit code."""
    parser = timing_parser("refine", __doc__)
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    options = parser.parse_args(args)
    height, width = image_size(options.size)
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    where = f"{options.threads} threads" if device == "cpu" else torch.cuda.get_device_name()
    with torch.no_grad():
        frame = table(inference_calls((height, width), device), options.runs, device)
    ways = {
        "without": ["refine.features=''"],
        "last step": ["refine.features=unet", "refine.unroll=false"],
        "all steps": ["refine.features=unet", "refine.unroll=true"],
    }
    made = {f"training step, {name}": training_step(way, device) for name, way in ways.items()}
    steps = table({name: call for name, (call, _) in made.items()}, options.runs, device)
    for name, (_, size) in made.items():
        steps[name]["graph_mb"] = size / 1e6
    print(f"{options.size}, {where}, median of {options.runs}; ratio to each table's first line")
    for name, row in {**frame, **steps}.items():
        graph = f"   graph {row['graph_mb']:7.1f} MB" if "graph_mb" in row else ""
        print(f"{name:32} {row['ms']:8.1f} ms {row['ratio']:7.3f}x{graph}")
    if options.json:
        about = {"size": options.size, "device": where, "runs": options.runs}
        write_json(options.json, {**about, "frame": frame, "training": steps})
    return 0


if __name__ == "__main__":
    sys.exit(main())
