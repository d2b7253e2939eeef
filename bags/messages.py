"""The messages of our bags: arrays and transforms as rosbags' dataclasses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdepth.geometry.camera import Camera
from sdepth_ros.bags.reader import STORE
from sdepth_ros.conversions import CLOUD_FIELDS, camera_info_fields, image_fields, write_transform

CAMERA_FRAME, BASE_FRAME, ODOM_FRAME = "camera_optical", "base_link", "odom"
EXACT = np.zeros((6, 6))
"""The covariance of a true pose."""


def make(kind: str, **fields: Any) -> Any:
    """Return a message of ``package/Name``."""
    package, name = kind.split("/")
    return STORE.types[f"{package}/msg/{name}"](**fields)


def header(stamp_ns: int, frame_id: str) -> Any:
    """Return a Header."""
    stamp = make("builtin_interfaces/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return make("std_msgs/Header", stamp=stamp, frame_id=frame_id)


def image(pixels: NDArray[Any], encoding: str, stamp_ns: int) -> Any:
    """Return an Image of (H, W) or (H, W, 3) pixels."""
    return of_fields("sensor_msgs/Image", image_fields(pixels, encoding), stamp_ns)


def of_fields(kind: str, fields: dict[str, Any], stamp_ns: int) -> Any:
    """Return a message of the camera, made of fields as ``sdepth_ros.conversions`` gives them."""
    data = np.frombuffer(fields["data"], np.uint8)
    return make(kind, header=header(stamp_ns, CAMERA_FRAME), **(fields | {"data": data}))


def points(fields: dict[str, Any], stamp_ns: int) -> Any:
    """Return the PointCloud2 of ``cloud_fields``."""
    own = [make("sensor_msgs/PointField", **field) for field in CLOUD_FIELDS]
    return of_fields("sensor_msgs/PointCloud2", fields | {"fields": own}, stamp_ns)


def compressed_image(file: NDArray[np.uint8], kind: str, stamp_ns: int) -> Any:
    """Return a CompressedImage holding the bytes of an image file, ``png`` or ``jpeg``."""
    return make(
        "sensor_msgs/CompressedImage",
        header=header(stamp_ns, CAMERA_FRAME),
        format=kind,
        data=file,
    )


def camera_info(camera: Camera, stamp_ns: int) -> Any:
    """Return the CameraInfo of an undistorted image."""
    roi = make(
        "sensor_msgs/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
    )
    fields = camera_info_fields(camera)
    fields["d"] = np.array(fields["d"], np.float64)
    return make(
        "sensor_msgs/CameraInfo",
        header=header(stamp_ns, CAMERA_FRAME),
        binning_x=0,
        binning_y=0,
        roi=roi,
        **fields,
    )


def transforms(T_parent_child: NDArray[np.float64], stamp_ns: int, parent: str, child: str) -> Any:
    """Return the TFMessage parent -> child."""
    pose = make("geometry_msgs/Transform", translation=_vector(), rotation=_quaternion())
    write_transform(T_parent_child, pose.translation, pose.rotation)
    stamped = make(
        "geometry_msgs/TransformStamped",
        header=header(stamp_ns, parent),
        child_frame_id=child,
        transform=pose,
    )
    return make("tf2_msgs/TFMessage", transforms=[stamped])


def odometry(
    T_odom_base: NDArray[np.float64],
    twist_base: NDArray[np.float64],
    stamp_ns: int,
    child: str = BASE_FRAME,
    covariances: tuple[NDArray[np.float64], NDArray[np.float64]] = (EXACT, EXACT),
) -> Any:
    """Return an Odometry; ``twist_base`` (6,) is m/s and rad/s in the child.

    ``covariances`` (6, 6) are of the pose and of the twist.
    """
    origin = make("geometry_msgs/Point", x=0.0, y=0.0, z=0.0)
    pose = make("geometry_msgs/Pose", position=origin, orientation=_quaternion())
    write_transform(T_odom_base, pose.position, pose.orientation)
    twist = make(
        "geometry_msgs/Twist", linear=_vector(*twist_base[:3]), angular=_vector(*twist_base[3:])
    )
    of_pose, of_twist = (covariance.ravel() for covariance in covariances)
    return make(
        "nav_msgs/Odometry",
        header=header(stamp_ns, ODOM_FRAME),
        child_frame_id=child,
        pose=make("geometry_msgs/PoseWithCovariance", pose=pose, covariance=of_pose),
        twist=make("geometry_msgs/TwistWithCovariance", twist=twist, covariance=of_twist),
    )


def _vector(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Any:
    """Return a Vector3."""
    return make("geometry_msgs/Vector3", x=float(x), y=float(y), z=float(z))


def _quaternion() -> Any:
    """Return the Quaternion of no rotation."""
    return make("geometry_msgs/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)
