"""What is wrong with a stamp is said in the same words everywhere."""

from __future__ import annotations

import pytest

from sdepth.stamp_order import fault


@pytest.mark.parametrize(
    ("stamp", "before", "said"),
    [
        (2, 1, ""),
        (0, -1, ""),
        (-5, -9, "stamp -5 ns is before 1970"),
        (0, 0, "stamp is 0 again: the driver does not set header.stamp"),
        (5, 5, "stamp 5 ns is that of the frame before"),
        (4, 5, "stamp 4 ns does not come after 5 ns"),
    ],
)
def test_a_stamp_must_come_after_the_one_before(stamp: int, before: int, said: str) -> None:
    found = fault(stamp, before)
    assert found.startswith(said)
    assert bool(found) == bool(said)
