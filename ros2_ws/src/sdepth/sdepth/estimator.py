"""Image to depth, for any pinhole camera: what the depth node calls."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sdepth.camera import Camera
from sdepth.checkpoint import load_depth
from sdepth.errors import ConfigError
from sdepth.models.depth_net import disp_to_depth
from sdepth.models.encoder import BasicBlock, ResNetEncoder
from sdepth.shapes import check_shape


@dataclass(frozen=True)
class DepthMap:
    """Depth (h, w), metres along the optical axis, and the camera of that image."""

    depth: NDArray[np.float32]
    camera: Camera


def pick_device(device: str) -> torch.device:
    """Return the device named ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ConfigError: no such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        picked = torch.device(device)
        torch.empty(0, device=picked)
    except (RuntimeError, AssertionError) as err:
        first_line = str(err).splitlines()[0]
        raise ConfigError(f"device {device!r}: {first_line}; use auto or cpu") from err
    return picked


class DepthEstimator:
    """A checkpoint, ready to turn images into depth."""

    def __init__(self, checkpoint: Path, device: str = "auto", resolution: str = "input") -> None:
        """Load the network.

        Args:
            checkpoint: a .safetensors file with its card beside it.
            device: ``auto``, ``cpu`` or ``cuda:N``.
            resolution: of the depth: ``input`` (the image's) or ``model`` (the network's).

        Raises:
            CheckpointError: the checkpoint cannot be used.
            ConfigError: no such device or resolution.
        """
        if resolution not in ("input", "model"):
            raise ConfigError(f"resolution {resolution!r}: expected 'input' or 'model'")
        self.device = pick_device(device)
        net, self.card = load_depth(checkpoint, self.device)
        self._net = fuse(net).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._resolution = resolution

    def warm_up(self) -> None:
        """Answer a black image of the canonical camera: a network's first answers are slow."""
        height, width = self.card.input_size
        focal = self.card.focal_ratio * sqrt(width * height)
        camera = Camera(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)
        self(np.zeros((height, width, 3), np.uint8), camera)

    def __call__(self, image: NDArray[np.uint8], camera: Camera) -> DepthMap:
        """Return the depth of an image.

        The focal length is compensated: the network's answer for the canonical camera is scaled
        by the ratio of the two focal ratios (Metric3D's canonical camera).

        Args:
            image: RGB (H, W, 3).
            camera: intrinsics of that image; lens distortion must be gone.

        Raises:
            ShapeError: the image is not (camera.height, camera.width, 3).
        """
        check_shape("image", image, f"{camera.height} {camera.width} 3")
        inv_depth = self._infer(image, camera.focal_ratio / self.card.focal_ratio)
        if self._resolution == "model":
            camera = camera.resized(inv_depth.shape[1], inv_depth.shape[0])
        elif inv_depth.shape != (camera.height, camera.width):
            resized = cv2.resize(inv_depth, (camera.width, camera.height))
            inv_depth = np.asarray(resized, np.float32)
        return DepthMap(np.reciprocal(inv_depth, out=inv_depth), camera)

    @torch.inference_mode()
    def _infer(self, image: NDArray[np.uint8], focal_scale: float) -> NDArray[np.float32]:
        """Return inverse depth (h, w), 1/m, at the network's size."""
        height, width = self.card.input_size
        if image.shape[:2] != (height, width):
            small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            image = np.asarray(small, np.uint8)
        batch = torch.from_numpy(image).to(self.device).permute(2, 0, 1)[None].float().div_(255)
        disp = self._net(batch.contiguous(memory_format=torch.channels_last), scales=1)[0]
        depth = disp_to_depth(disp, self.card.depth_range_m, focal_scale)
        return depth.reciprocal_()[0, 0].float().cpu().numpy()


def fuse(net: nn.Module) -> nn.Module:
    """Return the network with normalisation folded into convolutions: same answers, faster."""
    for module in net.modules():
        if isinstance(module, BasicBlock | ResNetEncoder):
            module.conv1 = fuse_conv_bn_eval(module.conv1, module.bn1)
            module.bn1 = nn.Identity()  # type: ignore[assignment]
        if isinstance(module, BasicBlock):
            module.conv2 = fuse_conv_bn_eval(module.conv2, module.bn2)
            module.bn2 = nn.Identity()  # type: ignore[assignment]
            if isinstance(module.downsample, nn.Sequential):
                module.downsample = fuse_conv_bn_eval(*module.downsample)
    return net
