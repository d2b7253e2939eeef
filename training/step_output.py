"""What a training step gives: losses to learn from, and pictures of them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

Losses = dict[str, Tensor]
"""By name; ``total`` is what is learned from, the others are its parts and reports."""


@dataclass(frozen=True)
class StepOutput:
    """Losses of a batch and what they were made of.

    Attributes:
        losses: ``total`` and its parts.
        disp: disparity (B, 1, H, W) of the frames that learn, as the network answered.
        clip: disparities (B, 3, H, W) of frames t-1, t, t+1, which a discriminator judges; None
            where one frame alone is known. Where its neighbours are not predicted, t three times.
        pictures: worth looking at, of the first frames: ``image`` and ``warped`` (B, 3, H, W) in
            [0, 1], ``error`` (B, 1, H, W).
    """

    losses: Losses
    disp: Tensor
    clip: Tensor | None
    pictures: dict[str, Tensor]
