"""First guesses of a motion, and which motions that they lead to are worth a closer look."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from sdepth.alignment.solver import Refinement
from sdepth.odometry.motion import Matrix

STEPS = (0.04, 0.08, 0.16)
"""Steps forward, in median depths."""
APART = 0.02
"""Motions that differ by this share of the median depth are not the same."""


def forward(median_depth: float) -> list[Matrix]:
    """Return T_cam_last (4, 4) of a few steps straight ahead, metres as the median depth."""
    guesses = []
    for share in STEPS:
        ahead = np.eye(4)
        ahead[2, 3] = -share * median_depth
        guesses.append(ahead)
    return guesses


def rivals(found: Refinement, median_depth: float) -> Tensor:
    """Return which of the motions agrees best, and which of those elsewhere does, if any is.

    Coarse levels mistake one for the other: lorries that keep pace, or the light of the own lamps
    on the road, agree with no motion at all.
    """
    order = found.agreement.argsort(descending=True)
    t = found.T_src_tgt[order, :3, 3]
    elsewhere = order[(t - t[0]).norm(dim=1) > APART * median_depth]
    return torch.cat([order[:1], elsewhere[:1]])


def transform(motion: Matrix) -> Matrix:
    """Return T (4, 4) of a rotation vector and a translation (6,)."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = cv2.Rodrigues(motion[:3])[0], motion[3:]
    return T
