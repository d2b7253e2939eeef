"""Time how depth is fused with the frames before, as odometry_node does it, and the plain way.

python -m benchmarks.parallax
python -m benchmarks.parallax --size 416x128 --runs 20

A frame of a textured wall that comes nearer. The plain way tries as many depths as tensors: warps
of the frame before by ``grid_sample``, box means, a softmax. Both only compare one pair; the whole
of ``Parallax`` also prepares the image, carries what was known, and asks the neighbours.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.table import show
from benchmarks.timing import measure, one_thread, prepare, size_of, timing_parser
from sdepth.cli import run
from sdepth.depth.fused_parallax import sweep, weigh
from sdepth.depth.parallax import AROUND, LEAST, LOGS, PRIOR, SOFTNESS, WIDTH, Parallax
from sdepth.geometry.camera import Camera
from sdepth.geometry.projection import MIN_Z
from sdepth.geometry.warp import warp


@torch.inference_mode()
def plain(now: Tensor, past: Tensor, depth: Tensor, T: Tensor, K: Tensor) -> Tensor:
    """Return the log of depth over the said (1, 1, h, w), as one would first write it."""
    costs = []
    for ratio in np.exp(LOGS):
        seen, _ = warp(past, depth * float(ratio), T, K)
        square = (seen - now).square().sum(1, keepdim=True)
        costs.append(F.avg_pool2d(square / (square + float(SOFTNESS)), AROUND, 1, AROUND // 2))
    logs = torch.from_numpy(LOGS).view(1, -1, 1, 1)
    score = -AROUND * torch.cat(costs, 1) / 0.2 - 0.5 * (logs / float(PRIOR)).square()
    return (score.softmax(1) * logs).sum(1, keepdim=True)


def ours(now: Any, past: Any, depth: Any, T: Any, K: tuple[float, ...]) -> Any:
    """Return the same by the compiled loops."""
    unlike, shown = sweep(now, past, T, depth, np.exp(LOGS), K, SOFTNESS, MIN_Z)
    for layer in unlike:
        cv2.blur(layer, (AROUND, AROUND), layer)
    return weigh(unlike, AROUND * shown / np.float32(0.2), LOGS, PRIOR, LEAST)[0]


def frames(count: int, camera: Camera, step_m: float = 0.4) -> list[Any]:
    """Return images (H, W, 3), depth (H, W) and T_world_cam of a way towards a wall."""
    rng, made = np.random.default_rng(0), []
    size = (4 * camera.width, 4 * camera.height)
    wall = cv2.resize(rng.integers(0, 255, (size[1] // 16, size[0] // 16, 3), np.uint8), size)
    for i in range(count):
        z, T = 12 - step_m * i, np.eye(4)
        T[2, 3] = step_m * i
        part = (round(size[0] * z / 14), round(size[1] * z / 14))
        crop = cv2.getRectSubPix(wall, part, ((size[0] - 1) / 2, (size[1] - 1) / 2))
        image = cv2.resize(crop, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
        made.append((image, np.full(image.shape[:2], z, np.float32), T))
    return made


def tables(size: tuple[int, int], runs: int) -> dict[str, Any]:
    """Print and return the tables."""
    height, width = size
    camera = Camera(0.58 * width, 0.58 * width, (width - 1) / 2, (height - 1) / 2, width, height)
    small = camera.resized(WIDTH, round(height * WIDTH / width))
    rng = np.random.default_rng(0)
    now, past = rng.normal(size=(2, small.height, small.width, 3)).astype(np.float32)
    depth = rng.uniform(5, 30, now.shape[:2]).astype(np.float32)
    T, K = np.eye(4), (small.fx, small.fy, small.cx, small.cy)
    T[2, 3] = 0.5
    a, b = (torch.from_numpy(x).permute(2, 0, 1)[None].contiguous() for x in (now, past))
    z, T_batch = torch.from_numpy(depth)[None, None], torch.from_numpy(T).float()[None]
    K_batch = torch.from_numpy(small.K).float()[None]
    drive, parallax = frames(8, camera), Parallax()

    def whole() -> None:
        image, said, pose = drive[len(done) % len(drive)]
        done.append(parallax.update(image, said, camera, pose).told)

    done: list[float] = []
    with one_thread():
        found = measure(
            {
                "plain": partial(plain, a, b, z, T_batch, K_batch),
                "compiled": partial(ours, now, past, depth, T, K),
                "all of a frame": whole,
            },
            runs,
        )
    of = f"a pair at {small.width}x{small.height}, {len(LOGS)} depths, one thread"
    return {"parallax": show(of, found, {"plain": ["compiled", "all of a frame"]})}


def main(args: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    options = timing_parser("parallax", __doc__).parse_args(args)

    def work() -> None:
        prepare(options)
        tables(size_of(options), options.runs)

    return run("python -m benchmarks.parallax", work)


if __name__ == "__main__":
    sys.exit(main())
