"""Triplets of consecutive frames for training, in an order that resumes exactly."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from sdepth.errors import DataError
from sdepth.pixels import RGB_WEIGHTS
from training.data.check import check_file_size
from training.data.drive import Drive, read_depth
from training.data.frames import Frames
from training.data.open_drive import find_drives, read_drive
from training.data.split import find_frames, read_list

log = logging.getLogger(__name__)
_MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
"""Left to right; on both sides of a transform it is the motion of the mirrored world."""


@dataclass(frozen=True)
class DataConfig:
    """What to train on and how to change it."""

    train: tuple[str, ...] = ("data/synth/day",)  # roots with sequences/NN or raw drives
    split: str = ""  # file that lists the middle frames, such as Eigen-Zhou's; "" for all
    size: tuple[int, int] = (96, 320)  # (height, width)
    flip: bool = True
    jitter: float = (
        0.2  # brightness, contrast, saturation; half of it for hue, in turns (monodepth2: 0.2)
    )
    min_motion_m: float = 0.0  # skip frames that moved less, where poses are known
    depth: bool = False  # read the middle frame's too, where features are taught by it
    clip_depth: bool = False  # read all three frames', where a prior learns from it
    apart: int = 1  # frames from one of a triplet to the next
    workers: int = 1


class Triplets(Dataset[dict[str, Tensor]]):
    """Frames t-1, t, t+1 of all drives; item (index, draw) is a function of these two alone."""

    def __init__(self, config: DataConfig, focal_ratio: float, seed: int) -> None:
        """Index the drives.

        Args:
            config: where the drives are, and how to augment them.
            focal_ratio: of the canonical camera.
            seed: of the augmentation.

        Raises:
            DataError: a root holds no drives, no drive has three frames, or a listed image is
                missing.
        """
        self.config, self.focal_ratio, self.seed = config, focal_ratio, seed
        folders = [folder for root in config.train for folder in find_drives(Path(root))]
        if config.split:
            found = find_frames(folders, read_list(Path(config.split)), Path(config.split))
        else:
            drives = map(read_drive, folders)
            found = [(drive, i) for drive in drives for i in range(len(drive.frames))]
        self.items = [
            (drive, i)
            for drive, i in found
            if self._inside(drive, i)
            and not np.linalg.norm(_motion(drive, i, i - config.apart)[:3, 3])
            < config.min_motion_m
        ]
        self._check(found)
        self.drives = {drive.name for drive, _ in self.items}
        if not self.items:
            raise DataError(f"{', '.join(config.train)}: no three consecutive frames that move")

    def _check(self, found: Sequence[tuple[Drive, int]]) -> None:
        """Refuse images of two sizes in a drive, and tell how many that a list names are left out.

        Raises:
            DataError: an image is not of its drive's camera.
        """
        neighbours = ((drive, j) for drive, i in self.items for j in self._frames(i))
        for image, camera in {d.frames[j].image: d.camera for d, j in neighbours}.items():
            check_file_size(image, camera)
        ends = sum(not self._inside(drive, i) for drive, i in found)
        if ends and self.config.split:
            log.warning(
                "%s: %d of %d images left out: no frame before or after them",
                self.config.split, ends, len(found),
            )  # fmt: skip

    def __len__(self) -> int:
        """Return the number of triplets."""
        return len(self.items)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        """Return the triplet of (index, draw); shapes as ``SelfSupervised.forward`` takes them."""
        index, draw = key
        drive, i = self.items[index]
        rng = np.random.default_rng((self.seed, index, draw))
        height, width = self.config.size
        before, _, after = self._frames(i)
        images = np.stack([self._read(drive, j) for j in (before, i, after)])
        camera = drive.camera.resized(width, height)
        motions = np.stack([_motion(drive, i, before), _motion(drive, i, after)])
        if flip := self.config.flip and rng.random() < 0.5:
            images, camera = images[:, :, ::-1], camera.flipped()
            motions = _MIRROR @ motions @ _MIRROR
        inputs = _jitter(images, rng, self.config.jitter) if rng.random() < 0.5 else images
        item = {
            "images": _to_tensor(images),
            "inputs": _to_tensor(inputs),
            "K": torch.from_numpy(camera.K).float(),
            "focal_scale": torch.tensor(camera.focal_ratio / self.focal_ratio).float(),
            "motions": torch.from_numpy(motions).float(),
            "noise": torch.from_numpy(rng.standard_normal((2, height, width), np.float32)),
        }
        if self.config.depth:
            depth = self._read_depth(drive, i)
            item["depth"] = torch.from_numpy(depth[:, ::-1].copy() if flip else depth)[None]
        if self.config.clip_depth:
            depths = np.stack([self._read_depth(drive, j) for j in self._frames(i)])
            item["depths"] = torch.from_numpy(depths[..., ::-1].copy() if flip else depths)
        return item

    def _inside(self, drive: Drive, i: int) -> bool:
        """Tell whether frame ``i`` has both neighbours."""
        before, _, after = self._frames(i)
        return before >= 0 and after < len(drive.frames)

    def _frames(self, i: int) -> tuple[int, int, int]:
        """Return the frames of the triplet around ``i``."""
        return i - self.config.apart, i, i + self.config.apart

    def _read_depth(self, drive: Drive, i: int) -> NDArray[np.float32]:
        """Return the depth of frame ``i`` at the training size, metres.

        Raises:
            DataError: the drive has none.
        """
        path = drive.frames[i].depth
        if path is None:
            raise DataError(f"{drive.frames[i].image}: no depth beside it (depth_2/)")
        height, width = self.config.size
        depth = read_depth(path)
        return cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST)  # type: ignore[return-value]

    def _read(self, drive: Drive, i: int) -> NDArray[np.uint8]:
        """Return the image of frame ``i`` at the training size."""
        height, width = self.config.size
        image = drive.read(drive.frames[i])
        if image.shape[:2] == (height, width):
            return image
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


class ResumableOrder(Sampler[tuple[int, int]]):
    """Endless shuffled (index, draw) keys, from any step on: a function of the seed alone."""

    def __init__(
        self, count: int, batch: int, seed: int, start_step: int, rank: int = 0, ranks: int = 1
    ) -> None:
        """Start at ``start_step`` of ``batch`` samples on each of ``ranks`` processes."""
        self._count, self._seed = count, seed
        self._batch, self._start, self._rank, self._ranks = batch, start_step, rank, ranks

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield keys forever, those of this rank."""
        first = self._start * self._batch * self._ranks + self._rank
        epoch, order = -1, np.arange(0)
        position = first
        while True:
            if position // self._count != epoch:
                epoch = position // self._count
                order = np.random.default_rng((self._seed, epoch)).permutation(self._count)
            yield int(order[position % self._count]), position
            position += self._ranks


