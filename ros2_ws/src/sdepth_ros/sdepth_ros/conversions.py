"""Messages to arrays and back, nothing else: the one image codec of the nodes.

Nothing here imports ROS. Decoders take any object with the message's fields (rclpy's, rosbags'),
encoders return the fields: ``Image(header=header, **image_fields(depth, "32FC1"))``.
"""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from transforms3d.quaternions import mat2quat, quat2mat

from sdepth.errors import DataError, ImageError
from sdepth.geometry.camera import Camera
from sdepth.geometry.rectify import Lens
from sdepth.pixels import BitDepth
from sdepth_ros.compressed import decompress


class Encoding(NamedTuple):
    """Bytes of a pixel, and OpenCV's way from it to RGB (None: it is RGB, or not a picture)."""

    dtype: str
    channels: int
    to_rgb: int | None = None


# OpenCV names a Bayer pattern after its second row's second pixel on, ROS after the first.
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}
_PIXELS = {
    "rgb": (3, None),
    "bgr": (3, cv2.COLOR_BGR2RGB),
    "rgba": (4, cv2.COLOR_RGBA2RGB),
    "bgra": (4, cv2.COLOR_BGRA2RGB),
    "mono": (1, cv2.COLOR_GRAY2RGB),
    **{f"bayer_{pattern}": (1, code) for pattern, code in _BAYER.items()},
}
COLOUR_ENCODINGS = {  # those that cv_bridge knows as colours: it is not needed
    **{f"{name}8": Encoding("u1", *layout) for name, layout in _PIXELS.items()},
    **{f"{name}16": Encoding("u2", *layout) for name, layout in _PIXELS.items()},
    "yuv422": Encoding("u1", 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": Encoding("u1", 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": Encoding("u1", 2, cv2.COLOR_YUV2RGB_YUYV),
    "yuyv": Encoding("u1", 2, cv2.COLOR_YUV2RGB_YUYV),
}
DEPTH_ENCODINGS = {"32FC1": Encoding("f4", 1), "16UC1": Encoding("u2", 1)}
_SHORTEST = 1e-3  # length of a quaternion that somebody has set
CLOUD_FIELDS = tuple(
    {"name": name, "offset": offset, "datatype": 7, "count": 1}  # 7: PointField.FLOAT32
    for name, offset in (("x", 0), ("y", 4), ("z", 8), ("rgb", 12))
)


def plain(frame: str) -> str:
    """Return a frame's name as tf2 has it: without the leading slash of ROS 1."""
    return frame.lstrip("/")


def stamp_ns(header: Any) -> int:
    """Return the stamp of a header, nanoseconds."""
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def to_rgb(msg: Any, depth: BitDepth | None = None) -> NDArray[np.uint8]:
    """Return an Image or a CompressedImage as (H, W, 3) uint8 RGB.

    Args:
        msg: the message.
        depth: what 16-bit images hold; without, by the brightest pixel of this one.

    Raises:
        ImageError: an unknown encoding, or data that is too short or cannot be decoded.
    """
    if hasattr(msg, "format"):
        name = msg.format
        pixels, layout = decompress(msg)
        way = _PIXELS[layout][1]
    else:
        name, encoding = msg.encoding, _encoding(msg, COLOUR_ENCODINGS)
        pixels, way = _pixels(msg, encoding), encoding.to_rgb
    if pixels.dtype != np.uint8:
        pixels = (depth or BitDepth()).to_eight(pixels)
    if way is None:
        return np.ascontiguousarray(pixels)
    try:
        return np.asarray(cv2.cvtColor(pixels, way), np.uint8)
    except cv2.error as err:  # such as an odd width in a format that stores pixels in pairs
        height, width = pixels.shape[:2]
        raise ImageError(f"{name} image of {width}x{height}: {_first_line(err)}") from err


def to_depth(msg: Any) -> NDArray[np.float32]:
    """Return a depth Image (32FC1 metres, 16UC1 millimetres) as (H, W) float32 metres.

    Zero in 16UC1 means invalid (REP 118) and becomes NaN.

    Raises:
        ImageError: another encoding, or data that is too short.
    """
    encoding = _encoding(msg, DEPTH_ENCODINGS)
    pixels = _pixels(msg, encoding)
    if encoding.dtype == "u2":
        return np.where(pixels == 0, np.float32(np.nan), pixels * np.float32(1e-3))
    return pixels


def image_fields(pixels: NDArray[Any], encoding: str) -> dict[str, Any]:
    """Return the fields of an Image, without header, holding (H, W) or (H, W, C) pixels.

    The data is an ``array.array``, the one type every rclpy assigns without a loop in Python.
    """
    pixels = np.ascontiguousarray(pixels)
    return {
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "encoding": encoding,
        "is_bigendian": int(pixels.dtype.byteorder == ">"),
        "step": pixels.strides[0],
        "data": _bytes_array(pixels),
    }


def cloud_fields(cloud: NDArray[np.float32]) -> dict[str, Any]:
    """Return the fields of a PointCloud2, without header and fields, of an (h, w, 4) xyzrgb cloud.

    Its ``fields`` are ``[PointField(**f) for f in CLOUD_FIELDS]``.
    """
    height, width = cloud.shape[:2]
    return {
        "height": height,
        "width": width,
        "is_bigendian": False,
        "point_step": 16,
        "row_step": 16 * width,
        "data": _bytes_array(np.ascontiguousarray(cloud)),
        "is_dense": False,
    }


def to_lens(info: Any, name: str = "camera_info") -> Lens:
    """Return what a CameraInfo says of the camera; ``name``: what errors call it.

    Raises:
        CameraError: numbers that no calibration writes.
    """
    roi = info.roi
    window = (int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height))
    k, d, r, p = (tuple(map(float, values)) for values in (info.k, info.d, info.r, info.p))
    return Lens(
        name,
        (int(info.width), int(info.height)),
        info.distortion_model,
        k,
        d,
        r,
        p,
        window,
        bool(roi.do_rectify),
        (int(info.binning_x), int(info.binning_y)),
    )


