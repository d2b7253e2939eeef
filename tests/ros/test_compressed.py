"""Depth as image_transport's compressedDepth, read as its decoder reads it."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sdepth_ros.compressed import compress_depth


def decode(fields: dict[str, Any]) -> NDArray[np.float32]:
    """Return depth by the steps of compressed_depth_image_transport's codec.cpp."""
    encoding, _, how = fields["format"].partition(";")
    assert (encoding, how.strip()) == ("32FC1", "compressedDepth png")
    data = bytes(fields["data"])
    kind, a, b = struct.unpack("<iff", data[:12])
    assert kind == 0  # inverse depth
    levels = cv2.imdecode(np.frombuffer(data[12:], np.uint8), cv2.IMREAD_UNCHANGED)
    assert levels.dtype == np.uint16
    with np.errstate(divide="ignore"):
        depth = np.float32(a) / (levels.astype(np.float32) - np.float32(b))
    depth[levels == 0] = np.nan
    return depth


def test_depth_comes_back_to_within_half_a_step() -> None:
    depth = np.geomspace(0.5, 80, 64 * 96, dtype=np.float32).reshape(64, 96)
    back = decode(compress_depth(depth))
    step = depth**2 / (0.5 * 65535)
    assert (np.abs(back - depth) <= 0.51 * step + 1e-5).all()
    assert step.max() < 0.2


def test_what_is_no_depth_comes_back_as_none_and_what_is_nearer_as_nearest() -> None:
    depth = np.array([[np.nan, np.inf, -np.inf, 0, -1, 0.2, 1e9]], np.float32)
    back = decode(compress_depth(depth))
    assert np.isnan(back[0, :5]).all()
    assert back[0, 5] == pytest.approx(0.5)
    assert back[0, 6] > 30_000


def test_a_smooth_depth_is_a_fraction_of_its_bytes() -> None:
    rows = np.linspace(0.02, 0.5, 192, dtype=np.float32)[:, None]
    depth = np.repeat(1 / rows, 640, 1)
    assert len(compress_depth(depth)["data"]) < depth.nbytes / 20
