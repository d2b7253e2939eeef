"""Messages without ROS: rosbags' dataclasses, as a bag's reader gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_typestore

TYPES = get_typestore(Stores.ROS2_HUMBLE).types
Time = TYPES["builtin_interfaces/msg/Time"]
Header = TYPES["std_msgs/msg/Header"]
RawImage = TYPES["sensor_msgs/msg/Image"]
CompressedImage = TYPES["sensor_msgs/msg/CompressedImage"]
CameraInfo = TYPES["sensor_msgs/msg/CameraInfo"]
RegionOfInterest = TYPES["sensor_msgs/msg/RegionOfInterest"]
Vector3 = TYPES["geometry_msgs/msg/Vector3"]
Quaternion = TYPES["geometry_msgs/msg/Quaternion"]

HEADER = Header(stamp=Time(sec=12, nanosec=34), frame_id="camera_optical")


def image(pixels: NDArray[Any], encoding: str, **changes: Any) -> Any:
    """Return an Image of (H, W[, C]) pixels; ``changes`` replace its fields."""
    pixels = np.ascontiguousarray(pixels)
    fields = {
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "encoding": encoding,
        "is_bigendian": 0,
        "step": pixels.strides[0],
        "data": pixels.reshape(-1).view(np.uint8),
    }
    return RawImage(header=HEADER, **(fields | changes))


def camera_info(K: NDArray[np.float64], width: int, height: int, **changes: Any) -> Any:
    """Return a CameraInfo without distortion; ``changes`` replace its fields."""
    fields = {
        "height": height,
        "width": width,
        "distortion_model": "plumb_bob",
        "d": np.zeros(5),
        "k": np.asarray(K, np.float64).ravel(),
        "r": np.eye(3).ravel(),
        "p": np.zeros(12),
        "binning_x": 0,
        "binning_y": 0,
        "roi": RegionOfInterest(0, 0, 0, 0, False),
    }
    return CameraInfo(header=HEADER, **(fields | changes))
