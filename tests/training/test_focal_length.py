"""Depth keeps its scale when the lens changes: one street seen at three focal lengths."""

from __future__ import annotations

import dataclasses

import numpy as np

from sdepth.checkpoint import bundled
from sdepth.depth.estimator import DepthEstimator
from training.synth.config import DatasetConfig, draw_sequence
from training.synth.render import SequenceRenderer

FOCALS = (0.45, 0.6, 0.8)
"""Focal length over image width."""


def test_scale_does_not_follow_the_focal_length() -> None:
    estimator = DepthEstimator(bundled("day"), "cpu")
    data = DatasetConfig("day", 3, frames=1, width=320, height=96, seed=77, supersample=1)
    log_scales = np.zeros((data.sequences, len(FOCALS)))
    log_zooms = np.zeros_like(log_scales)
    for i in range(data.sequences):
        for j, focal in enumerate(FOCALS):
            config = dataclasses.replace(draw_sequence(data, i), focal=focal)
            frame = SequenceRenderer(config).frame(0)
            known = (frame.depth > 0) & (frame.depth < 80)
            depth = estimator.predict(frame.image, config.camera).depth
            log_scales[i, j] = np.log(np.median(frame.depth[known]) / np.median(depth[known]))
            log_zooms[i, j] = np.log(config.camera.focal_ratio)

    # Without compensation the scale would be the compensated one times the focal ratio.
    compensated = np.std(log_scales - log_scales.mean(1, keepdims=True))
    plain = log_scales + log_zooms
    uncompensated = np.std(plain - plain.mean(1, keepdims=True))

    assert compensated < 0.5 * uncompensated
