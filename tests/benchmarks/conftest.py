"""Benchmarks choose threads for the whole process."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _threads(threads_as_before: None) -> None:
    """Leave none of their threads behind."""
