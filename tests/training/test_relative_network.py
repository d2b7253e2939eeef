"""A network that knows inverse depth only up to scale and shift: the road gives metres back.

Its images bear their own exact inverse depth in the bytes of their colours, which it decodes.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from sdepth.alignment.refiner import fixed_refiner
from sdepth.depth.daynight import DAY
from sdepth.depth.estimator import DepthEstimator
from sdepth.errors import ConfigError
from sdepth.odometry.odometry import Odometry
from sdepth.odometry.pipeline import AlignmentConfig, OdometryPipeline
from sdepth.pipeline import DepthConfig, DepthPipeline, pinhole
from sdepth.scale.tracker import ScaleConfig
from tests import networks
from training.data.drive import Drive, Frame, read_depth
from training.data.open_drive import read_drive
from training.synth.config import DatasetConfig
from training.synth.generate import generate
from training.weights.import_network import import_network

DRIVES, FRAMES, KNOWN_AFTER = 12, 12, 6
GAIN, SHIFT = 7.0, -2.5
WIDTH, HEIGHT = 320, 96
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> list[Drive]:
    out = tmp_path_factory.mktemp("synth") / "day"
    generate(out, DatasetConfig("day", DRIVES, FRAMES, WIDTH, HEIGHT, 77, supersample=1))
    return [read_drive(out / "sequences" / f"{i:02d}") for i in range(DRIVES)]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a network whose output is GAIN * inverse depth + SHIFT."""
    folder = tmp_path_factory.mktemp("network")
    weights = np.float32([1, 1 / 256, 1 / 65536]).reshape(1, 3, 1, 1) / 256
    nodes = [
        helper.make_node("Cast", ["pixels"], ["bytes"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["bytes", "weights"], ["inverse"]),
        helper.make_node("Mul", ["inverse", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["out"]),
    ]
    values = {"weights": weights, "gain": np.float32([GAIN]), "shift": np.float32([SHIFT])}
    kind, shape = TensorProto.UINT8, (1, 3, HEIGHT, WIDTH)
    net = networks.write(folder / "toy.onnx", nodes, shape, values=values, kind=kind)
    import_network(net, folder / "day.onnx", {"output": "affine", "licence": "none"})
    return folder / "day.onnx"


def coded(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the image (H, W, 3) that bears inverse depth, 0 in the sky."""
    inverse = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 1.01)
    whole = (inverse * (1 << 24)).astype(np.uint32)
    return np.stack([whole >> 16, whole >> 8 & 255, whole & 255], -1).astype(np.uint8)


def exact(frame: Frame) -> NDArray[np.float32]:
    assert frame.depth is not None
    return read_depth(frame.depth)


def pipeline(network: Path, **scale: object) -> DepthPipeline:
    estimators = {DAY: DepthEstimator(network, "cpu", engine="onnxruntime")}
    return DepthPipeline(estimators, DepthConfig(DAY, scale=ScaleConfig(**scale)))  # type: ignore[arg-type]


def of_road(drive: Drive, shift: str) -> dict[str, object]:
    """Return what a user would set for a drive's camera."""
    meta = json.loads((drive.frames[0].image.parents[1] / "meta.json").read_text())
    return {
        "source": "camera_height",
        "camera_height_m": meta["camera_height_m"],
        "shift": shift,
        "camera_pitch_deg": -meta["pitch_deg"],
    }


@pytest.mark.parametrize("shift", ["sky", "road"])
def test_camera_height_gives_metres(drives: list[Drive], network: Path, shift: str) -> None:
    errors, known_scales = [], 0
    for drive in drives:
        depth_of = pipeline(network, **of_road(drive, shift))
        for frame in drive.frames:
            result = depth_of.process(coded(exact(frame)), pinhole(drive.camera), frame.stamp_ns)
        truth, seen = exact(drive.frames[-1]), result.predicted
        known = (truth > 1.5) & (truth < 80)
        errors.append(float(np.median(np.abs(seen[known] / truth[known] - 1))))
        known_scales += result.scale.metric
        found = depth_of.shift(DAY)
        assert found is not None
        assert found.value == pytest.approx(-SHIFT, abs=0.02 * GAIN)  # 0.02 1/m
        assert found.sigma < 0.01 * GAIN
    assert np.median(errors) < 0.05
    assert known_scales >= 10  # two cameras see no road: they look up, or are tele lenses


def test_odometry_goes_as_far_as_with_exact_depth(drives: list[Drive], network: Path) -> None:
    ratios = []
    for drive in drives:
        depth_of = pipeline(network, **of_road(drive, "sky"))
        lengths = [0.0, 0.0]
        followers = [
            OdometryPipeline(Odometry(refiner=fixed_refiner()), AlignmentConfig()) for _ in lengths
        ]
        for i, frame in enumerate(drive.frames):
            truth = exact(frame)
            toy = depth_of.process(coded(truth), pinhole(drive.camera), frame.stamp_ns).depth.depth
            if i < KNOWN_AFTER:
                continue
            depths = np.where(truth > 0, truth, np.float32(np.inf)), toy
            for n, (follow, depth) in enumerate(zip(followers, depths, strict=True)):
                image, camera = drive.read(frame), drive.camera
                state = follow.process(image, camera, depth, frame.stamp_ns).state
                lengths[n] = float(np.linalg.norm(state.T_world_cam[:3, 3]))
        ratios.append(lengths[1] / lengths[0])
    assert np.median(np.abs(np.array(ratios) - 1)) < 0.03


def test_without_a_source_of_metres_it_is_refused(network: Path) -> None:
    with pytest.raises(ConfigError, match=r"not metric; set scale\.source to camera_height"):
        pipeline(network)
