"""Time all that depth_node does beside the network: an image message in, depth and points out.

python -m benchmarks.messages --threads 2 --json messages.json

A message of 1242x375 bgr8 becomes depth, camera_info and a cloud at the network's size, with the
node's defaults, by the calls the node makes; publishing is left out. Beside it the same in plain
NumPy (meshgrid, stack) and as one first writes it for rclpy (a tuple per point, as lists of points
are given to sensor_msgs_py), and the light network in the engine ``auto`` picks. All take turns.
"""

from __future__ import annotations

import struct
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from benchmarks.depth import make_checkpoint
from benchmarks.table import show
from benchmarks.timing import Timing, measure, run_tables
from sdepth.checkpoint import read_card
from sdepth.depth.daynight import mean_luminance
from sdepth.depth.estimator import DepthEstimator, DepthMap
from sdepth.depth.validity import valid_depth
from sdepth.engines import Source, choose
from sdepth.engines.golden import golden_frame
from sdepth.geometry.camera import Camera
from sdepth_ros.conversions import (
    CLOUD_FIELDS,
    camera_info_fields,
    image_fields,
    to_rgb,
)
from sdepth_ros.depth_outputs import points_fields
from sdepth_ros.node_params import DepthParams

CAMERA = Camera(721.5, 721.5, 609.6, 172.9, 1242, 375)
OURS, PLAIN, NAIVE, NETWORK = "depth_node", "plain NumPy", "a tuple per point", "light network"
Outputs = tuple[Image, CameraInfo, PointCloud2]


def message() -> Image:
    """Return the image message."""
    pixels = golden_frame((CAMERA.height, CAMERA.width))
    return Image(header=Header(frame_id="camera"), **image_fields(pixels, "bgr8"))


def ours(msg: Image, estimator: DepthEstimator, params: DepthParams) -> Outputs:
    """Return what the node publishes, by the node's calls."""
    image = to_rgb(msg)
    mean_luminance(image)
    seen = estimator.predict(image, CAMERA)
    clean = valid_depth(seen.depth, params.depth)
    points = points_fields(DepthMap(clean, seen.camera), image, params.cloud)
    fields = [PointField(**item) for item in CLOUD_FIELDS]
    return (
        Image(header=msg.header, **image_fields(clean, "32FC1")),
        CameraInfo(header=msg.header, **camera_info_fields(seen.camera)),
        PointCloud2(header=msg.header, fields=fields, **points),
    )


def unprepared(
    msg: Image, depth: np.ndarray, stride: int, pack: Callable[[np.ndarray], bytes]
) -> Outputs:
    """Return the same without care: arrays made anew for each image, ``pack`` makes the bytes."""
    bgr = np.array(msg.data, np.uint8).reshape(msg.height, msg.width, 3)
    height, width = depth.shape
    small = cv2.resize(bgr[..., ::-1].copy(), (width, height), interpolation=cv2.INTER_AREA)
    camera = CAMERA.resized(width, height)
    depth = np.where(depth > 80, np.inf, np.where(depth < 0.1, -np.inf, depth))
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    z = np.where(np.isfinite(depth), depth, np.nan)
    rgb = small.astype(np.uint32)
    colour = (rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]).view(np.float32)
    x, y = (u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z
    points = np.stack([x, y, z, colour], -1).astype(np.float32)[::stride, ::stride]
    out = Image(header=msg.header, height=height, width=width, encoding="32FC1", step=4 * width)
    out.data = depth.astype(np.float32).tobytes()
    fields = [PointField(**item) for item in CLOUD_FIELDS]
    cloud = PointCloud2(header=msg.header, fields=fields, point_step=16)
    cloud.height, cloud.width = points.shape[:2]
    cloud.data = pack(points)
    return out, CameraInfo(header=msg.header, **camera_info_fields(camera)), cloud


def pack_tuples(points: np.ndarray) -> bytes:
    """Return the bytes of points, packed one by one."""
    pack = struct.Struct("<4f").pack
    return b"".join(pack(*point) for point in map(tuple, points.reshape(-1, 4)))


def timings(checkpoint: Path, runs: int) -> tuple[str, dict[str, Timing]]:
    """Return which engine ran the network, and what each way takes."""
    params, card = DepthParams(), read_card(checkpoint)
    network, why = choose(Source(checkpoint, card, torch.device("cpu")))
    frame = golden_frame(card.input_size)
    depth = network.infer(frame, 1.0)
    estimator = DepthEstimator(checkpoint, "cpu", resolution="model")
    # The network takes no time here.
    estimator._engine = SimpleNamespace(infer=lambda *_: depth.copy())  # type: ignore[assignment]
    msg, stride = message(), params.cloud.stride
    calls: dict[str, Callable[[], object]] = {
        OURS: partial(ours, msg, estimator, params),
        PLAIN: partial(unprepared, msg, depth, stride, np.ndarray.tobytes),
        NAIVE: partial(unprepared, msg, depth, stride, pack_tuples),
        NETWORK: partial(network.infer, frame, 1.0),
    }
    return why, measure(calls, runs)


def tables(size: tuple[int, int], runs: int) -> dict[str, Any]:
    """Print and return the table."""
    with tempfile.TemporaryDirectory() as folder:
        why, found = timings(make_checkpoint(Path(folder), "light", size), runs)
    title = f"1242x375 bgr8 in, depth and points of {size[1]}x{size[0]} out; network: {why}"
    over = {base: [OURS] for base in (PLAIN, NAIVE, NETWORK)}
    return {"node": show(title, found, over)}


def main(args: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    return run_tables("messages", __doc__, tables, args)


if __name__ == "__main__":
    sys.exit(main())
