"""Time image to depth: our estimator against the obvious PyTorch calls, same weights, one run.

python -m benchmarks.depth --size 640x192 --threads 2
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.timing import median_ms, timing_parser
from sdepth.card import Card
from sdepth.checkpoint import bundled, load_depth, read_card, save
from sdepth.cli import image_size
from sdepth.depth.estimator import DepthEstimator
from sdepth.geometry.camera import Camera
from sdepth.models.depth_net import DepthNet, disp_to_depth
from sdepth.models.pose_net import PoseNet


def make_checkpoint(folder: Path, architecture: str, size: tuple[int, int]) -> Path:
    """Return a checkpoint with random weights: time does not depend on their values."""
    card: Card = dataclasses.replace(
        read_card(bundled("day")), depth_architecture=architecture, input_size=size
    )
    path = folder / f"{architecture}.safetensors"
    save(path, DepthNet(architecture), PoseNet(card.pose_architecture), card, half=False)
    return path


def naive(checkpoint: Path) -> Callable[[np.ndarray, Camera], np.ndarray]:
    """Return image -> depth as one would first write it: all scales, no folding, no layout."""
    net, card = load_depth(checkpoint)

    def estimate(image: np.ndarray, camera: Camera) -> np.ndarray:
        small = cv2.resize(image, card.input_size[::-1], interpolation=cv2.INTER_AREA)
        with torch.no_grad():
            disp = net(torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255)[0]
            full = torch.nn.functional.interpolate(
                disp, (camera.height, camera.width), mode="bilinear"
            )
            return disp_to_depth(full, card.depth_range_m)[0, 0].numpy()

    return estimate


def main(args: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    options = timing_parser("depth", __doc__).parse_args(args)
    height, width = image_size(options.size)
    torch.set_num_threads(options.threads)
    image = np.random.default_rng(0).integers(0, 255, (375, 1242, 3), np.uint8)
    camera = Camera(721.5, 721.5, 609.6, 172.9, 1242, 375)
    print(f"1242x375 image -> depth of that size, network at {options.size}, ", end="")
    print(f"{options.threads} threads, median of {options.runs}")
    with tempfile.TemporaryDirectory() as folder:
        for architecture in ("resnet18", "light", "lite0"):
            path = make_checkpoint(Path(folder), architecture, (height, width))
            plain, ours = naive(path), DepthEstimator(path, "cpu")
            calls: dict[str, Callable[[], object]] = {
                "naive": partial(plain, image, camera),
                "ours": partial(ours.predict, image, camera),
            }
            ms = median_ms(calls, options.runs)
            ratio = ms["naive"] / ms["ours"]
            times = f"naive {ms['naive']:6.1f} ms   sdepth {ms['ours']:6.1f} ms"
            print(f"{architecture:9} {times}   {ratio:.2f}x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
