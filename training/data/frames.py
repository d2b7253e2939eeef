"""Single frames with true depth, cropped and pictured anew each time they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from sdepth.errors import DataError
from sdepth.geometry.camera import Camera
from sdepth.scale.ground import find_ground
from training.data.augment import cast_shadows, change_look, relight
from training.data.darken import darken
from training.data.drive import OWN, SKY, Drive, read_depth, read_mask
from training.data.open_drive import find_drives, read_drive


@dataclass(frozen=True)
class CropConfig:
    """Which part of an image the network sees, stretched to its input size as the nodes do.

    Attributes:
        zoom: smallest and largest share of the larger possible crop.
        aspect: narrowest and widest crop, width over height; wide ones are drawn more often.
        roll_deg: cameras lean by up to this to either side: roads are not level, either.
        look: strength of ``change_look``, 0..1.
        relit: share of frames whose sky and scene are balanced anew (``relight``).
        shadowed: share of frames by day with shadows and patches across them (``cast_shadows``).
        darkened: more folders of drives, by day, whose frames are seen as at night.
    """

    zoom: tuple[float, float] = (0.75, 1.0)
    aspect: tuple[float, float] = (2.0, 3.6)
    roll_deg: float = 0.0
    look: float = 0.5
    relit: float = 0.0
    shadowed: float = 0.0
    darkened: tuple[str, ...] = ()


class Frames(Dataset[dict[str, Tensor]]):
    """Frames of all drives that have depth; item (index, draw) is a function of these alone."""

    def __init__(
        self,
        roots: tuple[str, ...],
        size: tuple[int, int],
        crop: CropConfig,
        focal_ratio: float,
        seed: int,
    ) -> None:
        """Index the drives.

        Args:
            roots: folders of drives; one that is named twice counts twice.
            size: (height, width) of the network's input.
            crop: how frames are cut and pictured.
            focal_ratio: of the canonical camera.
            seed: of all that.

        Raises:
            DataError: no drives, or none with depth and masks beside it.
        """
        self.size, self.crop, self.focal_ratio, self.seed = size, crop, focal_ratio, seed
        named = [*((root, False) for root in roots), *((root, True) for root in crop.darkened)]
        found = [(f, dark) for root, dark in named for f in find_drives(Path(root))]
        drives = [read_drive(folder) for folder, _ in found]
        self.dark = {id(d) for d, (_, dark) in zip(drives, found, strict=True) if dark}
        self.items = [(d, i) for d in drives for i, f in enumerate(d.frames) if f.depth and f.mask]
        self.drives = {id(drive) for drive, _ in self.items}
        if not self.items:
            raise DataError(f"{', '.join(roots)}: no frame has depth_2/ and mask_2/ beside it")

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.items)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        """Return one frame, cut and pictured anew.

        ``image`` (3, H, W) in [0, 1]; ``depth`` (1, H, W), metres, 0 where unknown; ``sky``
        (1, H, W) bool; ``focal_scale``: the crop's focal ratio over the canonical camera's.
        """
        index, draw = key
        drive, i = self.items[index]
        rng = np.random.default_rng((self.seed, index, draw))
        image, depth, sky = _read(drive, i)
        left, top, width, height = draw_crop(drive.camera, self.crop, rng)
        cut = np.s_[top : top + height, left : left + width]
        camera = drive.camera.cropped(left, top, width, height)
        image, depth, sky = image[cut], depth[cut], sky[cut]
        if self.crop.roll_deg > 0:
            angle = rng.uniform(-self.crop.roll_deg, self.crop.roll_deg)
            image, depth, sky = _rolled(image, depth, sky, camera, angle)
        if id(drive) in self.dark:
            image = darken(image, depth, camera, rng)
        else:
            if self.crop.shadowed and rng.random() < self.crop.shadowed:
                image = cast_shadows(image, sky, rng)
            if rng.random() < self.crop.relit:
                image = relight(image, sky, rng)
        if rng.random() < 0.5:
            image, depth, sky = image[:, ::-1], depth[:, ::-1], sky[:, ::-1]
        image = _fit(np.ascontiguousarray(image), self.size, cv2.INTER_AREA)
        image = change_look(image, rng, self.crop.look if rng.random() < 0.9 else 0.0)
        depth = _fit(np.ascontiguousarray(depth), self.size, cv2.INTER_NEAREST)
        sky = _fit(np.ascontiguousarray(sky), self.size, cv2.INTER_NEAREST)
        return {
            "image": torch.from_numpy(image).permute(2, 0, 1).float() / 255,
            "depth": torch.from_numpy(depth)[None],
            "sky": torch.from_numpy(sky)[None] > 0,
            "focal_scale": torch.tensor(camera.focal_ratio / self.focal_ratio).float(),
        }


def draw_crop(
    camera: Camera, config: CropConfig, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Return left, top, width, height of a random crop of a camera's image, pixels."""
    narrow, wide = config.aspect
    aspect = narrow + (wide - narrow) * rng.random() ** 0.5
    share = rng.uniform(*config.zoom)
    width = min(camera.width, camera.height * aspect) * share
    height = min(camera.height, width / aspect)
    w, h = max(round(width), 16), max(round(height), 16)
    left, top = rng.integers(camera.width - w + 1), rng.integers(camera.height - h + 1)
    return int(left), int(top), w, h


def _read(drive: Drive, i: int) -> tuple[NDArray, NDArray, NDArray]:
    """Return image, depth and sky (1 or 0, uint8) of a frame."""
    frame = drive.frames[i]
    assert frame.depth is not None
    assert frame.mask is not None
    mask, depth = read_mask(frame.mask), read_depth(frame.depth)
    if (mask & OWN).any():
        depth = _road_below(depth, (mask & OWN) > 0, drive.camera)
    return drive.read(frame), depth, ((mask & SKY) > 0).astype(np.uint8)


def _road_below(depth: NDArray[np.float32], own: NDArray, camera: Camera) -> NDArray[np.float32]:
    """Return depth with the road's where the own bonnet hides it: nothing stands there.

    Left unknown, patches of real road that looked like a bonnet got any depth.
    """
    ground = find_ground(depth, camera)
    if ground is None:
        return depth
    down = ground.descent(camera)
    road = ground.height / np.maximum(down, 1e-3)
    return np.where(own & (down > 0.02), road, depth).astype(np.float32)


def _rolled(
    image: NDArray, depth: NDArray, sky: NDArray, camera: Camera, deg: float
) -> tuple[NDArray, NDArray, NDArray]:
    """Return what a camera turned about its axis sees: depth along it stays, borders are unknown.

    Exact for square pixels, which rendered and most real cameras have.
    """
    turn = cv2.getRotationMatrix2D((camera.cx, camera.cy), deg, 1.0)
    size, near = image.shape[1::-1], cv2.INTER_NEAREST
    turned = cv2.warpAffine(image, turn, size, borderMode=cv2.BORDER_REFLECT_101)
    depth, sky = (cv2.warpAffine(x, turn, size, flags=near) for x in (depth, sky))
    return np.asarray(turned), depth, sky


def _fit(image: NDArray, size: tuple[int, int], how: int) -> NDArray:
    """Return the image at (height, width) pixels."""
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=how))
