"""Image to depth in metres, by whichever source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sdepth.checkpoint import bundled
from sdepth.depth.daynight import DAY, NIGHT
from sdepth.depth.estimator import DepthEstimator
from sdepth.errors import ConfigError
from sdepth.pipeline import DepthConfig, DepthPipeline, DepthResult, pinhole
from sdepth.scale.ground import find_ground
from sdepth.scale.tracker import ScaleConfig
from training.data.drive import Drive
from training.data.open_drive import find_drives, read_drive
from training.synth.config import DatasetConfig
from training.synth.generate import generate


@pytest.fixture(scope="module")
def estimators() -> dict[str, DepthEstimator]:
    """The networks that ship."""
    return {mode: DepthEstimator(bundled(mode), "cpu") for mode in (DAY, NIGHT)}


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Drive:
    """A drive along a rendered street."""
    out = tmp_path_factory.mktemp("drives") / "d"
    generate(out, DatasetConfig("day", 1, 12, 320, 96, seed=1002))
    return read_drive(find_drives(out)[0])


def follow(
    drive: Drive, estimators: dict[str, DepthEstimator], config: ScaleConfig, start_ns: int = 0
) -> tuple[DepthPipeline, DepthResult]:
    """Return a pipeline that has seen the drive, and what it saw last."""
    pipeline = DepthPipeline(estimators, DepthConfig(mode=DAY, scale=config))
    for frame in drive.frames:
        stamp = start_ns + frame.stamp_ns
        seen = pipeline.process(drive.read(frame), pinhole(drive.camera), stamp)
    return pipeline, seen


def test_camera_height_makes_the_road_lie_that_low(
    estimators: dict[str, DepthEstimator], drive: Drive
) -> None:
    _, plain = follow(drive, estimators, ScaleConfig())
    _, seen = follow(drive, estimators, ScaleConfig("camera_height", camera_height_m=4.0))

    ground = find_ground(seen.predicted, drive.camera)
    assert ground is not None
    assert ground.height == pytest.approx(4.0, rel=0.1)
    assert (plain.scale.source, seen.scale.source) == ("model", "camera_height")
    assert seen.scale.factor > 1.5  # the network by itself saw a camera of usual height
    assert seen.predicted == pytest.approx(seen.scale.factor * plain.predicted, rel=1e-5)


def test_stamps_that_go_back_forget_the_scale(
    estimators: dict[str, DepthEstimator], drive: Drive
) -> None:
    config = ScaleConfig("camera_height", camera_height_m=4.0)
    pipeline, _ = follow(drive, estimators, config, start_ns=10**10)
    image = drive.read(drive.frames[0])

    assert pipeline.process(image, pinhole(drive.camera), 0).scale.source == "model"


def test_networks_without_metres_are_refused_as_their_source(drive: Drive) -> None:
    night = DepthEstimator(bundled(NIGHT), "cpu")
    night.card = replace(night.card, metric=False)
    estimators = {DAY: DepthEstimator(bundled(DAY), "cpu"), NIGHT: night}
    with pytest.raises(ConfigError, match=r"the night weights are not metric; set scale\.source"):
        DepthPipeline(estimators, DepthConfig())

    _, seen = follow(drive, estimators, ScaleConfig("unknown"))
    assert not seen.scale.metric


def test_a_late_image_forgets_nothing(estimators: dict[str, DepthEstimator], drive: Drive) -> None:
    config = ScaleConfig("camera_height", camera_height_m=4.0)
    pipeline, before = follow(drive, estimators, config, start_ns=10**10)
    late = drive.frames[-3]
    stamp = 10**10 + late.stamp_ns
    image = drive.read(late)

    seen = pipeline.process(image, pinhole(drive.camera), stamp)
    assert (seen.mode, pipeline.selector.mode) == (DAY, DAY)
    assert seen.scale.factor == pytest.approx(before.scale.factor, rel=0.01)