def camera_info_fields(camera: Camera) -> dict[str, Any]:
    """Return the fields of a CameraInfo, without header, of an undistorted image."""
    return {
        "height": camera.height,
        "width": camera.width,
        "distortion_model": "plumb_bob",
        "d": [0.0] * 5,
        "k": camera.K.ravel(),
        "r": np.eye(3).ravel(),
        "p": np.hstack([camera.K, np.zeros((3, 1))]).ravel(),
    }


def write_transform(T: NDArray[np.float64], translation: Any, rotation: Any) -> None:
    """Write T (4, 4) into a Vector3 or Point, metres, and a Quaternion (x, y, z, w)."""
    translation.x, translation.y, translation.z = (float(value) for value in T[:3, 3])
    rotation.x, rotation.y, rotation.z, rotation.w = (float(q) for q in to_q_xyzw(T[:3, :3]))


def read_transform(translation: Any, rotation: Any) -> NDArray[np.float64]:
    """Return T (4, 4) of a Vector3 or Point, metres, and a Quaternion (x, y, z, w).

    Raises:
        DataError: numbers that are not finite, or a quaternion of zeros, which nobody has set.
    """
    q = np.array([rotation.x, rotation.y, rotation.z, rotation.w])
    T = np.eye(4)
    T[:3, 3] = translation.x, translation.y, translation.z
    if not (np.isfinite(T).all() and np.linalg.norm(q) > _SHORTEST and np.isfinite(q).all()):
        raise DataError(
            f"transform of translation {T[:3, 3].tolist()}, quaternion {q.tolist()}: expected "
            "finite numbers and a rotation (0 0 0 1 for none)"
        )
    T[:3, :3] = from_q_xyzw(q)
    return T


def to_q_xyzw(R: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unit quaternion (x, y, z, w), w >= 0, nearest to a rotation matrix (3, 3)."""
    return np.roll(mat2quat(R), -1)


def from_q_xyzw(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation matrix (3, 3) of a quaternion (x, y, z, w) of any length but 0."""
    return np.asarray(quat2mat(np.roll(q, 1)))


def _encoding(msg: Any, known: dict[str, Encoding]) -> Encoding:
    """Return how the message's pixels are laid out."""
    if msg.encoding not in known:
        raise ImageError(
            f"image encoding {msg.encoding!r}: expected one of {', '.join(known)}; "
            "set the camera driver to one of these"
        )
    return known[msg.encoding]


def _pixels(msg: Any, encoding: Encoding) -> NDArray[Any]:
    """Return a view (H, W) or (H, W, C) of the data, rows without their padding."""
    dtype = np.dtype(encoding.dtype).newbyteorder(">" if msg.is_bigendian else "<")
    height, width, step = int(msg.height), int(msg.width), int(msg.step)
    row = width * encoding.channels * dtype.itemsize
    data = np.frombuffer(msg.data, np.uint8)
    if min(height, width) < 1:
        raise ImageError(
            f"{msg.encoding} image of {width}x{height}: no pixels; the driver sends empty images"
        )
    if step < row or data.size < height * step:
        raise ImageError(
            f"{msg.encoding} image of {width}x{height}: got step {step} and {data.size} bytes, "
            f"expected step >= {row} and step x height bytes; the message is truncated or the "
            "driver fills it wrongly"
        )
    rows = data[: height * step].reshape(height, step)[:, :row]
    pixels = np.ascontiguousarray(rows).view(dtype) if step != row else rows.view(dtype)
    pixels = pixels.astype(dtype.newbyteorder("="), copy=False)
    return pixels.reshape(height, width, encoding.channels) if encoding.channels > 1 else pixels


def _bytes_array(values: NDArray[Any]) -> array[int]:
    """Return a copy of a contiguous array's bytes."""
    data = array("B")
    data.frombytes(values.data.cast("B"))
    return data


def _first_line(err: Exception) -> str:
    """Return an error's first line."""
    return str(err).strip().splitlines()[0]
