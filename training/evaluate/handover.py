r"""What going from one network to the other does to depth and path, with a hand-over or none.

python -m training.synth data/synth/dusk --domain dusk --sequences 4 --frames 60 --size 320x96 \
    --seed 3000
python -m training.evaluate handover data/synth/dusk --json handover.json

Each drive goes from day to night, then the same frames backwards, from night to day; modes are
chosen as the depth node does. A step is the largest move from a frame to the next among those
that a hand-over spans: of depth, by how much its scale against the truth moves; of the path, by
how much the error of the distance driven in a frame does. Both move without a change of mode, too:
the last line is of the same frames where the first mode stays.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sdepth.alignment.refiner import fixed_refiner
from sdepth.checkpoint import bundled
from sdepth.depth.daynight import DAY, NIGHT, DayNightConfig, ModeSelector, mean_luminance
from sdepth.depth.estimator import DepthEstimator
from sdepth.depth.handover import Handover
from sdepth.errors import DataError
from sdepth.files import write_json
from sdepth.markdown import table
from sdepth.odometry.odometry import Odometry
from training.data.drive import Drive, read_depth
from training.data.open_drive import find_drives, read_drive
from training.evaluate.drive_motion import true_poses

PERIOD_NS = 100_000_000
SPAN = DayNightConfig().crossfade_frames + 1
STAYS = "no change of mode"
WAYS = {"hand-over": DayNightConfig(), "none": DayNightConfig(crossfade_frames=0), STAYS: None}


@dataclass(frozen=True)
class Row:
    """One drive, one way: the largest steps at changes of mode, and the changes."""

    depth_step_percent: float
    path_step_cm: float
    changes: int


@dataclass(frozen=True)
class Followed:
    """Per frame of a drive: mode, log of depth's scale against the truth, metres driven since."""

    modes: list[str]
    log_scales: NDArray[np.float64]
    driven: NDArray[np.float64]


def follow(
    drive: Drive, estimators: dict[str, DepthEstimator], config: DayNightConfig | None
) -> Followed:
    """Return what the nodes make of a drive; without ``config``, the first mode stays.

    Raises:
        DataError: a frame without true depth.
    """
    selector = ModeSelector(config)
    handover = Handover(estimators, selector.config)
    odometry = Odometry(bundled(DAY), refiner=fixed_refiner())
    modes: list[str] = []
    scales, path = [], [np.zeros(3)]
    for i, frame in enumerate(drive.frames):
        if frame.depth is None:
            raise DataError(f"{frame.image}: no depth_2/ beside it")
        image, truth, stamp = drive.read(frame), read_depth(frame.depth), i * PERIOD_NS
        chosen = selector.update(mean_luminance(image), stamp)
        modes.append(chosen if config or not modes else modes[0])
        depth = handover.predict(image, drive.camera, modes[-1], stamp).depth
        known = (truth > 0) & (truth < 80)
        scales.append(float(np.median(np.log(depth[known] / truth[known]))))
        path.append(odometry.update(image, depth, drive.camera, stamp).T_world_cam[:3, 3])
    return Followed(modes, np.array(scales), np.linalg.norm(np.diff(path, axis=0), axis=1))


def judge(found: Followed, true_driven: NDArray[np.float64], changes: list[int]) -> Row:
    """Return the steps of a drive at frames where the mode changes."""

    def step(values: NDArray[np.float64]) -> float:
        """Return the largest move from frame to frame."""
        moves = np.abs(np.diff(values))
        return max((float(moves[i - 1 : i - 1 + SPAN].max()) for i in changes), default=0.0)

    return Row(100 * step(found.log_scales), 100 * step(found.driven - true_driven), len(changes))


def judge_all(drive: Drive, estimators: dict[str, DepthEstimator]) -> dict[str, Row]:
    """Return the steps of a drive, per way."""
    found = {way: follow(drive, estimators, config) for way, config in WAYS.items()}
    modes = found["none"].modes
    changes = [i for i in range(1, len(modes)) if modes[i] != modes[i - 1]]
    places = true_poses(drive)[:, :3, 3]
    driven = np.linalg.norm(np.diff(places, axis=0, prepend=places[:1]), axis=1)
    return {way: judge(one, driven, changes) for way, one in found.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("drives", type=Path, help="of training.synth --domain dusk")
    parser.add_argument("--day", type=Path, default=bundled(DAY), help="checkpoint")
    parser.add_argument("--night", type=Path, default=bundled(NIGHT), help="checkpoint")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")


def score(o: argparse.Namespace) -> None:
    """Print the table, and write the numbers where asked."""
    estimators = {DAY: DepthEstimator(o.day), NIGHT: DepthEstimator(o.night)}
    found: dict[str, list[Row]] = {way: [] for way in WAYS}
    for folder in tqdm(find_drives(o.drives), unit="drive", mininterval=1):
        drive = read_drive(folder)
        for there in (drive, replace(drive, frames=drive.frames[::-1])):
            for way, row in judge_all(there, estimators).items():
                found[way].append(row)
    cells = []
    for way, rows in found.items():
        values = [[*asdict(row).values()] for row in rows if row.changes]
        if not values:
            raise DataError(f"{o.drives}: no change of mode; render --domain dusk")
        worst, middle = np.max(values, axis=0), np.median(values, axis=0)
        steps = (f"{middle[k]:.1f} (worst {worst[k]:.1f})" for k in (0, 1))
        cells.append([way, sum(r.changes for r in rows), *steps])
    print(table(["way", "changes", "depth step, %", "path step, cm"], cells))
    if o.json:
        ways = {way: [asdict(row) for row in rows] for way, rows in found.items()}
        write_json(o.json, {"data": str(o.drives), "ways": ways})
