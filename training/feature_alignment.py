"""Features taught by drives whose depth and motion are known, as those of the rendered world are.

Refinement trained inside self-supervision gives the features a weak and indirect signal. Where
exact depth and motion exist they can be told directly: from a wrong start, points must be carried
to where they really are. Depth and pose networks stay as they are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdepth.alignment import pyramid
from sdepth.alignment.refiner import Refiner, make_levels
from sdepth.alignment.solver import Refinement, refine
from sdepth.geometry import projection, se3
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import MotionNet
from training.losses.photometric import is_known
from training.refinement import frame_pairs
from training.step_output import StepOutput

START_LENGTH, START_ROTATION_DEG, START_SIDE = (0.4, 1.6), 1.0, 0.1
"""How wrong the start is: length over the true one, turn per axis, sideways over the length."""
ROBUST_PX = 2.0
"""Error beyond which a point counts ever less."""


class FeatureAlignment(nn.Module):
    """Features taught by known depth and motion; the networks for both are only carried along."""

    def __init__(self, depth_net: DepthNet, pose_net: MotionNet, refiner: Refiner) -> None:
        """Hold the networks, and the features and search that learn."""
        super().__init__()
        self.depth_net, self.pose_net, self.refiner = depth_net, pose_net, refiner
        self.average: DepthNet | None = None  # of the depth network's weights over steps

    def forward(self, batch: dict[str, Tensor], step: int = 0) -> StepOutput:
        """Return the losses of a batch, and pictures.

        Args:
            batch: as ``SelfSupervised.forward`` takes it, with ``depth`` (B, 1, H, W) of the
                middle frame, metres, 0 where unknown.
            step: of the run; start and exposure are a function of it.

        Source: PixLoc (Sarlin et al. 2021), section 3.3: robust reprojection error at every level.
        """
        images, K = batch["images"], batch["K"].repeat(2, 1, 1)
        rng, refiner = torch.Generator().manual_seed(step), self.refiner
        depth = batch["depth"].repeat(2, 1, 1, 1)
        # Two pairs per triplet; one whose motion is unknown is aligned, but does not count.
        T_true = batch["motions"].transpose(0, 1).flatten(0, 1)
        known = is_known(T_true)
        T_true = torch.where(known[:, None, None], T_true, torch.eye(4, device=T_true.device))
        # Images and depth are made as bad as at night, and the search starts from a wrong motion.
        maps = refiner.maps(_expose(images, rng).transpose(0, 1).flatten(0, 1))
        levels = make_levels(frame_pairs(maps, len(images)), _soften(depth, rng), K)
        found = refine(levels, _wrong_start(T_true, rng), refiner.config, refiner.damping())
        # At every level, points must land where they really are.
        errors = [reprojection_error(T, T_true, depth, K)[known] for T in found.T_levels]
        robust = [ROBUST_PX**2 * torch.log1p((e / ROBUST_PX) ** 2).mean() for e in errors]
        losses = {"total": torch.stack(robust).mean(), **_reports(found, errors, T_true)}
        error = _confidence(maps, images)
        pictures = {"image": images[:, 1], "warped": images[:, 0], "error": error}
        return StepOutput(losses, torch.zeros_like(error), None, pictures)


def reprojection_error(T: Tensor, T_true: Tensor, depth: Tensor, K: Tensor) -> Tensor:
    """Return how far points land from where they should, pixels, root mean square (B,).

    Args:
        T: motions (B, 4, 4).
        T_true: the true ones.
        depth: (B, 1, H, W), metres, 0 where unknown.
        K: intrinsics (B, 3, 3), pixels.
    """
    size = [n // 8 for n in depth.shape[2:]]
    small = pyramid.shrink_depth(depth, (size[0], size[1]))
    points = projection.unproject(small, projection.resized_K(K, 1 / 8, 1 / 8))
    there, z = projection.project(projection.transform(T_true, points), K)
    here, z_here = projection.project(projection.transform(T, points), K)
    count = (small > 0) & (z > 1.0) & (z_here > 0.5)
    # A point that flies far off says no more than one that flies off.
    square = (here - there).clamp(-50, 50).square().sum(1, keepdim=True)
    mean = (square * count).sum((1, 2, 3)) / count.sum((1, 2, 3)).clamp(min=1)
    return (mean + 1e-8).sqrt()


def _wrong_start(T_true: Tensor, rng: torch.Generator) -> Tensor:
    """Return motions off in length, direction and turn."""
    n, device = len(T_true), T_true.device
    low, high = START_LENGTH
    length = low + (high - low) * torch.rand(n, 1, generator=rng)
    side = START_SIDE * torch.randn(n, 3, generator=rng)
    turn = math.radians(START_ROTATION_DEG) * torch.randn(n, 3, generator=rng)
    t = T_true[:, :3, 3]
    off = (length.to(device) - 1) * t + side.to(device) * t.norm(dim=1, keepdim=True)
    return se3.from_rotvec(turn.to(device), off) @ T_true


def _expose(images: Tensor, rng: torch.Generator) -> Tensor:
    """Return the images, each frame with its own gain, gamma and noise, as at night."""
    shape = (*images.shape[:2], 1, 1, 1)
    gain = torch.exp(0.25 * torch.randn(shape, generator=rng)).to(images)
    gamma = torch.exp(0.2 * torch.randn(shape, generator=rng)).to(images)
    noise = 0.03 * torch.rand(shape, generator=rng) * torch.randn(images.shape, generator=rng)
    return (gain * images.clamp(min=1e-3) ** gamma + noise.to(images)).clamp(0, 1)


def _soften(depth: Tensor, rng: torch.Generator) -> Tensor:
    """Return the depth, in half of the samples as blurred as a network's."""
    height, width = depth.shape[2:]
    small = pyramid.shrink_depth(depth, (height // 8, width // 8))
    inv = torch.where(small > 0, small.clamp(min=0.1).reciprocal(), 1 / 200)
    soft = F.interpolate(inv, (height, width), mode="bilinear").reciprocal()
    blurred = (torch.rand(len(depth), 1, 1, 1, generator=rng) < 0.5).to(depth.device)
    return torch.where(blurred & (depth > 0), soft, depth)


def _reports(found: Refinement, errors: list[Tensor], T_true: Tensor) -> dict[str, Tensor]:
    """Return numbers worth watching."""
    with torch.no_grad():
        ratio = found.T_src_tgt[:, :3, 3].norm(dim=1) / T_true[:, :3, 3].norm(dim=1).clamp(min=0.1)
        angle = se3.rotation_angle(found.T_src_tgt[:, :3, :3].mT @ T_true[:, :3, :3])
        reports = {f"px/level{i}": e.median() for i, e in enumerate(errors)}
        reports["scale_error"] = (ratio - 1).abs().median()
        reports["rotation_deg"] = torch.rad2deg(angle.median())
        reports["kept"] = found.ok.float().mean()
    return reports


def _confidence(maps: list, images: Tensor) -> Tensor:
    """Return the finest confidence of the middle frames, as a picture (B, 1, H, W)."""
    confidence = maps[-1].confidence
    if confidence is None:
        return torch.ones_like(images[:, 1, :1])
    middle = confidence.chunk(3)[1].detach()
    return F.interpolate(middle, images.shape[3:], mode="nearest") / 2
