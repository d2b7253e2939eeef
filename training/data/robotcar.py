"""Oxford RobotCar's stereo camera, as it is downloaded: raw Bayer images, distorted.

    ROOT/stereo.timestamps                      microseconds and chunk, a line per image
    ROOT/stereo/left/1418757162925551.png       from ..._stereo_left_NN.tar, a chunk each
    ROOT/vo/vo.csv                              from ..._vo.tar: poses, where it is there
    MODELS/stereo_wide_left.txt, stereo_wide_left_distortion_lut.bin      from the SDK's models/

Source: Maddern et al. 2017; tables and poses are read as the data set's SDK does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sdepth.errors import DataError
from sdepth.geometry.camera import Camera
from training.data.check import lens_of
from training.data.drive import Drive, Frame, read_image
from training.data.poses import Pose, from_first, poses_at

MODELS = {
    "stereo/left": "stereo_wide_left",
    "stereo/centre": "stereo_narrow_left",
    "stereo/right": "stereo_wide_right",
}
"""Camera models by the folder of their images."""
CROP = "1152x640+64+160"
"""RNW's centre crop, which leaves the bonnet out; of 1280x960."""
_MAX_GAP_S = 0.2


def find(root: Path) -> list[Path]:
    """Return the traversals under ``root``: itself, or its folders.

    Raises:
        DataError: there is none.
    """
    found = sorted(p.parent for pattern in ("", "*/") for p in root.glob(f"{pattern}*.timestamps"))
    found = [p for p in dict.fromkeys(found) if (p / "stereo.timestamps").is_file()]
    if not found:
        raise DataError(
            f"{root}: no stereo.timestamps here or one folder down; expected a traversal such as "
            "2014-12-16-18-44-24/ with stereo.timestamps and stereo/left/*.png; it comes in "
            "every ..._stereo_left_NN.tar"
        )
    return found


def read(root: Path, models: Path, camera: str = "stereo/left") -> Drive:
    """Return the traversal in ``root``, of images demosaiced and undistorted as they are read.

    Every image that stereo.timestamps names is a frame, also where its file is missing.

    Args:
        root: folder of the traversal.
        models: the SDK's folder of camera models.
        camera: one of ``MODELS``.

    Raises:
        DataError: images, times, poses or tables missing or damaged.
        CameraError: the model is not that of a camera.
    """
    if camera not in MODELS:
        raise DataError(f"camera {camera!r}: expected one of {', '.join(MODELS)}")
    stamps_us = _read_times(root / "stereo.timestamps")
    images = [root / camera / f"{stamp}.png" for stamp in stamps_us]
    first = next((image for image in images if image.is_file()), None)
    if first is None:
        archive = camera.replace("/", "_")
        raise DataError(
            f"{root / camera}: none of {len(images)} images; expected {images[0].name}, ... from "
            f"{root.name}_{archive}_NN.tar"
        )
    height, width = read_image(first).shape[:2]
    lens, G_vehicle_cam = _read_model(models / f"{MODELS[camera]}.txt", width, height)
    table = _read_table(models / f"{MODELS[camera]}_distortion_lut.bin", width, height)
    stamps_ns = [1000 * stamp for stamp in stamps_us]
    poses = _read_vo(root / "vo" / "vo.csv", stamps_ns, G_vehicle_cam)
    frames = tuple(map(Frame, images, stamps_ns, poses))
    return Drive(root.name, lens, frames, rectify=_rectifier(table, first))


def _rectifier(
    table: NDArray[np.float32], where: Path
) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Return what makes a rectified image of a raw one (H, W, 3) of equal channels."""

    def rectify(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if raw.shape[:2] != table.shape[1:]:
            raise DataError(
                f"{where.parent}: image of {raw.shape[1]}x{raw.shape[0]}, expected "
                f"{table.shape[2]}x{table.shape[1]} as the others"
            )
        # OpenCV names a pattern after its second row's second pixel on: this is G B over R G.
        rgb = cv2.cvtColor(np.ascontiguousarray(raw[..., 0]), cv2.COLOR_BayerGR2RGB)
        return np.asarray(cv2.remap(rgb, table[0], table[1], cv2.INTER_LINEAR), np.uint8)

    return rectify


def _read_times(path: Path) -> list[int]:
    """Return the stamps, microseconds."""
    try:
        return [int(line.split()[0]) for line in path.read_text().splitlines() if line.strip()]
    except FileNotFoundError as err:
        raise DataError(f"{path}: missing; expected the folder of one traversal") from err
    except ValueError as err:
        raise DataError(f"{path}: expected lines of 'MICROSECONDS CHUNK' ({err})") from err


def _read_model(path: Path, width: int, height: int) -> tuple[Camera, Pose]:
    """Return the camera after undistortion, and T_vehicle_cam (4, 4)."""
    try:
        fx, fy, cx, cy, *rest = (float(x) for x in path.read_text().split())
        G = np.array(rest).reshape(4, 4)
    except FileNotFoundError as err:
        raise DataError(
            f"{path}: missing; give --models the models/ folder of robotcar-dataset-sdk"
        ) from err
    except ValueError as err:
        raise DataError(f"{path}: expected fx fy cx cy and a 4x4 matrix ({err})") from err
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return lens_of(K, (width, height), path), G


def _read_table(path: Path, width: int, height: int) -> NDArray[np.float32]:
    """Return the raw pixel (2, H, W), x and y, of every undistorted one."""
    if not path.is_file():
        raise DataError(
            f"{path}: missing; it is in models/ of robotcar-dataset-sdk, beside the .txt"
        )
    table = np.fromfile(path, np.float64)
    if table.size != 2 * width * height:
        raise DataError(
            f"{path}: {table.size} numbers, expected {2 * width * height} for images of "
            f"{width}x{height}; copy it again from the SDK"
        )
    return table.reshape(2, height, width).astype(np.float32)


def _read_vo(path: Path, stamps_ns: list[int], T_vehicle_cam: Pose) -> list[Pose | None]:
    """Return T_world_cam at the stamps, None where unknown: visual odometry, chained."""
    if not path.is_file():
        return [None] * len(stamps_ns)
    try:
        rows = np.loadtxt(path, np.float64, delimiter=",", skiprows=1, ndmin=2).reshape(-1, 8)
    except ValueError as err:
        raise DataError(f"{path}: expected a header and rows of 8 numbers ({err})") from err
    times_us = np.concatenate([rows[:1, 1], rows[:, 0]]).astype(np.int64)
    if (back := np.flatnonzero(np.diff(times_us) <= 0)).size or not np.isfinite(rows).all():
        line = back[0] + 2 if back.size else "some"
        raise DataError(f"{path}: line {line}: times must increase, all numbers be finite")
    moves = np.tile(np.eye(4), (len(rows), 1, 1))
    moves[:, :3, :3] = Rotation.from_euler("xyz", rows[:, 5:8]).as_matrix()
    moves[:, :3, 3] = rows[:, 2:5]
    T_world_vehicle = [np.eye(4)]
    for T_before_now in moves:
        T_world_vehicle.append(T_world_vehicle[-1] @ T_before_now)
    T_world_cam = np.linalg.inv(T_vehicle_cam) @ np.stack(T_world_vehicle) @ T_vehicle_cam
    return from_first(poses_at(stamps_ns, (1000 * times_us).tolist(), T_world_cam, _MAX_GAP_S))
