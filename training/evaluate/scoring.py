"""How depth is compared with truth: what counts, how sizes meet, in which order."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from sdepth.errors import ConfigError, DataError
from sdepth.geometry.camera import Camera
from sdepth.metrics.depth import MASK_FIRST, DepthErrors, depth_errors

Depth = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """A part of an image: rows and columns [first, last) of an image of ``size``, pixels.

    Of size (1, 1) it is in shares of any image, rounded down.
    """

    rows: tuple[float, float]
    columns: tuple[float, float]
    size: tuple[int, int] = (1, 1)

    def slices(self, height: int, width: int) -> tuple[slice, slice]:
        """Return the window in an image of ``height`` x ``width`` pixels.

        Raises:
            DataError: the window is in pixels of another size.
        """
        if self.size not in ((1, 1), (height, width)):
            raise DataError(
                f"image or truth of {width}x{height} pixels: this protocol cuts "
                f"{self.size[1]}x{self.size[0]}; give the dataset's own, neither resized nor cut"
            )
        top, bottom = (int(edge * height / self.size[0]) for edge in self.rows)
        left, right = (int(edge * width / self.size[1]) for edge in self.columns)
        return slice(top, bottom), slice(left, right)

    def __str__(self) -> str:
        """Return the window as a reader of tables wants it."""
        (top, bottom), (left, right) = self.rows, self.columns
        whole = "" if self.size == (1, 1) else f" of {self.size[1]}x{self.size[0]}"
        return f"rows {top:g} to {bottom:g}, columns {left:g} to {right:g}{whole}"


WHOLE = Window((0, 1), (0, 1))


@dataclass(frozen=True)
class Protocol:
    """How depth is compared: mask, scale, clamp, score each image, average over images.

    Attributes:
        min_m: nearest truth that counts.
        cap_m: farthest truth that counts.
        crop: pixels that count, inside ``view``.
        scale: "median" (each image by itself) or "none" (metres).
        id: name in ``training.evaluate.protocols``.
        order: of masking and scaling, as ``depth_errors`` takes it.
        clamp_m: nearest and farthest estimate; None for [min_m, cap_m].
        view: part of image and truth that is used at all; the network sees no more.
        shrink: how an image gets the network's size, as ``shrunk`` takes it.
        resize: how an estimate gets the truth's size, as ``resized`` takes it.
        resolution: (height, width) of the published rows' networks.
        images: in the test split; 0 where anyone's will do.
        split: where the list of them is.
        source: of all this.
    """

    min_m: float = 1e-3
    cap_m: float = 80.0
    crop: Window = WHOLE
    scale: str = "median"
    id: str = "synth"
    order: str = MASK_FIRST
    clamp_m: tuple[float, float] | None = None
    view: Window = WHOLE
    shrink: str = "area"
    resize: str = "inv_depth"
    resolution: tuple[int, int] = (96, 320)
    images: int = 0
    split: str = "held-out rendered streets"
    source: str = "this repository; order and cap as Godard et al. 2019"

    def look(
        self, image: NDArray[np.uint8], camera: Camera, truth: Depth
    ) -> tuple[NDArray[np.uint8], Camera, Depth]:
        """Return image, camera and truth cut to ``view``.

        Raises:
            DataError: image or truth have another size than this protocol's.
        """
        rows, columns = self.view.slices(camera.height, camera.width)
        height, width = rows.stop - rows.start, columns.stop - columns.start
        camera = camera.cropped(columns.start, rows.start, width, height)
        return image[rows, columns], camera, truth[self.view.slices(*truth.shape)]

    def score(self, truth: Depth, estimate: Depth) -> DepthErrors:
        """Return the errors of one image, both of ``view``; the estimate may be of any size."""
        inside = np.zeros(truth.shape, np.bool_)
        inside[self.crop.slices(*truth.shape)] = True
        truth = np.where(inside, truth, 0).astype(np.float32)
        estimate = resized(estimate, truth.shape, self.resize)
        limits = (self.min_m, self.cap_m, self.scale, self.order, self.clamp_m)
        return depth_errors(truth, estimate, *limits)

    def describe(self) -> str:
        """Return the protocol in a line, all that moves its numbers."""
        low, high = self.clamp_m or (self.min_m, self.cap_m)
        cuts = {"view": self.view, "crop": self.crop}
        cut = [f"{name} {window}" for name, window in cuts.items() if window != WHOLE]
        return "; ".join(
            [
                f"{self.id}: truth {self.min_m:g} to {self.cap_m:g} m",
                f"estimate clamped to {low:g} to {high:g} m",
                *(cut or ["no crop"]),
                f"scaling {self.scale}" + (f" ({self.order})" if self.scale == "median" else ""),
                f"images shrunk by {self.shrink}, estimates resized by {self.resize}",
                "mean over images",
            ]
        )


def shrunk(image: NDArray[np.uint8], size: tuple[int, int], rule: str) -> NDArray[np.uint8]:
    """Return ``image`` (H, W, 3) at ``size`` (height, width).

    Args:
        image: RGB.
        size: wanted.
        rule: "area"; "lanczos" (Pillow's, smoothed: monodepth2, md4all); "linear" (not smoothed:
            RNW).

    Raises:
        ConfigError: another rule.
    """
    if rule == "lanczos":
        return np.array(Image.fromarray(image).resize(size[::-1], Image.Resampling.LANCZOS))
    rules = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}
    if rule not in rules:
        raise ConfigError(f"shrink {rule!r}: expected 'lanczos', 'area' or 'linear'")
    return np.asarray(cv2.resize(image, size[::-1], interpolation=rules[rule]), np.uint8)


def resized(depth: Depth, size: tuple[int, ...], rule: str) -> Depth:
    """Return ``depth`` at ``size`` (height, width).

    Args:
        depth: metres, or metres up to one factor.
        size: of the truth.
        rule: "inv_depth", linearly in 1 / depth (monodepth2); "nearest" (RNW); "corners",
            linearly in depth with the corner pixels' centres kept (md4all).

    Raises:
        ConfigError: another rule.
    """
    if rule not in ("inv_depth", "nearest", "corners"):
        raise ConfigError(f"resize {rule!r}: expected 'inv_depth', 'nearest' or 'corners'")
    if depth.shape == size:
        return depth
    if rule == "corners":
        batch = torch.from_numpy(np.ascontiguousarray(depth))[None, None]
        batch = F.interpolate(batch, tuple(size), mode="bilinear", align_corners=True)
        return np.asarray(batch[0, 0].numpy(), np.float32)
    if rule == "nearest":
        return np.asarray(cv2.resize(depth, size[::-1], interpolation=cv2.INTER_NEAREST))
    return np.asarray(1 / cv2.resize(1 / depth, size[::-1]), np.float32)
