"""Metres: who says so, how sure, how fast they may change."""

from __future__ import annotations

from dataclasses import replace
from math import inf, log

import pytest

from sdepth.errors import ConfigError
from sdepth.scale.speed import SpeedRatio
from sdepth.scale.tracker import ScaleConfig, ScaleTracker

HEIGHT = ScaleConfig("camera_height", camera_height_m=1.5)
SECOND = 1_000_000_000


def fed(tracker: ScaleTracker, factor: float, seconds: float, since_s: float = 0.0) -> float:
    """Feed ten observations a second; return the last factor given."""
    given = 1.0
    for i in range(1, int(seconds * 10) + 1):
        stamp = int((since_s + i / 10) * SECOND)
        tracker.observe(factor, stamp)
        given = tracker.at(stamp).factor
    return given


def test_a_metric_model_needs_no_observation() -> None:
    scale = ScaleTracker(ScaleConfig(), True).at(SECOND)

    assert (scale.factor, scale.source, scale.metric, scale.age_s) == (1, "model", True, 0)


def test_unknown_is_unknown_whatever_the_model_says() -> None:
    scale = ScaleTracker(ScaleConfig("unknown"), True).at(SECOND)

    assert (scale.factor, scale.sigma, scale.source) == (1, inf, "unknown")
    assert not scale.metric


def test_a_fixed_scale_is_what_was_given_and_may_change() -> None:
    tracker = ScaleTracker(ScaleConfig("fixed", fixed=2.5), False)
    assert tracker.at(SECOND).factor == 2.5

    tracker.config = ScaleConfig("fixed", fixed=3.0)
    assert tracker.at(2 * SECOND).factor == 3
    assert tracker.at(2 * SECOND).metric


@pytest.mark.parametrize("metric", [True, False])
def test_until_it_is_observed_the_model_stands_in_if_it_can(metric: bool) -> None:
    tracker = ScaleTracker(HEIGHT, metric)
    tracker.observe(2.0, SECOND)

    assert tracker.at(SECOND).metric == metric  # one observation is none
    assert tracker.at(SECOND).factor == 1
    assert fed(tracker, 2.0, 1, since_s=1) == pytest.approx(2)
    assert tracker.at(2 * SECOND).source == "camera_height"


def test_a_known_scale_moves_no_faster_than_allowed() -> None:
    tracker = ScaleTracker(HEIGHT, True)
    fed(tracker, 2.0, 4)

    before, steps = 2.0, []
    for i in range(100):
        after = fed(tracker, 3.0, 0.1, since_s=4 + i / 10)
        steps.append(log(after / before))
        before = after
    assert max(steps) == pytest.approx(0.01)  # 0.1 per second, ten times a second
    assert before == pytest.approx(3)


def test_a_few_wild_observations_change_nothing() -> None:
    tracker = ScaleTracker(HEIGHT, True)
    fed(tracker, 2.0, 3)
    for i in range(10):
        tracker.observe(50.0, 3 * SECOND + i)
    tracker.observe(inf, 3 * SECOND)
    tracker.observe(-1.0, 3 * SECOND)

    assert tracker.at(3 * SECOND + 10).factor == pytest.approx(2)


def test_observations_that_contradict_each_other_are_not_believed() -> None:
    tracker = ScaleTracker(HEIGHT, False)
    for i in range(30):
        tracker.observe(1.0 + (i % 2), SECOND + i)

    assert not tracker.at(2 * SECOND).metric


def test_without_observations_the_scale_stays_and_its_age_grows() -> None:
    tracker = ScaleTracker(HEIGHT, True)
    fed(tracker, 2.0, 3)

    scale = tracker.at(63 * SECOND)
    assert scale.factor == pytest.approx(2)
    assert scale.age_s == pytest.approx(60)


def test_an_error_is_of_what_was_given_at_that_frame() -> None:
    tracker = ScaleTracker(HEIGHT, True)
    fed(tracker, 2.0, 3)
    tracker.config = replace(HEIGHT, window_s=1.0)
    for i in range(10):
        tracker.observe_error(1.5, 3 * SECOND - 1 - i)  # metres are 1.5 times what was published

    for i in range(100):
        given = tracker.at(3 * SECOND + i * SECOND // 100).factor
    assert 2.05 < given <= 3.0001


def test_height_is_needed_to_measure_by_it() -> None:
    with pytest.raises(ConfigError, match=r"set scale\.camera_height_m"):
        ScaleConfig("camera_height")


def test_speeds_are_compared_at_equal_times() -> None:
    ratio = SpeedRatio()
    assert ratio.vehicle(0, 10.0) == []
    assert ratio.own(SECOND // 2, 6.0) == []  # the vehicle's speed then is not yet known

    assert ratio.vehicle(SECOND, -14.0) == [(SECOND // 2, pytest.approx(2))]


def test_standing_and_gaps_say_nothing() -> None:
    ratio = SpeedRatio()
    ratio.own(SECOND // 2, 0.1)
    ratio.own(5 * SECOND, 5.0)
    found = ratio.vehicle(0, 0.2) + ratio.vehicle(SECOND, 0.3) + ratio.vehicle(9 * SECOND, 9.0)

    assert found == []


def test_a_looped_bag_starts_anew() -> None:
    ratio = SpeedRatio()
    ratio.vehicle(10 * SECOND, 10.0)
    ratio.own(11 * SECOND, 5.0)
    ratio.vehicle(0, 10.0)
    ratio.own(SECOND, 5.0)

    assert ratio.vehicle(2 * SECOND, 10.0) == [(SECOND, 2)]
