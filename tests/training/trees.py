"""Tiny data sets, each in the form its makers publish it in."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

ROBOTCAR_MODEL = """983.044006 983.044006 643.646973 493.378998
0.000000 -0.000000 1.000000 0.000000
1.000000 0.000000 -0.000000 0.000000
0.000000 1.000000 0.000000 0.000000
0.000000 0.000000 0.000000 1.000000
"""


def pictures(count: int, size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Return smooth random images of (height, width), RGB."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
    return [np.asarray(cv2.resize(n, size[::-1], interpolation=cv2.INTER_CUBIC)) for n in noise]


def mosaic(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what a sensor behind a G B over R G pattern sees of an image."""
    raw = rgb[..., 1].copy()
    raw[0::2, 1::2] = rgb[0::2, 1::2, 2]
    raw[1::2, 0::2] = rgb[1::2, 0::2, 0]
    return raw


def write_robotcar(
    root: Path, images: list[NDArray[np.uint8]], model: str = ROBOTCAR_MODEL, bulge: float = 0.0
) -> tuple[Path, Path]:
    """Return a traversal at 16 Hz, 0.5 m ahead per frame, and its models; the LUT shifts by bulge.

    Every undistorted pixel (x, y) lies at (x + bulge, y) in the raw image.
    """
    traversal, models = root / "2014-12-16-18-44-24", root / "models"
    for folder in (traversal / "stereo/left", traversal / "vo", models):
        folder.mkdir(parents=True)
    stamps = [1418757162925551 + 62_500 * i for i in range(len(images))]
    for stamp, image in zip(stamps, images, strict=True):
        cv2.imwrite(str(traversal / f"stereo/left/{stamp}.png"), mosaic(image))
    (traversal / "stereo.timestamps").write_text("".join(f"{stamp} 1\n" for stamp in stamps))
    rows = [f"{b},{a},0.5,0,0,0,0,0" for a, b in pairwise(stamps)]
    head = "source_timestamp,destination_timestamp,x,y,z,roll,pitch,yaw"
    (traversal / "vo/vo.csv").write_text("\n".join([head, *rows]) + "\n")
    (models / "stereo_wide_left.txt").write_text(model)
    height, width = images[0].shape[:2]
    v, u = np.mgrid[:height, :width].astype(np.float64)
    np.stack([u + bulge, v]).tofile(models / "stereo_wide_left_distortion_lut.bin")
    return traversal, models


def write_nuscenes(root: Path, images: list[bytes], lens: dict, scenes: dict[str, str]) -> Path:
    """Return a nuScenes root: each scene has all images, 12 Hz, 0.5 m ahead of each other.

    Args:
        root: folder to write.
        images: JPEG files.
        lens: ``translation``, ``rotation`` (w, x, y, z) and ``camera_intrinsic`` of the camera,
            ``width``, ``height`` of its images.
        scenes: descriptions by name.
    """
    tables = root / "v1.0-mini"
    for folder in (tables, root / "samples/CAM_FRONT", root / "sweeps/CAM_FRONT"):
        folder.mkdir(parents=True)
    size = {"width": lens["width"], "height": lens["height"]}
    mounted = {key: lens[key] for key in ("translation", "rotation", "camera_intrinsic")}
    rows: dict[str, list[dict]] = {
        "sensor": [
            {"token": "s0", "channel": "CAM_FRONT"},
            {"token": "s1", "channel": "LIDAR_TOP"},
        ],
        "calibrated_sensor": [
            {"token": "c0", "sensor_token": "s0", **mounted},
            {"token": "c1", "sensor_token": "s1", **mounted, "camera_intrinsic": []},
        ],
        **{name: [] for name in ("scene", "sample", "sample_data", "ego_pose")},
    }
    for k, (name, description) in enumerate(scenes.items()):
        rows["scene"].append({"token": f"scene{k}", "name": name, "description": description})
        rows["sample"].append({"token": f"sample{k}", "scene_token": f"scene{k}"})
        for i in reversed(range(len(images))):  # tables are in no order of time
            stamp = 1532402927612460 + 1_000_000_000 * k + 83_333 * i
            folder, token = "sweeps" if i % 6 else "samples", f"{k}-{i}"
            shown = f"{folder}/CAM_FRONT/n015__CAM_FRONT__{stamp}.jpg"
            (root / shown).write_bytes(images[i])
            seen = {"sample_token": f"sample{k}", "ego_pose_token": token, "timestamp": stamp}
            for c, filename in (("c0", shown), ("c1", "samples/LIDAR_TOP/none.bin")):
                row = {**seen, "calibrated_sensor_token": c, "filename": filename, **size}
                rows["sample_data"].append(row)
            ahead = [411.3 + 0.5 * i, 1180.9, 0.0]
            ego = {"token": token, "translation": ahead, "rotation": [1.0, 0.0, 0.0, 0.0]}
            rows["ego_pose"].append(ego)
    for name, table in rows.items():
        (tables / f"{name}.json").write_text(json.dumps(table, indent=0))
    return root


def write_cityscapes(root: Path, runs: dict[str, range], size: tuple[int, int]) -> Path:
    """Return a Cityscapes root of train snippets: frame numbers by CITY_SSSSSS.

    As published, the camera is given for the 20th frame only (here: for the last).
    """
    height, width = size
    intrinsic = {"fx": 1.1 * width, "fy": 1.1 * width, "u0": width / 2, "v0": height / 2}
    for name, numbers in runs.items():
        city = name.split("_")[0]
        folders = [root / part / "train" / city for part in ("leftImg8bit_sequence", "camera")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        for number, image in zip(numbers, pictures(len(numbers), size), strict=True):
            cv2.imwrite(str(folders[0] / f"{name}_{number:06d}_leftImg8bit.png"), image)
        camera = {"extrinsic": {"baseline": 0.209313}, "intrinsic": intrinsic}
        path = folders[1] / f"{name}_{numbers[-1]:06d}_camera.json"
        path.write_text(json.dumps(camera))
    return root
