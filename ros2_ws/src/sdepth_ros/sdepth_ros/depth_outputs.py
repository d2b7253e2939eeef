"""Fields of messages of depth, made without ROS: bags use them, too."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdepth.depth.cloud import color_by_height, drop_above_road, within_height, xyzrgb_cloud
from sdepth.depth.colorize import colorize
from sdepth.depth.estimator import DepthMap
from sdepth.depth.validity import drop_edges, edge_window
from sdepth.scale.ground import find_ground
from sdepth_ros.conversions import cloud_fields, image_fields
from sdepth_ros.node_params import CloudParams, DepthOutputParams


def shown_depth(depth: NDArray[np.float32], limits: DepthOutputParams) -> NDArray[np.float32]:
    """Return depth (H, W), metres, with sky (+Inf) replaced as ``depth.sky`` says."""
    if limits.sky == "inf":
        return depth
    beyond = limits.max_m if limits.sky == "clip" else np.nan
    return np.where(depth == np.inf, np.float32(beyond), depth)


def depth_fields(depth: NDArray[np.float32], limits: DepthOutputParams) -> dict[str, Any]:
    """Return the fields of ``depth/image_rect``."""
    shown = shown_depth(depth, limits)
    pixels = shown if limits.encoding == "32FC1" else to_millimetres(shown)
    return image_fields(pixels, limits.encoding)


def to_millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return depth in whole millimetres, 0 where unknown or out of range (REP 118, 16UC1)."""
    known = (depth > 0) & (depth < 65.535)  # compares false with NaN and Inf
    return np.where(known, depth * np.float32(1000) + np.float32(0.5), 0).astype(np.uint16)


def color_fields(depth: NDArray[np.float32], limits: DepthOutputParams) -> dict[str, Any]:
    """Return the fields of ``depth/color``: the same distance is the same colour in all frames."""
    return image_fields(colorize(depth, far_m=max(limits.max_m, 2.1)), "bgr8")


def points_fields(
    valid: DepthMap, image: NDArray[np.uint8], limits: CloudParams
) -> dict[str, Any]:
    """Return the fields of ``points`` but their own: points of surfaces near by, without sky."""
    depth, camera = valid.depth, valid.camera
    solid = drop_edges(depth, limits.edge_filter, edge_window(camera))
    solid = np.where(solid > limits.max_m, np.float32(np.nan), solid)
    cloud = xyzrgb_cloud(solid, image, camera, limits.stride)
    road = find_ground(depth, camera)
    drop_above_road(cloud, road, limits.road_height_max)
    within_height(cloud, limits.height_min, limits.height_max)
    if limits.color == "height":
        color_by_height(cloud, road, limits.road_height_max)
    return cloud_fields(cloud)
