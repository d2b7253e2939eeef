"""From one network to the other without a step in depth."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from sdepth.checkpoint import bundled, read_card
from sdepth.depth.daynight import DAY, NIGHT, DayNightConfig
from sdepth.depth.estimator import DepthEstimator, load_estimators
from sdepth.depth.handover import Handover
from sdepth.geometry.camera import Camera
from tests.conftest import ROOT

CONFIG = DayNightConfig(crossfade_frames=4, scale_return_per_s=0.05)
CAMERA = Camera(190.0, 190.0, 159.5, 47.5, 320, 96)
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def estimators() -> dict[str, DepthEstimator]:
    """Two networks; those that ship for day and night are one."""
    paths = {DAY: bundled(DAY), NIGHT: ROOT / "training/weights/light.safetensors"}
    return {mode: DepthEstimator(path, "cpu") for mode, path in paths.items()}


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Something to look at."""
    noise = np.random.default_rng(0).integers(0, 255, (6, 20, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (320, 96)), np.uint8)


def _switched(estimators: dict[str, DepthEstimator], image: np.ndarray) -> Handover:
    """Return a hand-over from day to night that is just done, at 4 s."""
    handover = Handover(estimators, CONFIG)
    for i in range(5):
        handover.predict(image, CAMERA, DAY if i == 0 else NIGHT, i * SECOND)
    return handover


def test_without_a_change_depth_is_the_networks_own(
    estimators: dict[str, DepthEstimator], image: np.ndarray
) -> None:
    seen = Handover(estimators, CONFIG).predict(image, CAMERA, NIGHT, 0)

    assert np.array_equal(seen.depth, estimators[NIGHT].predict(image, CAMERA).depth)


def test_depth_goes_over_in_equal_steps_and_its_median_not_at_all(
    estimators: dict[str, DepthEstimator], image: np.ndarray
) -> None:
    handover = Handover(estimators, CONFIG)
    modes = [DAY] + [NIGHT] * 4
    logs = [np.log(handover.predict(image, CAMERA, m, 0).depth) for m in modes]
    day, night = (np.log(estimators[m].predict(image, CAMERA).depth) for m in (DAY, NIGHT))
    ratio = np.median(day - night)

    assert abs(ratio) > 0.05  # else there is nothing to hand over
    for before, after in pairwise(logs):
        assert after - before == pytest.approx((night + ratio - day) / 5, abs=1e-4)
        assert np.median(after - before) == pytest.approx(0, abs=1e-5)
    assert handover.scale == pytest.approx(np.exp(ratio), rel=1e-5)


def test_scale_returns_to_the_networks_own_at_the_given_rate(
    estimators: dict[str, DepthEstimator], image: np.ndarray
) -> None:
    handover = _switched(estimators, image)
    before = np.log(handover.scale)

    handover.predict(image, CAMERA, NIGHT, 5 * SECOND)
    assert np.log(handover.scale) == pytest.approx(before - np.sign(before) * 0.05)
    seen = handover.predict(image, CAMERA, NIGHT, 1000 * SECOND)
    assert handover.scale == 1
    assert np.array_equal(seen.depth, estimators[NIGHT].predict(image, CAMERA).depth)


def test_what_is_not_metric_keeps_the_scale_it_took_over(
    estimators: dict[str, DepthEstimator], image: np.ndarray
) -> None:
    night = DepthEstimator(ROOT / "training/weights/light.safetensors", "cpu")
    night.card = replace(night.card, metric=False)
    handover = _switched({DAY: estimators[DAY], NIGHT: night}, image)
    before = handover.scale

    handover.predict(image, CAMERA, NIGHT, 1000 * SECOND)
    assert handover.scale == before


def test_no_frames_to_go_over_means_a_step(
    estimators: dict[str, DepthEstimator], image: np.ndarray
) -> None:
    handover = Handover(estimators, replace(CONFIG, crossfade_frames=0))
    handover.predict(image, CAMERA, DAY, 0)

    seen = handover.predict(image, CAMERA, NIGHT, SECOND)
    assert np.array_equal(seen.depth, estimators[NIGHT].predict(image, CAMERA).depth)


def test_a_looped_bag_carries_nothing_over(
    estimators: dict[str, DepthEstimator], image: np.ndarray
) -> None:
    handover = _switched(estimators, image)

    seen = handover.predict(image, CAMERA, DAY, 0)
    assert handover.scale == 1
    assert np.array_equal(seen.depth, estimators[DAY].predict(image, CAMERA).depth)


def test_networks_of_other_sizes_meet_at_that_of_the_new_one(
    estimators: dict[str, DepthEstimator], image: np.ndarray
) -> None:
    small = {DAY: DepthEstimator(bundled(DAY), "cpu", "model"), NIGHT: estimators[NIGHT]}
    large = cv2.resize(image, (640, 192))
    handover, camera = Handover(small, CONFIG), CAMERA.resized(640, 192)
    assert (
        handover.predict(large, camera, DAY, 0).depth.shape == read_card(bundled(DAY)).input_size
    )

    assert handover.predict(large, camera, NIGHT, SECOND).depth.shape == (192, 640)


def test_one_network_for_both_modes_has_nothing_to_hand_over(image: np.ndarray) -> None:
    both, runs = load_estimators(device="cpu"), []
    for estimator in both.values():
        estimator.timed = lambda: nullcontext(runs.append(1))
    handover = Handover(both, CONFIG)

    before, after = (handover.predict(image, CAMERA, mode, 0).depth for mode in (DAY, NIGHT))
    assert np.array_equal(before, after)
    assert (len(runs), handover.scale) == (2, 1.0)
