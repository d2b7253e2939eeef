"""A bag through depth and odometry, as the nodes do it, without ROS."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from bags.recordings import Topics, read_bag, read_frames
from sdepth.checkpoint import bundled
from sdepth.depth.daynight import AUTO, DAY, NIGHT
from sdepth.depth.estimator import load_estimators
from sdepth.odometry.odometry import OdometryState
from sdepth.odometry.pipeline import AlignmentConfig, OdometryPipeline, load_odometry
from sdepth.pipeline import DepthConfig, DepthPipeline, Pipeline, rectified
from sdepth.threads import torch_threads
from sdepth_ros.conversions import to_q_xyzw
from training.data.crop_resize import CropResize
from training.data.drive import code_depth
from training.data.recording import RecordedFrame, Recording
from training.data.write import put_png

RESULT = "result.json"


@dataclass(frozen=True)
class ProcessConfig:
    """What a bag goes through.

    Attributes:
        topics: which images to take.
        mode: ``day``, ``night``, or ``auto`` by the images' brightness.
        checkpoints: by mode.
        device: ``cpu``, ``cuda:N`` or ``auto``.
        depth: keep the depth images, too.
        fused: keep them fused with the frames before.
        skip_broken: leave out images that cannot be decoded or whose stamps go back.
    """

    topics: Topics = field(default_factory=lambda: Topics(odometry="none"))
    mode: str = AUTO
    checkpoints: tuple[Path, Path] = (bundled(DAY), bundled(NIGHT))
    device: str = "cpu"
    depth: bool = False
    fused: bool = False
    skip_broken: bool = False


@dataclass(frozen=True)
class Result:
    """What came of a bag: images answered, by tracking and by mode, and the length of the path.

    ``notes`` are what was warned of: how much of a bag that was cut off was read, for example.
    """

    name: str
    frames: int
    ok: int
    night: int
    path_m: float
    notes: tuple[str, ...] = ()


def process_bag(bag: Path, out: Path, config: ProcessConfig) -> Result:
    """Return what came of a bag, written to ``out/NAME`` when it is done.

    There are ``trajectory.txt`` (stamp, position, quaternion: TUM's form), ``result.json``
    and perhaps ``depth/STAMP.png`` (metres x 256).

    Raises:
        DataError: the bag cannot be read, or has no images.
        CameraError: its camera_info is not that of a camera.
    """
    scratch = out / f".{bag.name}.part"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        # One thread: bags run side by side, and sums do not depend on how many do.
        with _warnings() as notes, torch_threads(1):
            (recording,) = read_bag(
                bag, config.topics, CropResize(), config.skip_broken, whole=True
            )
            result = _follow(recording, scratch, config)
        result = replace(result, notes=tuple(notes))
        (scratch / RESULT).write_text(json.dumps(asdict(result), indent=2) + "\n")
        scratch.replace(out / bag.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return result


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect what readers of bags warn of inside."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("sdepth_ros.bags.reader")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def _follow(recording: Recording, folder: Path, config: ProcessConfig) -> Result:
    """Return what came of a recording, whose trajectory and depth are written to ``folder``."""
    day, night = config.checkpoints
    alignment = AlignmentConfig()
    pipeline = Pipeline(
        DepthPipeline(load_estimators(day, night, config.device), DepthConfig(mode=config.mode)),
        OdometryPipeline(load_odometry(alignment, day, config.device), alignment),
    )
    nights, states, lines = 0, [], []
    for frame, raw, image in read_frames(recording, config.skip_broken):
        view = raw, rectified(image, recording.camera), frame.stamp_ns
        result = pipeline.process(*view, fuse=config.fused)
        nights += result.depth.mode == NIGHT
        states.append(result.odometry.state)
        lines.append(_tum_line(frame, states[-1]))
        if config.depth or config.fused:
            kept = result.fused or result.depth.depth
            (folder / "depth").mkdir(exist_ok=True)
            put_png(folder / "depth" / f"{frame.name}.png", code_depth(kept.depth))
    (folder / "trajectory.txt").write_text("".join(lines))
    steps = np.diff([state.T_world_cam[:3, 3] for state in states], axis=0)
    ok = sum(state.tracking == "ok" for state in states)
    path_m = float(np.linalg.norm(steps, axis=-1).sum())
    return Result(recording.name, len(states), ok, nights, path_m)


def _tum_line(frame: RecordedFrame, state: OdometryState) -> str:
    """Return a line of a trajectory in TUM's form."""
    seconds = f"{frame.stamp_ns // 10**9}.{frame.stamp_ns % 10**9:09d}"
    numbers = [*state.T_world_cam[:3, 3], *to_q_xyzw(state.T_world_cam[:3, :3])]
    return " ".join([seconds, *(f"{x:.9f}" for x in numbers)]) + "\n"
