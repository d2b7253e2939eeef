"""What weights are worth on frames that were not trained on: with truth, and without."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sdepth.alignment.refiner import Refiner, fixed_refiner
from sdepth.checkpoint import load_depth, load_pose
from sdepth.geometry import projection
from sdepth.geometry.warp import warp
from sdepth.metrics.depth import DepthErrors
from sdepth.models.depth_net import DepthNet, disp_to_depth
from training.adapt.prepare import Stretch
from training.data.drive import read_depth
from training.data.stereo import depths_of
from training.evaluate.protocols import find
from training.evaluate.scale_agreement import length_ratio
from training.evaluate.scoring import Depth
from training.hold import HoldConfig, signal_of
from training.losses.photometric import photometric_error

SSIM = 0.85
EXACT, MATCHED = find("stereo80"), find("kitti-stereo")
"""Truth up to 80 m; of two cameras that are matched, where in the image that is safe."""
BATCH = 8


@dataclass(frozen=True)
class Seen:
    """What weights say of the frames of a stretch, and what that is worth.

    Attributes:
        depth: (N, h, w) of each frame, metres.
        photometric: (N - 1,) error of the next frame warped into each by its depth and the motion
            that fits it best; features that need no training find that.
        apart: (N - 1,) how far depths of neighbours contradict each other, 0..1.
        step: (N - 1,) logarithm of the scale between depths of neighbours.
        void: (N - 1,) share of the image that says nothing about its depth (``training.hold``).
        rho: (N - 1,) length of the pose network's motion over that of the one that fits the depth.
        scaled: errors of each frame with truth, scaled by its median.
        metres: the same in metres.
    """

    depth: Depth
    photometric: NDArray[np.float64]
    apart: NDArray[np.float64]
    step: NDArray[np.float64]
    rho: NDArray[np.float64]
    void: NDArray[np.float64]
    scaled: tuple[DepthErrors, ...]
    metres: tuple[DepthErrors, ...]


class Judge:
    """Held-out stretches with their truth, which any weights can be asked about."""

    def __init__(self, held: tuple[Stretch, ...]) -> None:
        """Read the truth there is: depth beside the images, or of a second camera."""
        self.held = held
        self.truths = [dict(read_truths(stretch)) for stretch in held]

    def __call__(self, checkpoint: Path) -> list[Seen]:
        """Return what a checkpoint says of each stretch.

        Raises:
            CheckpointError: it cannot be used.
        """
        depth, card = load_depth(checkpoint)
        pose = load_pose(checkpoint)[0]
        fixed = fixed_refiner()
        seen = []
        for stretch, truths in zip(self.held, self.truths, strict=True):
            rgb = to_tensor(stretch)
            focal = stretch.camera.focal_ratio / card.focal_ratio
            metres = predict(depth, rgb, card.depth_range_m, focal)
            K = torch.from_numpy(stretch.camera.K).float()
            photometric, apart, step, rho, void = pairs(pose, fixed, rgb, metres, K)
            said = np.asarray(metres[:, 0].numpy())
            errors = [(t, said[i]) for i, t in truths.items()]
            protocol = MATCHED if matched(stretch) else EXACT
            plain = dataclasses.replace(protocol, scale="none")
            scaled = tuple(protocol.score(*pair) for pair in errors)
            metric = tuple(plain.score(*pair) for pair in errors)
            seen.append(Seen(said, photometric, apart, step, rho, void, scaled, metric))
        return seen


def to_tensor(stretch: Stretch) -> Tensor:
    """Return the images (N, 3, h, w) of a stretch, in [0, 1]."""
    return torch.from_numpy(np.stack(stretch.images)).permute(0, 3, 1, 2).float() / 255


@torch.inference_mode()
def predict(
    net: DepthNet, rgb: Tensor, depth_range_m: tuple[float, float], focal: float
) -> Tensor:
    """Return depth (N, 1, h, w), metres, of images (N, 3, h, w)."""
    disps = [net(part, 1)[0].float() for part in rgb.split(BATCH)]
    return disp_to_depth(torch.cat(disps), depth_range_m, focal)


@torch.inference_mode()
def pairs(
    pose: torch.nn.Module, fixed: Refiner, rgb: Tensor, depth: Tensor, K: Tensor
) -> tuple[NDArray[np.float64], ...]:
    """Return ``photometric``, ``apart``, ``step``, ``rho`` and ``void``, as in ``Seen``."""
    rows = []
    for i in range(0, len(rgb) - 1, BATCH):
        now, later = slice(i, min(i + BATCH, len(rgb) - 1)), slice(i + 1, i + 1 + BATCH)
        a, b, z = rgb[now], rgb[later], depth[now]
        K_all = K.expand(len(a), 3, 3)
        T_initial = pose(a, b)
        T = fixed(a, b, z, K_all, T_initial).T_src_tgt
        warped, visible = warp(b, z, T, K_all)
        moved = projection.transform(T, projection.unproject(z, K_all))[:, 2:]
        other, _ = warp(depth[later], z, T, K_all)
        apart = (moved - other).abs() / (moved + other).clamp(min=projection.MIN_Z)
        error = photometric_error(warped, a, SSIM)
        void = 1 - (signal_of(b, z, T, K_all) / HoldConfig().signal).clamp(max=1)
        log = (other / moved.clamp(min=projection.MIN_Z)).log()
        for j, seen in enumerate(visible):
            if not bool(seen.any()):
                continue
            known = (x[j][seen] for x in (error, apart, log))
            photo, contradiction, ratio = known
            rho = length_ratio(T_initial[j : j + 1].numpy(), T[j : j + 1].numpy())
            means = (photo.mean(), contradiction.mean(), ratio.median())
            rows.append([*map(float, means), float(rho[0]), float(void[j].mean())])
    return tuple(np.array(rows, np.float64).reshape(-1, 5).T)


def read_truths(stretch: Stretch) -> Iterator[tuple[int, Depth]]:
    """Yield the place in a stretch and the true depth (H, W), metres, of frames that have one."""
    for i, frame in enumerate(stretch.frames):
        if frame.depth is not None:
            truth = read_depth(frame.depth) if isinstance(frame.depth, Path) else frame.depth()
            if bool((truth > 0).any()):
                yield i, truth
    if matched(stretch) and stretch.source.pair:
        names = {frame.name: i for i, frame in enumerate(stretch.frames)}
        for name, truth in depths_of(stretch.source.pair, only=names.keys()):
            yield names[name], truth


def matched(stretch: Stretch) -> bool:
    """Tell whether truth is to come from matching a second camera's images."""
    return bool(stretch.source.pair) and all(frame.depth is None for frame in stretch.frames)
