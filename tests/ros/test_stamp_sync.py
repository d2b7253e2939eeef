"""Pairs of equal stamps, on messages without ROS."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")

from sdepth.stamp_order import StampOrder
from sdepth_ros.depth_pairs import StampSync


def message(stamp: int) -> SimpleNamespace:
    """Return a message with a stamp in seconds."""
    return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=stamp, nanosec=0)))


class Log:
    """Keeps what a sync hands out."""

    def __init__(self, size: int = 3) -> None:
        """Make the sync."""
        self.pairs: list[int] = []
        self.unpaired = 0
        self.sync = StampSync(self._pair, self._count, size)

    def _pair(self, first: SimpleNamespace, second: SimpleNamespace) -> None:
        assert first.header.stamp == second.header.stamp
        self.pairs.append(first.header.stamp.sec)

    def _count(self, number: int) -> None:
        self.unpaired += number


@pytest.fixture
def log() -> Log:
    """Return a sync of three messages."""
    return Log()


def test_equal_stamps_meet_in_either_order(log: Log) -> None:
    log.sync.add_first(message(1))
    log.sync.add_second(message(1))
    log.sync.add_second(message(2))
    log.sync.add_first(message(2))
    assert (log.pairs, log.unpaired) == ([1, 2], 0)


def test_what_came_before_a_pair_is_given_up(log: Log) -> None:
    for stamp in (1, 2, 3):
        log.sync.add_first(message(stamp))
    log.sync.add_second(message(3))
    log.sync.add_second(message(1))
    assert (log.pairs, log.unpaired) == ([3], 2)


def test_the_number_kept_is_bounded(log: Log) -> None:
    for stamp in range(10):
        log.sync.add_first(message(stamp))
    assert log.unpaired == 7
    log.sync.add_second(message(9))
    assert (log.pairs, log.unpaired) == ([9], 9)


def test_an_image_that_comes_twice_is_given_up_once(log: Log) -> None:
    for stamp in (1, 1, 2):
        log.sync.add_first(message(stamp))
        log.sync.add_first(message(stamp))
    log.sync.add_second(message(2))
    log.sync.add_second(message(2))
    assert (log.pairs, log.unpaired) == ([2], 5)


@pytest.mark.parametrize(
    ("tenths", "said"),
    [
        ([1, 2, 5, 5, 3, 6], "next next next late late next"),
        ([50, 60, 20, 21], "next next anew next"),
        ([7, 7, 7, 7, 7, 7, 7, 8], "next late late late late late late next"),
        ([0, 9, 1, 2, 3, 4, 5, 6, 7], "next next late late late late late anew next"),
    ],
    ids=["out of order", "far back", "standing still", "a short loop"],
)
def test_late_frames_are_told_from_time_that_begins_anew(tenths: list[int], said: str) -> None:
    order = StampOrder()
    assert " ".join(order.take(t * 100_000_000) for t in tenths) == said


def test_stamps_that_start_over_meet_again(log: Log) -> None:
    for stamp in (5, 6, 1, 2):
        log.sync.add_first(message(stamp))
        log.sync.add_second(message(stamp))
    assert log.pairs == [5, 6, 1, 2]
