"""Run depth and odometry over a recording, without ROS, faster than it was recorded.

OUT becomes a rosbag2 (MCAP) with the topics the nodes publish, under the stamps of the images:
depth, its camera_info and picture, points, odometry, transforms, mode and scale; and the rectified
image as JPEG. Foxglove opens it, ros2 bag plays it.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bags import messages
from bags.cli import add_camera
from bags.messages import BASE_FRAME, CAMERA_FRAME, ODOM_FRAME, make
from bags.recordings import Topics, read_bag, read_frames
from bags.write import STATIC_TF, base_from_camera, check_apart, write_messages
from sdepth.cli import make_parser, positive, run
from sdepth.config import load_config
from sdepth.depth.estimator import DepthMap, load_estimators
from sdepth.errors import DataError
from sdepth.odometry.motion import Motion
from sdepth.odometry.pipeline import AlignmentConfig, OdometryPipeline, load_odometry
from sdepth.pipeline import DepthPipeline, DepthResult, FrameResult, Pipeline, rectified
from sdepth.scale.tracker import Scale
from sdepth_ros.bags.reader import is_bag
from sdepth_ros.depth_outputs import color_fields, depth_fields, points_fields
from sdepth_ros.node_params import DepthParams
from training.data.crop_resize import CropResize
from training.data.custom import read_folder, read_video
from training.data.open_drive import read_drive
from training.data.recording import Recording, recording

_EXAMPLES = """examples:
  python -m bags.run drives/monday out/monday                     a bag
  python -m bags.run KITTI/sequences/06 out/06 --camera-height 1.65
  python -m bags.run ride.mp4 out/ride --calib camera.yaml        a video
  python -m bags.run frames/ out/ride --calib camera.yaml --fps 15
  python -m bags.run drives/monday out/monday --fused             and fused depth and points
  python -m bags.run drives/monday out/monday --set cloud.stride=4 --set mode=night
                                                                  parameters of depth_node
