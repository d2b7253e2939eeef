"""Plots of the study: losses over steps, and depth of the same nights side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sdepth.depth.estimator import DepthEstimator
from training.data.drive import read_depth
from training.data.open_drive import find_drives, read_drive
from training.evaluate.side_by_side import write_sheet
from training.experiments.dasp.configurations import DASP, NETWORKS, ending
from training.experiments.results import Results
from training.experiments.run import Run
from training.experiments.study import StudyContext, plan

SHOWN = ("day", "night", "patch", DASP)
LOSSES = ("photometric", "prior", "discriminator", "projection", "day_right", "night_right")
SHEET_ROWS = 6


def write_plots(results: Results, context: StudyContext, out: Path) -> dict[str, str]:
    """Write what can be drawn; return title by file name of what is there then.

    Curves and weights are not recorded: once their runs are deleted, plots stay as they are.
    """
    titles = {}
    for network in NETWORKS:
        names = [name + ending(network) for name in SHOWN]
        runs = {
            r.configuration.name.removesuffix(ending(network)): r
            for r in plan(context, names, [0])
            if r.configuration and 0 in results.found.get(r.configuration.name, {})
        }
        for kind, title, draw in (
            ("curves", "Losses over steps", _draw_curves),
            ("sheet", f"Nights; then depth: {', '.join(SHOWN)}; truth", _draw_sheet),
        ):
            path = out / f"dasp{ending(network)}_{kind}.png"
            draw(runs, context, path)
            if path.is_file():
                titles[path.name] = f"{title} ({network}, seed 0)"
    return titles


def read_curve(folder: Path, loss: str) -> tuple[list[int], list[float]]:
    """Return steps and values of a loss of a run on disk; empty if it is not there."""
    board = folder / "tensorboard"
    if not board.is_dir():
        return [], []
    events = EventAccumulator(str(board), size_guidance={"scalars": 0})
    events.Reload()
    if f"loss/{loss}" not in events.Tags()["scalars"]:
        return [], []
    scalars = events.Scalars(f"loss/{loss}")
    return [s.step for s in scalars], [s.value for s in scalars]


def _draw_curves(runs: dict[str, Run], context: StudyContext, path: Path) -> None:
    """Draw a panel per loss, a line per configuration."""
    curves = {
        (loss, name): read_curve(run.folder, loss) for loss in LOSSES for name, run in runs.items()
    }
    if not any(steps for steps, _ in curves.values()):
        return
    figure = Figure(figsize=(9, 8), layout="constrained")
    for axis, loss in zip(np.ravel(figure.subplots(3, 2)), LOSSES, strict=True):
        panel: Any = axis
        panel.set_title(loss)
        panel.spines[["top", "right"]].set_visible(False)
        for i, name in enumerate(SHOWN):
            steps, values = curves.get((loss, name), ([], []))
            if steps:
                panel.plot(steps, values, label=name, color=f"C{i}")
        if panel.lines:
            panel.legend(frameon=False)
    figure.savefig(path, dpi=110)


def _draw_sheet(runs: dict[str, Run], context: StudyContext, path: Path) -> None:
    """Draw a row per test image: as it is, depth of each model, truth."""
    runs = {name: run for name, run in runs.items() if run.weights.is_file()}
    if DASP not in runs:
        return
    frames = []
    folders = find_drives(context.drives["test"])
    for i in np.linspace(0, len(folders) - 1, min(SHEET_ROWS, len(folders))).astype(int):
        drive = read_drive(folders[i])
        frames.append((drive, drive.frames[len(drive.frames) // 2]))
    names = [name for name in SHOWN if name in runs]
    models = [DepthEstimator(runs[name].weights, context.device, "model") for name in names]
    rows: list[list[NDArray[Any]]] = []
    for drive, frame in frames:
        assert frame.depth is not None  # scored before
        image = drive.read(frame)
        depths = [model.predict(image, drive.camera).depth for model in models]
        rows.append([image, *depths, read_depth(frame.depth)])
    write_sheet(path, rows, 320, ("night", *names, "truth"))
