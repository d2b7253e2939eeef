"""How sure depth is, by the mirrored image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sdepth.checkpoint import bundled
from sdepth.depth.confidence import mirror_confidence
from sdepth.depth.daynight import DAY
from sdepth.depth.estimator import DepthEstimator, DepthMap
from sdepth.depth.validity import ConfidenceConfig
from sdepth.geometry.camera import Camera
from sdepth.pipeline import DepthConfig, DepthPipeline, pinhole

CAMERA = Camera(190.0, 190.0, 159.5, 47.5, 320, 96)


@pytest.fixture(scope="module")
def estimator() -> DepthEstimator:
    """The day weights that ship."""
    return DepthEstimator(bundled(DAY), "cpu")


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Something to look at."""
    noise = np.random.default_rng(0).integers(0, 255, (6, 20, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (320, 96)), np.uint8)


def test_what_is_its_own_mirror_image_is_sure(
    estimator: DepthEstimator, image: np.ndarray
) -> None:
    depth = estimator.predict(np.ascontiguousarray(image[:, ::-1]), CAMERA).depth[:, ::-1].copy()
    sure = mirror_confidence(DepthMap(depth, CAMERA), estimator, image, CAMERA)

    assert sure == pytest.approx(1.0)


def test_one_factor_changes_nothing_and_a_wrong_spot_is_unsure(
    estimator: DepthEstimator, image: np.ndarray
) -> None:
    seen = estimator.predict(image, CAMERA)
    plain = mirror_confidence(seen, estimator, image, CAMERA)
    wrong = seen.depth * np.float32(3)
    wrong[10:20, 50:60] *= 2
    other = mirror_confidence(DepthMap(wrong, CAMERA), estimator, image, CAMERA)

    assert plain.shape == (96, 320)
    assert 0 < plain.min() < plain.max() <= 1
    spot = np.zeros((96, 320), bool)
    spot[10:20, 50:60] = True
    assert other[~spot] == pytest.approx(plain[~spot], abs=0.01)
    assert other[spot].mean() < 0.5 * plain[spot].mean()


def test_what_is_too_unsure_is_not_a_number(estimator: DepthEstimator, image: np.ndarray) -> None:
    config = DepthConfig(mode=DAY, confidence=ConfidenceConfig(min=0.8))
    seen = DepthPipeline({DAY: estimator}, config).process(image, pinhole(CAMERA), 0)

    assert seen.confidence is not None
    unsure = seen.confidence < 0.8
    assert 0 < unsure.mean() < 1
    assert np.array_equal(np.isnan(seen.depth.depth), unsure)
