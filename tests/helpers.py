"""Small real things for tests: a drive on disk, the names of nested values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def dotted(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted names of nested values, and the values."""
    for key, value in values.items():
        nested = isinstance(value, dict)
        yield from dotted(value, f"{prefix}{key}.") if nested else [(prefix + key, value)]


def write_drive(
    root: Path,
    frames: int = 4,
    size: tuple[int, int] = (32, 64),
    step_m: float = 0.5,
    name: str = "00",
) -> Path:
    """Return ``root`` with a drive in KITTI odometry's form: a textured wall coming nearer.

    The wall is 10 m ahead of the first camera, which moves ``step_m`` forward per frame, so each
    image shows the same texture, magnified; depth is exact.
    """
    height, width = size
    folder = root / "sequences" / name
    for part in ("image_2", "depth_2", "mask_2"):
        (folder / part).mkdir(parents=True)
    (root / "poses").mkdir(exist_ok=True)
    focal, cx, cy = 0.58 * width, (width - 1) / 2, (height - 1) / 2
    P = f"{focal} 0 {cx} 0 0 {focal} {cy} 0 0 0 1 0"
    (folder / "calib.txt").write_text("".join(f"P{i}: {P}\n" for i in range(4)))
    (folder / "times.txt").write_text("".join(f"{0.1 * i:.6f}\n" for i in range(frames)))
    noise = np.random.default_rng(int(name)).integers(0, 255, (height, width, 3), np.uint8)
    wall = cv2.GaussianBlur(cv2.resize(noise, (4 * width, 4 * height)), (0, 0), 4)
    wall = cv2.normalize(wall, None, 0, 255, cv2.NORM_MINMAX)
    poses = []
    for i in range(frames):
        z = 10 - i * step_m
        crop = cv2.getRectSubPix(
            wall,
            (round(4 * width * z / 12), round(4 * height * z / 12)),
            (2 * width - 0.5, 2 * height - 0.5),
        )
        image = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / "image_2" / f"{i:06d}.png"), image)
        depth = np.full((height, width), round(z * 256), np.uint16)
        cv2.imwrite(str(folder / "depth_2" / f"{i:06d}.png"), depth)
        cv2.imwrite(str(folder / "mask_2" / f"{i:06d}.png"), np.zeros((height, width), np.uint8))
        poses.append(f"1 0 0 0 0 1 0 0 0 0 1 {i * step_m}\n")
    (root / "poses" / f"{name}.txt").write_text("".join(poses))
    return root
