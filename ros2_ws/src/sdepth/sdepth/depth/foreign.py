"""Images as networks of others want them, and what they answer, as depth."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sdepth.card import AFFINE, INVERSE, KEEP, ForeignCard

Image = NDArray[np.uint8]
Array = NDArray[np.float32]

_FARTHEST = 1.0  # percent of pixels that are taken to be at infinity


class Framed(NamedTuple):
    """An image (h, w, 3) of the network's size; it is inside (top, left, height, width) of it."""

    image: Image
    inside: tuple[int, int, int, int]


def framed(image: Image, card: ForeignCard) -> Framed:
    """Return an image at the network's size: stretched, or its aspect kept and the rest padded.

    Where rounding to the card's ``multiple`` is all that differs, nothing is padded.

    Args:
        image: RGB (H, W, 3).
        card: of the network.
    """
    (height, width), size = card.input_size, card.input_size
    if card.fit == KEEP:
        by = min(height / image.shape[0], width / image.shape[1])
        inner = max(1, round(image.shape[0] * by)), max(1, round(image.shape[1] * by))
        if max(height - inner[0], width - inner[1]) >= card.multiple:
            size = inner
    small = resampled(image, size, card.resample)
    if size == card.input_size:
        return Framed(small, (0, 0, *size))
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    order = 1 if card.channels == "rgb" else -1
    colour = 255 * np.array((card.padding or card.channel_mean)[::order])
    whole = np.tile(colour.round().astype(np.uint8), (height, width, 1))
    whole[top : top + size[0], left : left + size[1]] = small
    return Framed(whole, (top, left, *size))


def resampled(image: Image, size: tuple[int, int], how: str) -> Image:
    """Return an image (H, W, 3) at (height, width), ``how`` of ``card.RESAMPLINGS``."""
    if image.shape[:2] == size:
        return image
    if how == "area":
        return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    for step in ((image.shape[0], size[1]), size):  # whole numbers in between, as Pillow has them
        planes = torch.nn.functional.interpolate(planes, step, mode=how, antialias=True)
        planes = planes.round_().clamp_(0, 255)
    return np.ascontiguousarray(planes[0].permute(1, 2, 0).byte().numpy())


def unframed(
    answer: Array, seen: Framed, size: tuple[int, int] | None, how: int = cv2.INTER_CUBIC
) -> Array:
    """Return what the network answers inside the image, at (height, width) if given.

    Args:
        answer: (h, w), of any size.
        seen: the image it answers.
        size: wanted.
        how: OpenCV's interpolation; bicubic is what the networks' own code does.
    """
    whole = seen.image.shape[:2]
    by = answer.shape[0] / whole[0], answer.shape[1] / whole[1]
    top, left, height, width = seen.inside
    rows = slice(round(top * by[0]), round((top + height) * by[0]))
    columns = slice(round(left * by[1]), round((left + width) * by[1]))
    answer = answer[rows, columns]
    if size is None or answer.shape == size:
        return answer
    return np.asarray(cv2.resize(answer, size[::-1], interpolation=how), np.float32)


def sky_shift(answer: Array) -> float:
    """Return what makes inverse depth (h, w) zero where it is least: in the sky, or farthest."""
    return -float(np.percentile(answer[::4, ::4], _FARTHEST))


def to_depth(answer: Array, card: ForeignCard, shift: float | None = None) -> Array:
    """Return depth of a network's answer (h, w): metres, or up to one factor.

    Of inverse depth, what is 0 or below counts as farthest (``ForeignCard.depth_range_m``).

    Args:
        answer: of the network.
        card: of it.
        shift: to add to ``affine`` inverse depth; None: ``sky_shift``.
    """
    near, far = card.depth_range_m
    if card.output == AFFINE:
        answer = answer + np.float32(sky_shift(answer) if shift is None else shift)
    if card.output in (INVERSE, AFFINE):
        most = max(float(answer.max()), 1e-6)
        return np.reciprocal(np.clip(answer, most * near / far, most))
    return np.clip(answer, near, far)