def endless_batches(
    data: Triplets | Frames, workers: int, batch: int, step: int = 0, rank: int = 0, ranks: int = 1
) -> Iterator[dict[str, Tensor]]:
    """Yield batches of this rank forever, beginning with that of ``step``."""
    order = ResumableOrder(len(data), batch, data.seed, step, rank, ranks)
    loader = DataLoader(
        data,
        batch,
        sampler=order,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)


def _motion(drive: Drive, i: int, j: int) -> NDArray[np.float64]:
    """Return T_j_i (4, 4), which maps points seen in frame i into frame j; NaN where unknown."""
    T_world_i, T_world_j = drive.frames[i].T_world_cam, drive.frames[j].T_world_cam
    if T_world_i is None or T_world_j is None:
        return np.full((4, 4), np.nan)
    return np.linalg.inv(T_world_j) @ T_world_i


def _jitter(
    images: NDArray[np.uint8], rng: np.random.Generator, amount: float
) -> NDArray[np.uint8]:
    """Return the images with one random brightness, contrast, saturation and hue for all."""
    brightness, contrast, saturation = rng.uniform(1 - amount, 1 + amount, 3)
    x = images.astype(np.float32) * brightness
    x = (x - x.mean()) * contrast + x.mean()
    grey = x @ np.array(RGB_WEIGHTS, np.float32)
    x = grey[..., None] + (x - grey[..., None]) * saturation
    flat = np.clip(x, 0, 255).astype(np.uint8).reshape(-1, images.shape[2], 3)
    hsv = cv2.cvtColor(flat, cv2.COLOR_RGB2HSV)
    turn = round(rng.uniform(-amount / 2, amount / 2) * 180)
    hsv[..., 0] = (hsv[..., 0].astype(np.int16) + turn) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).reshape(images.shape)  # type: ignore[return-value]


def _to_tensor(images: NDArray[np.uint8]) -> Tensor:
    """Return (3, 3, H, W) floats in [0, 1] of three (H, W, 3) images."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 255
