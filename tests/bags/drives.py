"""Tiny drives on disk, in KITTI odometry's form."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SIZE = 32, 24
STEP_M = 0.5


def write_drive(root: Path, frames: int = 4, grey: bool = False) -> Path:
    """Return the folder of a drive of random images that goes straight ahead at 5 m/s."""
    folder = root / "sequences" / "00"
    images = folder / ("image_0" if grey else "image_2")
    images.mkdir(parents=True)
    (root / "poses").mkdir()
    rng = np.random.default_rng(0)
    shape = (SIZE[1], SIZE[0]) if grey else (SIZE[1], SIZE[0], 3)
    for i in range(frames):
        cv2.imwrite(str(images / f"{i:06d}.png"), rng.integers(0, 256, shape, np.uint8))
    row = "20 0 15.5 0 0 20 11.5 0 0 0 1 0"
    (folder / "calib.txt").write_text(f"P0: {row}\nP2: {row}\n")
    (folder / "times.txt").write_text("".join(f"{i * 0.1:.6f}\n" for i in range(frames)))
    poses = (f"1 0 0 0 0 1 0 0 0 0 1 {i * STEP_M}\n" for i in range(frames))
    (root / "poses" / "00.txt").write_text("".join(poses))
    return folder


def first_image(folder: Path) -> Path:
    """Return the path of a drive's first colour image."""
    return folder / "image_2" / "000000.png"