"""


def make_arguments() -> ArgumentParser:
    """Return the parser."""
    parser = make_parser("bags.run", __doc__, _EXAMPLES)
    add = parser.add_argument
    add("input", type=Path, help="bag, drive (KITTI's form), video, or folder of images")
    add("out", type=Path, help="folder to write: metadata.yaml and an .mcap")
    add("--image", default="", metavar="TOPIC", help="of a bag; default: the only one of images")
    add_camera(parser)
    add("--fps", type=positive, default=10.0, help="of a folder without times.txt (%(default)s)")
    add("--camera-height", type=positive, metavar="M",
        help="of the camera above base_link; default: odometry of the camera itself")  # fmt: skip
    add("--set", action="append", default=[], metavar="KEY=VALUE",
        help="a parameter of depth_node; may be repeated")  # fmt: skip
    add("--fused", action="store_true",
        help="also depth and points fused with the frames before")  # fmt: skip
    add("--skip-broken", action="store_true", help="leave out images that are broken")
    add("--overwrite", action="store_true", help="replace the bag where it exists")
    return parser


def open_input(options: Namespace) -> Recording:
    """Return what is to be run over.

    Raises:
        DataError: it is none of what is known, or has no calibration.
        CameraError: the calibration is not that of a camera.
    """
    path, calib = options.input, options.calib
    if is_bag(path):
        topics = Topics(options.image, options.camera_info, "none", calib, options.stamps)
        return read_bag(path, topics, CropResize(), options.skip_broken, whole=True)[0]
    if path.is_file() or calib:
        if not calib:
            raise DataError(f"{path}: a video needs --calib, the .yaml of ROS' camera_calibration")
        if path.is_file():
            return read_video(path, Path(calib), 1, CropResize())
        return recording(read_folder(path, Path(calib), options.fps))
    return recording(read_drive(path))


def outputs(
    frames: Iterator[tuple[int, FrameResult]],
    params: DepthParams,
    T_base_cam: NDArray[np.float64] | None,
) -> Iterator[tuple[str, int, Any]]:
    """Yield topic, time and message of all that the nodes would publish.

    Args:
        frames: stamps, nanoseconds, and results, in order of time.
        params: of the depth node.
        T_base_cam: (4, 4), or None for odometry of the camera itself.
    """
    mode, child = "", BASE_FRAME if T_base_cam is not None else CAMERA_FRAME
    told: Scale | None = None
    for stamp, result in frames:
        seen = result.depth
        if result.odometry.first and T_base_cam is not None:
            mounting = messages.transforms(T_base_cam, stamp, BASE_FRAME, CAMERA_FRAME)
            yield STATIC_TF, stamp, mounting
        if seen.mode != mode:
            mode = seen.mode
            yield "/depth/mode", stamp, make("std_msgs/String", data=mode)
        if seen.scale.is_news(told):
            told = seen.scale
            yield "/depth/scale", stamp, make("std_msgs/Float64", data=told.announced)
        yield from _depth_outputs(seen, params, stamp)
        yield from _odometry_outputs(result.odometry.motion, child, stamp)
        if result.fused is not None:
            fused = replace(seen.depth, depth=result.fused.depth)
            yield from _shown(fused, fused.depth, seen.image, params, stamp, "/fused")


def _depth_outputs(
    seen: DepthResult, params: DepthParams, stamp: int
) -> Iterator[tuple[str, int, Any]]:
    """Yield what the depth node publishes of a frame."""
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(seen.image, cv2.COLOR_RGB2BGR))[1]
    yield "/image_rect/compressed", stamp, messages.compressed_image(jpeg, "jpeg", stamp)
    yield from _shown(seen.depth, seen.predicted, seen.image, params, stamp)


def _shown(
    seen: DepthMap,
    colored: NDArray[np.float32],
    image: NDArray[np.uint8],
    params: DepthParams,
    stamp: int,
    under: str = "",
) -> Iterator[tuple[str, int, Any]]:
    """Yield depth, its camera, its picture and its points; topics are ``under`` a name."""
    depth = depth_fields(seen.depth, params.depth)
    yield f"{under}/depth/image_rect", stamp, messages.of_fields("sensor_msgs/Image", depth, stamp)
    yield f"{under}/depth/camera_info", stamp, messages.camera_info(seen.camera, stamp)
    color = color_fields(colored, params.depth)
    yield f"{under}/depth/color", stamp, messages.of_fields("sensor_msgs/Image", color, stamp)
    if params.cloud.enable:
        points = points_fields(seen, image, params.cloud)
        yield f"{under}/points", stamp, messages.points(points, stamp)


def _odometry_outputs(motion: Motion, child: str, stamp: int) -> Iterator[tuple[str, int, Any]]:
    """Yield what the odometry node publishes of a frame."""
    twist = np.concatenate([motion.velocity, motion.angular_velocity])
    covariances = motion.pose_covariance, motion.twist_covariance
    yield "/odom", stamp, messages.odometry(motion.T_odom_base, twist, stamp, child, covariances)
    yield "/tf", stamp, messages.transforms(motion.T_odom_base, stamp, ODOM_FRAME, child)


def run_over(options: Namespace) -> None:
    """Write the bag that the options ask for, and say what is in it."""
    check_apart(options.input, options.out)
    params, alignment = load_config(DepthParams, None, options.set), AlignmentConfig()
    found, model = open_input(options), params.model
    estimators = load_estimators(
        model.day_path,
        model.night_path,
        model.device,
        params.depth.resolution,
        model.engine,
        model.precision,
    )
    day = Path(model.day_path) if model.day_path else None
    odometry = load_odometry(alignment, day, model.device, model.engine, model.precision)
    pipeline = Pipeline(DepthPipeline(estimators, params), OdometryPipeline(odometry, alignment))
    height = options.camera_height
    T_base_cam = None if height is None else base_from_camera(height)
    frames, camera = read_frames(found, options.skip_broken), found.camera
    shown = tqdm(frames, unit="frame", total=found.count, desc=found.name, mininterval=1)
    how = T_base_cam, options.fused
    results = (
        (t := frame.stamp_ns, pipeline.process(raw, rectified(image, camera), t, *how))
        for frame, raw, image in shown
    )
    timed = outputs(results, params, T_base_cam)
    counts = write_messages(timed, options.out, options.overwrite)
    for topic, count in sorted(counts.items()):
        print(f"{count:8d}  {topic}")
    print(f"wrote {options.out}; open its .mcap in Foxglove, or: ros2 bag play {options.out}")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = make_arguments().parse_args(args)
    return run("bags.run", lambda: run_over(options))


if __name__ == "__main__":
    sys.exit(main())
