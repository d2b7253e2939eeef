"""Depth by predictors that look at no image: what a network must beat."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sdepth.errors import ConfigError
from sdepth.geometry.camera import Camera
from training.evaluate.examples import Depth, Example, read_examples

CONSTANT, FLAT_GROUND, PER_PIXEL = "constant", "flat ground", "per-pixel mean"
CONSTANT_M = 15.0
KITTI_HEIGHT_M = 1.65
"""Of KITTI's cameras above the road (Geiger et al. 2013)."""
FAR_M = 30.0
"""Of houses and trees at the end of the flat road: with the sky's distance in their place the
baseline says nothing (AbsRel 0.61 on KITTI 06, 0.27 with this)."""


def flat_ground(camera: Camera, height_m: float) -> Depth:
    """Return the depth (H, W), metres, of a flat road under a camera that looks level.

    From where the road is ``FAR_M`` away up to the top of the image a wall stands there.

    Raises:
        ConfigError: a height that is not positive.
    """
    if height_m <= 0:
        raise ConfigError(f"camera height {height_m:g} m: expected metres above the road")
    below = (np.arange(camera.height) - camera.cy) / camera.fy
    rows = height_m / np.maximum(below, height_m / FAR_M)
    return np.repeat(rows.astype(np.float32)[:, None], camera.width, axis=1)


def pixel_prior(root: Path, size: tuple[int, int], cap_m: float, stride: int = 5) -> Depth:
    """Return the mean depth (height, width) of each pixel over the drives of ``root``, metres."""
    height, width = size
    total, count = np.zeros(size), np.zeros(size)
    for example in read_examples(root, None, stride):
        depth = cv2.resize(example.truth, (width, height), interpolation=cv2.INTER_NEAREST)
        known = (depth > 0) & (depth < cap_m)
        total += np.where(known, depth, 0)
        count += known
    mean = total / np.maximum(count, 1)
    return np.where(count > 0, mean, cap_m).astype(np.float32)


def baselines(
    example: Example, prior: Depth | None = None, height_m: float | None = None
) -> dict[str, Depth]:
    """Return what each predictor says of an example, metres.

    Args:
        example: cut to a protocol's view.
        prior: the per-pixel mean (h, w) of training depth, or None.
        height_m: of the camera above the road; None for the example's, if that is known.
    """
    found = {CONSTANT: np.full(example.truth.shape, CONSTANT_M, np.float32)}
    height_m = height_m or example.camera_height_m
    if height_m is not None:
        found[FLAT_GROUND] = flat_ground(example.camera, height_m)
    return found if prior is None else {**found, PER_PIXEL: prior}
