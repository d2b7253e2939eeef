"""Real images with true depth, from parts of public data: what a network is watched on.

    DATA/kitti_raw/**/gt_depths_eigen*.npz    one LiDAR sweep each; DATE/DRIVE/image_02 beside
    DATA/kitti_odom/sequences/NN              image_0 and image_1, or image_2 and image_3
    DATA/stereo_samples/kitti_object          KITTI's object images with their sweeps
    DATA/nuscenes_sample                      one key-frame of six cameras, in mmdetection3d's form
    DATA/night_robotcar                       RobotCar by night; one frame has LiDAR's disparity

None is ever trained on. Stereo truth is matched once and kept in a cache.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import training.data.stereo
from sdepth.errors import DataError
from sdepth.files import atomic
from sdepth.geometry.camera import Camera
from training.data.drive import DEPTH_SCALE, read_camera, read_image
from training.data.export_truth import LidarCamera, export_stereo, nearest, project, read_sweep
from training.evaluate.baselines import KITTI_HEIGHT_M
from training.evaluate.examples import Depth, Example, read_examples
from training.evaluate.protocols import find
from training.evaluate.scoring import Protocol

CACHE = Path(__file__).parents[2] / "data" / "cache" / "real"
"""Not under version control, as all of data/."""
LIDAR = dataclasses.replace(
    Protocol(), id="lidar80", split="one key-frame", source="this repository"
)
NIGHT = dataclasses.replace(LIDAR, id="lidar50", cap_m=50.0)
NIGHT_CAMERA = Camera(983.044, 983.044, 643.647, 493.379, 1280, 820)
"""The left of RobotCar's wide pair, rectified, the lowest 140 rows of the image cut off."""
_NIGHT_BASELINE_M, _NIGHT_HEIGHT_M = 0.239983, 1.34
"""The height is that of the road in the frame's own LiDAR truth."""
_LIDAR_NUMBERS = 5


@dataclass(frozen=True)
class RealSet:
    """Images with truth.

    Attributes:
        name: short, for tables.
        truth: where it comes from.
        protocol: they are scored by.
        examples: all of them, in memory.
        may_choose: among checkpoints; the other sets are only to report.
    """

    name: str
    truth: str
    protocol: Protocol
    examples: tuple[Example, ...]
    may_choose: bool = False


def load_sets(
    data: Path, stride: int = 3, cache: Path = CACHE
) -> tuple[list[RealSet], dict[str, str]]:
    """Return the sets that are there, and why others are not, by name.

    Args:
        data: folder of the data, as the module says.
        stride: take every n-th pair of a stereo sequence.
        cache: folder for matched stereo truth.

    Raises:
        DataError: data that is there is damaged.
    """
    found, missing = [], {}
    for name, (place, load) in LOADERS.items():
        if not (data / place).is_dir():
            missing[name] = f"no {data / place}"
            continue
        loaded = load(data / place, stride, cache)
        found += loaded
        if not loaded:
            missing[name] = f"nothing with truth in {data / place}"
    return found, missing


def _eigen(root: Path, stride: int, cache: Path) -> list[RealSet]:
    """Return the images of Eigen's test list that there is truth for."""
    examples: list[Example] = []
    for truth in sorted(root.glob("**/gt_depths_eigen*.npz")):
        examples += read_examples(root, truth, 1)
    return _kitti("kitti-eigen", "LiDAR", find("kitti-eigen"), examples)


def _odometry(root: Path, stride: int, cache: Path) -> list[RealSet]:
    """Return a set for each stereo sequence; 06 may choose."""
    found = []
    for folder in sorted(root.glob("sequences/*")):
        if (folder / "image_1").is_dir() or (folder / "image_3").is_dir():
            truth = _matched(folder, stride, cache)
            examples = list(read_examples(folder, truth, 1))
            name = f"KITTI {folder.name}"
            (made,) = _kitti(name, "stereo", find("kitti-stereo"), examples)
            found.append(dataclasses.replace(made, may_choose=folder.name == "06"))
    return found


def _matched(folder: Path, stride: int, cache: Path) -> Path:
    """Return the stereo truth of a sequence, made at most once per version of the matching."""
    key = hashlib.sha256(Path(training.data.stereo.__file__).read_bytes())
    for path in sorted(folder.glob("image_[0-3]/*")):
        key.update(f"{path.resolve()} {path.stat().st_size}\n".encode())
    path = cache / f"{folder.name}-{stride}-{key.hexdigest()[:16]}.npz"
    if not path.is_file():
        with atomic(path) as partial:
            export_stereo(folder, partial, None, training.data.stereo.DISPARITIES, stride)
    return path


