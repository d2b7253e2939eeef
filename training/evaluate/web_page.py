"""What pages of results share: their look, pictures inside the page, colours of errors."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

ERROR_FACTOR = 2.0
"""Ratio of depth and truth at which the error colours are full."""


def style() -> str:
    """Return the style sheet."""
    return (Path(__file__).parent / "page.css").read_text()


def error_colours(
    truth: NDArray[np.float32], depth: NDArray[np.float32], max_m: float
) -> NDArray[np.uint8]:
    """Return (H, W, 3) BGR: red too far, blue too near, white right, dark where truth is unknown.

    The colour follows the logarithm of depth over truth, full at a factor of ``ERROR_FACTOR``.
    """
    known = (truth > 0) & (truth < max_m)
    ratio = np.clip(depth, 0.1, max_m) / np.where(known, truth, 1)
    share = np.clip(np.log(ratio) / np.log(ERROR_FACTOR), -1, 1)
    fade = (1 - np.abs(share))[..., None]
    full = np.where(share[..., None] > 0, [43, 24, 178], [172, 102, 33])  # red, blue
    colours = full * (1 - fade) + 247 * fade
    return np.where(known[..., None], colours, 40).astype(np.uint8)


def data_uri(bgr: NDArray[np.uint8], quality: int = 62) -> str:
    """Return an image as a WebP data URI."""
    coded = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])[1]
    return "data:image/webp;base64," + base64.b64encode(coded.tobytes()).decode()
