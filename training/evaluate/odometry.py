"""Errors of trajectories by KITTI's definitions."""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdepth.cli import not_negative, positive
from sdepth.errors import DataError
from sdepth.files import write_json
from sdepth.markdown import table
from sdepth.metrics.trajectory import (
    KITTI_LENGTHS_M,
    Poses,
    TrajectoryErrors,
    aligned,
    kitti_segments,
    trajectory_errors,
)
from training.evaluate.protocols import OdometryProtocol, record
from training.evaluate.trajectories import associate, read_trajectory

COLUMNS = {
    "t_err_percent": "t_err, %",
    "r_err_deg_per_100m": "r_err, deg / 100 m",
    "ate_m": "ATE, m",
    "rpe_m": "RPE, m",
    "rpe_deg": "RPE, deg",
    "scale": "scale",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("--truth", type=Path, required=True, help="KITTI or TUM form, or a folder")
    parser.add_argument("--estimate", type=Path, required=True, help="the same, by the same names")
    parser.add_argument("--align", choices=["none", "scale", "6dof", "7dof"], default="7dof")
    parser.add_argument(
        "--lengths", type=positive, nargs="+", metavar="M", default=KITTI_LENGTHS_M,
        help="of the sub-paths drift is taken on (default: 100 to 800 m)",
    )  # fmt: skip
    parser.add_argument(
        "--max-gap",
        type=not_negative,
        default=0.01,
        help="seconds between stamps of one pose (TUM form)",
    )
    parser.add_argument("--plot", type=Path, help="write a PNG: path from above, drift by length")
    parser.add_argument("--json", type=Path, help="write the numbers here too")


@dataclass(frozen=True)
class Compared:
    """A trajectory beside its truth, as compared.

    Attributes:
        errors: of it.
        truth: (N, 3) positions, metres, of the poses that were estimated.
        estimate: (N, 3) positions after alignment.
        segments: (S, 3), as ``kitti_segments`` returns them.
    """

    errors: TrajectoryErrors
    truth: NDArray[np.float64]
    estimate: NDArray[np.float64]
    segments: NDArray[np.float64]


def compare_poses(
    truth: Poses, estimate: Poses, rows: NDArray[np.int64], protocol: OdometryProtocol
) -> Compared:
    """Return the comparison of poses (N, 4, 4) with rows of truth (M, 4, 4)."""
    errors = trajectory_errors(truth, estimate, protocol.alignment, rows, protocol.lengths_m)
    truth, estimate, _ = aligned(truth, estimate, protocol.alignment, rows)
    segments = kitti_segments(truth, estimate, rows, protocol.lengths_m)
    return Compared(errors, truth[rows, :3, 3], estimate[:, :3, 3], segments)


def pairs_of(truth: Path, estimate: Path) -> list[tuple[str, Path, Path]]:
    """Return name, truth and estimate of two files, or of the files of two folders.

    Raises:
        DataError: a folder beside a file, or an estimate without truth.
    """
    if truth.is_dir() != estimate.is_dir():
        raise DataError(f"{truth}, {estimate}: one is a folder, one is not; give two of a kind")
    if not truth.is_dir():
        return [(estimate.stem, truth, estimate)]
    files = sorted(estimate.glob("[!.]*.txt"))
    missing = [file.name for file in files if not (truth / file.name).is_file()]
    if missing or not files:
        raise DataError(f"{truth}: no truth for {missing or '*.txt'} of {estimate}")
    return [(file.stem, truth / file.name, file) for file in files]


def errors_table(rows: dict[str, TrajectoryErrors]) -> str:
    """Return the rows as Markdown."""
    lines = []
    for name, row in rows.items():
        cells = (getattr(row, column) for column in COLUMNS)
        lines.append([name, *("" if c != c else f"{c:.3f}" for c in cells)])
    return table(["trajectory", *COLUMNS.values()], lines)


def plot(path: Path, found: dict[str, Compared]) -> None:
    """Write a PNG: each path in the plane of its two longest extents, and drift by length."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5 * len(found)), layout="constrained")
    axes = figure.subplots(len(found), 2, squeeze=False)
    for (name, one), (above, drift) in zip(found.items(), axes, strict=True):
        first, second = sorted(np.argsort(np.ptp(one.truth, axis=0))[1:])
        above.plot(one.truth[:, first], one.truth[:, second], "k", label="truth")
        above.plot(one.estimate[:, first], one.estimate[:, second], label="estimate")
        above.set(xlabel=f"{'xyz'[first]}, m", ylabel=f"{'xyz'[second]}, m", title=name)
        above.set_aspect("equal", "datalim")
        above.legend()
        lengths = np.unique(one.segments[:, 0])
        means = [one.segments[one.segments[:, 0] == length, 1].mean() for length in lengths]
        drift.plot(lengths, means, "o-")
        drift.set(xlabel="length of sub-path, m", ylabel="t_err, %", ylim=(0, None))
    try:
        figure.savefig(path, dpi=100)
    except ValueError as err:
        raise DataError(f"{path}: {err}; expected a name ending in .png") from err


def score(o: argparse.Namespace) -> None:
    """Print the protocol and the table, and write the files asked for."""
    protocol = OdometryProtocol(alignment=o.align, lengths_m=tuple(o.lengths))
    found, poses = {}, {}
    for name, truth, estimate in pairs_of(o.truth, o.estimate):
        files = read_trajectory(truth), read_trajectory(estimate)
        try:
            found[name] = compare_poses(*associate(*files, o.max_gap), protocol)
        except DataError as err:
            raise DataError(f"{estimate}: {err}") from err
        poses[name] = (len(found[name].estimate), len(files[1].T), len(files[0].T))
    print(f"{protocol.describe()}\nsource: {protocol.source}")
    for name, (matched, estimated, true) in poses.items():
        print(f"{name}: {matched} of {estimated} estimated poses judged by {true} true ones")
    print(f"\n{errors_table({name: one.errors for name, one in found.items()})}")
    if o.plot:
        plot(o.plot, found)
    if o.json:
        rows = {
            name: {k: None if v != v else v for k, v in dataclasses.asdict(one.errors).items()}
            for name, one in found.items()
        }
        counted = {name: matched for name, (matched, _, _) in poses.items()}
        text = {"data": str(o.truth), "poses": counted, "protocol": record(protocol)}
        write_json(o.json, {**text, "errors": rows})
