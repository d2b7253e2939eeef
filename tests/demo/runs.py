"""A small run as the nodes would leave it: a wall at the end of a road, in daylight then dark."""

from __future__ import annotations

import numpy as np

from bags.write import base_from_camera
from demo.run import DemoFrame, DemoRun
from sdepth.depth.cloud import xyzrgb_cloud
from sdepth.geometry.camera import Camera

CAMERA = Camera(40.0, 40.0, 31.5, 11.5, 64, 24)


def make_run(frames: int = 12, factor: float = 1.1, dropped: tuple[int, ...] = (5,)) -> DemoRun:
    """Return a run whose depth is ``factor`` times the truth and whose odometry is exact."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(frames):
        image = rng.integers(0, 256 if i < frames // 2 else 40, (24, 64, 3), np.uint8)
        truth = np.full((24, 64), 30.0 - i, np.float32)
        truth[12:] = np.linspace(25 - i, 4, 12, dtype=np.float32)[:, None]
        truth[:4] = 0  # sky
        depth = np.where(truth > 0, truth * np.float32(factor), np.float32(np.inf))
        T_odom_base = np.eye(4)
        T_odom_base[:2, 3] = i, 0.02 * i * i
        answer = {} if i in dropped else {
            "depth": depth,
            "fused": np.where(truth > 0, truth * np.float32(1.02), np.float32(np.inf)),
            "cloud": xyzrgb_cloud(depth, image, CAMERA, 2),
            "T_estimate": T_odom_base,
            "mode": "day" if i < 8 else "night",
        }  # fmt: skip
        light = 1.0 if i < frames // 2 else 0.0
        made.append(DemoFrame(i * 100_000_000, image, truth, light, T_odom_base, **answer))
    counters = {"frames in": str(frames), "frames out": str(frames - len(dropped)),
                "frames dropped": str(len(dropped)), "frames bad": "0",
                "latency p50 ms": "30.0", "latency p95 ms": "50.0"}  # fmt: skip
    both = {"depth": counters, "odometry": counters}
    return DemoRun(CAMERA, base_from_camera(1.5), tuple(made), both, {"day": "a7cc2261b4ad"})
