"""The number of threads: rounding of sums depends on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import torch


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Run the block with torch's intra-op threads set to ``number``, for the calling thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run the block, of torch and OpenCV, on one thread: as many may run side by side, alike."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with torch_threads(1):
            yield
    finally:
        cv2.setNumThreads(before)