def _objects(root: Path, stride: int, cache: Path) -> list[RealSet]:
    """Return KITTI's single object images."""
    examples = []
    for image in sorted((root / "kitti_object" / "image_2").glob("*.png")):
        calib = image.parents[1] / "calib" / f"{image.stem}.txt"
        camera, _ = read_camera(calib, "P2", image)
        rows = dict(line.split(":") for line in calib.read_text().splitlines() if line.strip())
        P, R, T = (
            np.array(rows[name].split(), float) for name in ("P2", "R0_rect", "Tr_velo_to_cam")
        )
        R_rect, T_cam_lidar = np.eye(4), np.eye(4)
        R_rect[:3, :3], T_cam_lidar[:3] = R.reshape(3, 3), T.reshape(3, 4)
        seen_by = LidarCamera(
            P.reshape(3, 4) @ R_rect @ T_cam_lidar, (camera.height, camera.width)
        )
        sweep = read_sweep(image.parents[1] / "velodyne" / f"{image.stem}.bin")
        examples.append(Example(read_image(image), camera, project(sweep, seen_by)))
    return _kitti(
        "KITTI object", "LiDAR", dataclasses.replace(find("kitti-eigen"), images=0), examples
    )


def _kitti(name: str, truth: str, protocol: Protocol, examples: list[Example]) -> list[RealSet]:
    """Return the set, whose cameras are as high as KITTI's, or none without examples."""
    high = tuple(dataclasses.replace(e, camera_height_m=KITTI_HEIGHT_M) for e in examples)
    return [RealSet(name, truth, protocol, high)] if high else []


def _nuscenes(root: Path, stride: int, cache: Path) -> list[RealSet]:
    """Return the key-frame's front camera, and the five others."""
    sets = []
    for info in sorted(root.glob("*.pkl")):
        frame = _read_plain(info)["data_list"][0]
        sweep = root / frame["lidar_points"]["lidar_path"]
        points = np.fromfile(sweep, np.float32).reshape(-1, _LIDAR_NUMBERS)[:, :3]
        seen = {name: _key_frame(root, points, row) for name, row in frame["images"].items()}
        front = (seen.pop("CAM_FRONT"),)
        sets.append(RealSet("nuScenes front", "LiDAR", LIDAR, front))
        sets.append(RealSet("nuScenes around", "LiDAR", LIDAR, tuple(seen.values())))
    return sets


def _key_frame(root: Path, points: NDArray[np.float32], row: dict[str, Any]) -> Example:
    """Return one camera's image with the depth of LiDAR points (N, 3)."""
    image = read_image(root / row["img_path"])
    camera = Camera.from_matrix(np.array(row["cam2img"]), *image.shape[1::-1])
    T_cam_lidar = np.array(row["lidar2cam"])
    p_cam = points @ T_cam_lidar[:3, :3].T + T_cam_lidar[:3, 3]
    p_cam = p_cam[p_cam[:, 2] > 1]  # nearer is the car itself
    uv = np.rint(p_cam[:, :2] / p_cam[:, 2:] * [camera.fx, camera.fy] + [camera.cx, camera.cy])
    depth = nearest(uv, p_cam[:, 2], image.shape[:2])
    return Example(image, camera, depth, float(row["cam2ego"][2][3]))


class _Nothing:
    """Stands for whatever a pickle asks for, and does nothing."""

    def __init__(self, *args: object) -> None:
        """Take anything."""

    def __setstate__(self, state: object) -> None:
        """Take anything."""


class _Plain(pickle.Unpickler):
    """Reads lists, dictionaries, text and numbers; nothing that the file names is ever called."""

    def find_class(self, module: str, name: str) -> type[_Nothing]:
        """Return what does nothing."""
        return _Nothing


def _read_plain(path: Path) -> dict[str, Any]:
    """Return the plain part of mmdetection3d's info file."""
    with path.open("rb") as file:
        found: dict[str, Any] = _Plain(file).load()
    return found


def _robotcar(root: Path, stride: int, cache: Path) -> list[RealSet]:
    """Return the frame by night that has truth."""
    examples = []
    for truth in sorted((root / "stereo" / "disp_GT").glob("*.png")):
        image = read_image(root / "left_sequence" / truth.name)
        examples.append(Example(image, NIGHT_CAMERA, read_night_truth(truth), _NIGHT_HEIGHT_M))
    return [RealSet("RobotCar night", "LiDAR", NIGHT, tuple(examples))] if examples else []


def read_night_truth(path: Path) -> Depth:
    """Return depth (820, 1280), metres, 0 where unknown, of a disparity PNG (pixels x 256).

    Raises:
        DataError: no such image.
    """
    coded = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if coded is None:
        raise DataError(f"{path}: no image; expected the night sample's stereo/disp_GT")
    disparity = coded.astype(np.float32) / DEPTH_SCALE
    depth = NIGHT_CAMERA.fx * _NIGHT_BASELINE_M / np.maximum(disparity, 1e-3)
    return np.where(disparity > 0, depth, 0).astype(np.float32)


Loader = Callable[[Path, int, Path], list[RealSet]]
LOADERS: dict[str, tuple[str, Loader]] = {
    "kitti-eigen": ("kitti_raw", _eigen),
    "KITTI odometry": ("kitti_odom", _odometry),
    "KITTI object": ("stereo_samples", _objects),
    "nuScenes": ("nuscenes_sample", _nuscenes),
    "RobotCar night": ("night_robotcar", _robotcar),
}
