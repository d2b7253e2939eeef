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
from sdepth.checkpoint import load_pose
from sdepth.geometry import projection
from sdepth.geometry.warp import warp
from sdepth.metrics.depth import DepthErrors
from sdepth.threads import one_thread
from training.adapt.prepare import Stretch
from training.adapt.triangulate import triangulate
from training.data.drive import read_depth
from training.data.stereo import depths_of
from training.evaluate.predictors import of_checkpoint
from training.evaluate.protocols import find
from training.evaluate.scale_agreement import length_ratio
from training.evaluate.scoring import Depth
from training.losses.photometric import photometric_error
from training.spread import Workers

SSIM = 0.85
EXACT, MATCHED = find("stereo80"), find("kitti-stereo")
"""Truth up to 80 m; of two cameras that are matched, where in the image that is safe."""
BATCH = 8
MOST_OFF = 1.25
"""A pixel that differs from the triangulated by this factor counts fully: one of them is wrong."""


@dataclass(frozen=True)
class Seen:
    """What weights say of the frames of a stretch, and what that is worth.

    Attributes:
        depth: (N, h, w) of each frame, metres.
        off: (N, 2) mean difference of log depth to the triangulated, log 1.25 at most, but for
            its median; and that median. NaN without any.
        photometric: (N - 1,) error of the next frame warped into each by its depth and the motion
            that fits it best; features that need no training find that.
        apart: (N - 1,) how far depths of neighbours contradict each other, 0..1.
        step: (N - 1,) logarithm of the scale between depths of neighbours.
        rho: (N - 1,) length of the pose network's motion over that of the one that fits the depth.
        scaled: errors of each frame with truth, scaled by its median.
        metres: the same in metres.
    """

    depth: Depth
    off: NDArray[np.float64]
    photometric: NDArray[np.float64]
    apart: NDArray[np.float64]
    step: NDArray[np.float64]
    rho: NDArray[np.float64]
    scaled: tuple[DepthErrors, ...]
    metres: tuple[DepthErrors, ...]


@dataclass(frozen=True)
class Known:
    """A held-out stretch, and what is known of it before any weights are judged.

    Attributes:
        stretch: frames that follow each other.
        truths: depth (H, W), metres, by frame, where there is any.
        start: the weights that adaptation starts from.
        said: their depth (N, h, w), metres.
        triangulated: depth (N, h, w), by geometry alone but for its unit; 0 where unknown.
    """

    stretch: Stretch
    truths: dict[int, Depth]
    start: Path
    said: Depth
    triangulated: Depth


class Judge:
    """Held-out stretches with their truth, which any weights can be asked about."""

    def __init__(
        self, held: tuple[Stretch, ...], start: Path, workers: Workers | None = None
    ) -> None:
        """Read the truth there is, depth beside the images or of a second camera; and triangulate.

        Args:
            held: stretches that follow each other in time.
            start: weights whose metres count where the drive knows none.
            workers: each takes a stretch.

        Raises:
            CheckpointError: the weights cannot be used.
            DataError: an image is missing or damaged.
        """
        self._workers = workers or Workers()
        self.known = self._workers.map(know, held, start)

    def __call__(self, checkpoint: Path) -> list[Seen]:
        """Return what a checkpoint says of each stretch.

        Raises:
            CheckpointError: it cannot be used.
        """
        return self._workers.map(see, self.known, checkpoint)


@one_thread()
def know(stretch: Stretch, start: Path) -> Known:
    """Return what is known of a held-out stretch, by the weights to start from where need be."""
    said = predict(start, stretch)
    return Known(
        stretch, dict(read_truths(stretch)), start, said, triangulate(stretch, said).depth
    )


@one_thread()
def see(known: Known, checkpoint: Path) -> Seen:
    """Return what a checkpoint says of a stretch, and what that is worth."""
    stretch = known.stretch
    said = known.said if checkpoint == known.start else predict(checkpoint, stretch)
    rgb = torch.from_numpy(np.stack(stretch.images)).permute(0, 3, 1, 2).float() / 255
    K, metres = torch.from_numpy(stretch.camera.K).float(), torch.from_numpy(said)[:, None]
    pose, fixed = load_pose(checkpoint)[0], fixed_refiner()
    photometric, apart, step, rho = pairs(pose, fixed, rgb, metres, K)
    off = np.array([*map(differ, said, known.triangulated)], np.float64).reshape(-1, 2)
    errors = [(truth, said[i]) for i, truth in known.truths.items()]
    protocol = MATCHED if matched(stretch) else EXACT
    plain = dataclasses.replace(protocol, scale="none")
    scaled = tuple(protocol.score(*pair) for pair in errors)
    metric = tuple(plain.score(*pair) for pair in errors)
    return Seen(said, off, photometric, apart, step, rho, scaled, metric)


def predict(checkpoint: Path, stretch: Stretch) -> Depth:
    """Return the depth (N, h, w), metres, that weights say of each frame.

    Raises:
        CheckpointError: they cannot be used.
    """
    network = of_checkpoint(checkpoint, device="cpu")
    return np.stack([network.of_image(image, stretch.camera) for image in stretch.images])


def differ(depth: Depth, triangulated: Depth) -> tuple[float, float]:
    """Return how far depth (h, w) is from the triangulated but for a factor; and its logarithm.

    Each pixel counts by ``MOST_OFF`` at most: where flow errs, or something moves, none is right.
    """
    known = triangulated > 0
    if not known.any():
        return float("nan"), float("nan")
    log = np.log(depth[known] / triangulated[known])
    middle = float(np.median(log))
    return float(np.abs(log - middle).clip(max=np.log(MOST_OFF)).mean()), middle


@torch.inference_mode()
def pairs(
    pose: torch.nn.Module, fixed: Refiner, rgb: Tensor, depth: Tensor, K: Tensor
) -> tuple[NDArray[np.float64], ...]:
    """Return ``photometric``, ``apart``, ``step`` and ``rho``, as in ``Seen``."""
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
        log = (other / moved.clamp(min=projection.MIN_Z)).log()
        for j, seen in enumerate(visible):
            if not bool(seen.any()):
                continue
            known = (x[j][seen] for x in (error, apart, log))
            photo, contradiction, ratio = known
            rho = length_ratio(T_initial[j : j + 1].numpy(), T[j : j + 1].numpy())
            means = (photo.mean(), contradiction.mean(), ratio.median())
            rows.append([*map(float, means), float(rho[0])])
    return tuple(np.array(rows, np.float64).reshape(-1, 4).T)


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
