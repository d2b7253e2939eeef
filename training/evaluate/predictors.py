"""What is scored: a checkpoint, or a network that is still in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sdepth.depth.estimator import DepthEstimator
from sdepth.geometry.camera import Camera
from sdepth.models.depth_net import DepthNet, disp_to_depth
from training.evaluate.examples import Depth, Example
from training.evaluate.scoring import Protocol, shrunk


@dataclass(frozen=True)
class Predictor:
    """Depth of images of one size.

    Attributes:
        size: (height, width) of the images.
        depth_of: takes an RGB image (height, width, 3) and its camera; returns metres (h, w).
    """

    size: tuple[int, int]
    depth_of: Callable[[NDArray[np.uint8], Camera], Depth]

    def __call__(self, example: Example, protocol: Protocol) -> Depth:
        """Return the depth (h, w), metres, of an example that is cut to the protocol's view."""
        return self.of_image(example.image, example.camera, protocol.shrink)

    def of_image(self, image: NDArray[np.uint8], camera: Camera, shrink: str = "area") -> Depth:
        """Return the depth (h, w), metres, of an image (H, W, 3) of any size; by ``shrunk``."""
        height, width = self.size
        return self.depth_of(shrunk(image, self.size, shrink), camera.resized(width, height))


def of_checkpoint(
    path: Path, engine: str = "torch", precision: str = "fp32", device: str = "auto"
) -> Predictor:
    """Return the predictor of a .safetensors file with its card.

    Args:
        path: of the weights.
        engine: as ``DepthEstimator`` takes it; so are the others.
        precision: likewise.
        device: likewise.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    estimator = DepthEstimator(path, device, "model", engine, precision)
    return Predictor(estimator.card.input_size, lambda i, c: estimator.predict(i, c).depth)


def of_network(
    net: DepthNet,
    size: tuple[int, int],
    depth_range_m: tuple[float, float],
    focal_ratio: float,
) -> Predictor:
    """Return the predictor of a network as it is now; the mode of each part is left as it was.

    Args:
        net: on any device.
        size: (height, width) of its images.
        depth_range_m: nearest and farthest depth for the canonical camera.
        focal_ratio: of the canonical camera.
    """

    @torch.no_grad()
    def depth_of(image: NDArray[np.uint8], camera: Camera) -> Depth:
        device = next(net.parameters()).device
        modes = {module: module.training for module in net.modules()}  # some norms may be frozen
        net.eval()
        rgb = torch.from_numpy(image).to(device).permute(2, 0, 1)[None].float() / 255
        disp = net(rgb, 1)[0].float()
        for module, training in modes.items():
            module.training = training
        depth = disp_to_depth(disp, depth_range_m, camera.focal_ratio / focal_ratio)
        return np.asarray(depth[0, 0].cpu().numpy())

    return Predictor(size, depth_of)
