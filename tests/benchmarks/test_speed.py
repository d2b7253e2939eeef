"""What the speed benchmarks measure and compare."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnxruntime", reason="pip install onnxruntime")
pytest.importorskip("sensor_msgs", reason="needs ROS 2's messages")

from benchmarks import parallax
from benchmarks.depth import make_checkpoint
from benchmarks.engines import EAGER, LIMIT, network, operations
from benchmarks.messages import CAMERA, message, ours, pack_tuples, unprepared
from benchmarks.timing import measure
from sdepth.depth.estimator import DepthEstimator
from sdepth.geometry.camera import Camera
from sdepth_ros.node_params import CloudParams, DepthParams


def test_a_call_that_takes_longer_is_measured_as_longer() -> None:
    calls = {"short": lambda: time.sleep(0.001), "long": lambda: time.sleep(0.02)}
    found = measure(calls, 3)
    assert found["long"].median > 18 > found["short"].median
    assert found["long"].cpu < 0.5 * found["long"].median  # sleeping takes no processor time


def test_operations_are_two_per_multiplication() -> None:
    conv = torch.nn.Conv2d(4, 8, 3, padding=1)
    assert operations(conv, torch.zeros(1, 4, 10, 20)) == 2 * 4 * 8 * 9 * 10 * 20


@pytest.mark.usefixtures("engine_cache")
def test_every_way_through_the_network_is_timed(tmp_path: Path) -> None:
    gflop, found = network(make_checkpoint(tmp_path, "tiny", (64, 96)), runs=1)
    assert gflop > 0.01
    assert {EAGER, LIMIT, "torch, fp32", "onnxruntime, fp32"} <= found.keys()
    assert all(timing.median > 0 for timing in found.values())


def test_all_ways_to_the_messages_give_the_same_messages(tmp_path: Path) -> None:
    estimator = DepthEstimator(make_checkpoint(tmp_path, "tiny", (64, 96)), "cpu", "model")
    every = CloudParams(edge_filter=0.0, max_m=1e4, road_height_max=1e4)
    msg, params = message(), DepthParams(cloud=every)
    depth, info, cloud = ours(msg, estimator, params)
    seen = np.frombuffer(depth.data, np.float32).reshape(64, 96)
    for pack in (np.ndarray.tobytes, pack_tuples):
        others = unprepared(msg, seen, params.cloud.stride, pack)
        assert np.array_equal(np.frombuffer(others[0].data, np.float32), seen.ravel())
        assert np.allclose(others[1].k, info.k)
        points, expected = (
            np.frombuffer(c.data, np.float32).reshape(-1, 4)[:, :3] for c in (others[2], cloud)
        )
        assert np.allclose(points, expected, rtol=1e-4, equal_nan=True)
    assert (CAMERA.width, CAMERA.height) == (msg.width, msg.height)


def test_both_ways_to_compare_frames_find_the_wall() -> None:
    camera = Camera(93.0, 93.0, 79.5, 31.5, 160, 64)
    (before, _, T_before), (image, truth, T) = parallax.frames(2, camera)
    now, past = (x.mean(2, dtype=np.float32)[..., None].repeat(3, 2) / 64 for x in (image, before))
    said, T_past_now = np.float32(1.25) * truth, np.linalg.inv(T_before) @ T
    K = (camera.fx, camera.fy, camera.cx, camera.cy)
    compiled = parallax.ours(now, past, said, T_past_now, K)
    as_batch = [torch.from_numpy(x).permute(2, 0, 1)[None] for x in (now, past)]
    rest = torch.from_numpy(said)[None, None], torch.from_numpy(T_past_now).float()[None]
    plain = parallax.plain(*as_batch, *rest, torch.from_numpy(camera.K).float()[None])
    for log in (compiled[compiled != 0], plain.numpy()):
        assert np.median(log) == pytest.approx(-np.log(1.25), abs=0.12)
