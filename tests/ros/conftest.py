"""Real nodes over real DDS: every test in a domain of its own, on this machine only."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from processes import Peer

_DOMAINS = itertools.count(os.getpid() % 90 + 10)  # domains up to 101 need no other ports


@pytest.fixture
def domain(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return a DDS domain nobody else uses, also set for child processes."""
    number = next(_DOMAINS) % 91 + 10
    monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return number


@pytest.fixture
def peer(domain: int) -> Iterator[Peer]:
    """Return the test's own node."""
    pytest.importorskip("rclpy")
    from processes import Peer

    node = Peer(domain)
    yield node
    node.close()
