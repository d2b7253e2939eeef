"""Arrays as what a page can hold: image data URIs, error colours, packed point clouds."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.run import DemoFrame, DemoRun
from sdepth.depth.cloud import xyzrgb_cloud
from sdepth.depth.colorize import colorize
from training.evaluate.web_page import data_uri, error_colours

NEAR_M = 2.0
"""Near end of the colours."""
CLOUD_STEP, CLOUD_POINTS, CLOUD_FAR_M = 10, 14000, 45.0
"""Every so many-th frame has a cloud of at most so many points, none farther than that."""


@dataclass(frozen=True)
class FramePictures:
    """What the report shows of a frame, (H, W, 3) uint8 BGR each."""

    image: NDArray[np.uint8]
    depth: NDArray[np.uint8]
    fused: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    error: NDArray[np.uint8]


def frame_pictures(frame: DemoFrame, max_m: float) -> FramePictures:
    """Return the pictures of a frame; grey where the node gave no answer."""
    truth = np.where(frame.truth > 0, frame.truth, np.inf).astype(np.float32)
    blank = np.full_like(frame.image, 40)
    depth, fused = (
        blank if said is None else colorize(said, NEAR_M, max_m)
        for said in (frame.depth, frame.fused)
    )
    error = blank if frame.fused is None else error_colours(frame.truth, frame.fused, max_m)
    image = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
    return FramePictures(image, depth, fused, colorize(truth, NEAR_M, max_m), error)


def colour_bar(max_m: float) -> str:
    """Return the bar of the depth colours, near to far, as a data URI."""
    metres = np.geomspace(NEAR_M, max_m, 512).astype(np.float32)
    return data_uri(np.repeat(colorize(metres[None], NEAR_M, max_m), 12, 0), 95)


def packed_clouds(run: DemoRun, max_m: float) -> list[dict[str, Any]]:
    """Return the clouds the page draws: the nodes' and the true one, in the base frame.

    Points are centimetres as little-endian int16 triples, colours uint8 triples, both base64.
    """
    clouds = []
    for index in range(0, len(run.frames), CLOUD_STEP):
        frame = run.frames[index]
        known = np.where(frame.truth > 0, frame.truth, np.nan).astype(np.float32)
        true = xyzrgb_cloud(known, frame.image, run.camera, 2)
        parts = {"frame": index, "truth": _pack(true, run.T_base_cam, max_m)}
        if frame.cloud is not None:
            parts["node"] = _pack(frame.cloud, run.T_base_cam, max_m)
        clouds.append(parts)
    return clouds


def _pack(
    cloud: NDArray[np.float32], T_base_cam: NDArray[np.float64], max_m: float
) -> dict[str, str]:
    """Return a thinned cloud, in the base frame, as text."""
    points, rgb = near_points(cloud, T_base_cam, max_m)
    step = max(1, -(-len(points) // CLOUD_POINTS))
    order = np.random.default_rng(0).permutation(len(points))[::step]  # no rows to be seen
    centimetres = np.round(points[order] * 100).astype("<i2")
    return {
        "xyz": base64.b64encode(centimetres.tobytes()).decode(),
        "rgb": base64.b64encode(rgb[order].tobytes()).decode(),
    }


def near_points(
    cloud: NDArray[np.float32], T_base_cam: NDArray[np.float64], max_m: float
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return points (N, 3) in the base frame, metres, and colours (N, 3) RGB, of what is near."""
    flat = np.ascontiguousarray(cloud.reshape(-1, 4))
    flat = flat[flat[:, 2] < min(CLOUD_FAR_M, max_m)]  # NaN compares false
    points = flat[:, :3] @ T_base_cam[:3, :3].T + T_base_cam[:3, 3]
    return points, np.ascontiguousarray(flat.view(np.uint8)[:, [14, 13, 12]])
