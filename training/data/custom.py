"""One's own recordings: a folder of images, or a video file, with a ROS calibration file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from sdepth.errors import DataError
from sdepth.geometry.calibration import read_calibration
from sdepth.stamp_order import fault
from training.data.check import check_size, rectification
from training.data.crop_resize import CropResize, cut_after
from training.data.drive import Drive, Frame, image_files
from training.data.kitti_odometry import read_times
from training.data.recording import RecordedFrame, Recording

_SLACK = 3
"""So many periods after its last frame a video may end."""


def read_folder(root: Path, calib: Path, fps: float) -> Drive:
    """Return the images in a folder, in natural order of their names, rectified.

    Args:
        root: folder of .png, .jpg or .ppm files, and perhaps times.txt: seconds, one per image.
        calib: of the camera, as ROS' camera_calibration writes it.
        fps: images per second where there is no times.txt.

    Raises:
        DataError: no images, or times or calibration damaged.
        CameraError: the calibration is not that of a camera.
    """
    images = image_files(root)
    if not images:
        raise DataError(f"{root}: no images; expected a folder of .png, .jpg or .ppm files")
    times = root / "times.txt"
    if times.is_file():
        stamps = read_times(times, len(images))
    else:
        stamps = [round(i * 1e9 / fps) for i in range(len(images))]
    camera, rectify = rectification(read_calibration(calib))
    return Drive(root.name, camera, tuple(map(Frame, images, stamps)), rectify=rectify)


def read_video(path: Path, calib: Path, every: int, crop: CropResize) -> Recording:
    """Return a video file as a recording, rectified, cut and resized as it is decoded.

    Args:
        path: anything OpenCV decodes.
        calib: of the camera, as ROS' camera_calibration writes it.
        every: take every so many frames.
        crop: what to cut the rectified images to.

    Raises:
        DataError: no video, or the calibration damaged; once read, that it ends early.
        CameraError: the calibration is not that of a camera.
    """
    camera, rectify = rectification(read_calibration(calib))
    video = cv2.VideoCapture(str(path))
    fps, count = video.get(cv2.CAP_PROP_FPS), int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    if not video.isOpened() or fps <= 0 or count < 3:
        raise DataError(f"{path}: not a video that OpenCV reads; convert it to .mp4 (H.264)")

    def frames() -> Iterator[RecordedFrame]:
        video = cv2.VideoCapture(str(path))
        number, stamp_ns = 0, -1
        while (decoded := video.read())[0]:
            # Phones film at no steady rate, so times are those of the file.
            before_ns, stamp_ns = stamp_ns, round(video.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
            if said := fault(stamp_ns, before_ns):
                raise DataError(f"{path}: frame {number}: {said}; convert it with ffmpeg -i")
            if number % every == 0:
                rgb = np.asarray(cv2.cvtColor(decoded[1], cv2.COLOR_BGR2RGB), np.uint8)
                check_size(rgb, camera, str(path))
                yield RecordedFrame(f"{number:06d}", stamp_ns, rgb.copy)
            number += 1
        end_s, period_s = stamp_ns * 1e-9, stamp_ns * 1e-9 / max(1, number - 1)
        if end_s + _SLACK * period_s < count / fps:
            raise DataError(
                f"{path}: ends after {end_s:.1f} of {count / fps:.1f} s; copy it again, or cut "
                "the whole part out with ffmpeg -i"
            )

    rectify = cut_after(rectify, crop, camera, path.stem)
    return Recording(path.stem, crop.camera(camera), -(-count // every), frames, None, rectify)
