"""The report on one sheet: frames from day to night, the cloud, the trajectory, the errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from demo import tables
from demo.config import DemoConfig
from demo.pictures import frame_pictures, near_points
from demo.plots import BLUE, GREEN, GREY, SHADES, light_spans
from demo.run import NIGHT, DemoRun
from demo.scores import CONSTANT, FUSED, NODE, OURS, PER_PIXEL, Scores

_COLUMNS = 4
_WEIGHTS = "Weights"
"""Of the PNG's text: what its pictures were made with."""


def write_sheet(path: Path, run: DemoRun, scores: Scores, config: DemoConfig) -> None:
    """Write the sheet of a run as a PNG."""
    answered = [i for i, frame in enumerate(run.frames) if frame.depth is not None]
    chosen = [answered[i] for i in np.linspace(0, len(answered) - 1, _COLUMNS).round().astype(int)]
    figure = Figure(figsize=(18, 13.5), layout="constrained")
    parts: Any = figure.subfigures(3, 1, height_ratios=[1.36, 0.95, 0.6])
    top, bottom, foot = parts
    top.suptitle("From day into night: what the nodes published, beside the truth", size=17)
    _draw_frames(top, run, scores, chosen, config.max_m)
    left, middle, right = bottom.subfigures(1, 3, width_ratios=[1.15, 0.8, 1.3])
    day = max((i for i in answered if run.frames[i].cloud is not None), default=None,
              key=lambda i: (run.frames[i].daylight, -abs(i - len(run.frames) // 6)))  # fmt: skip
    _draw_cloud(left, run, day, config.max_m)
    _draw_trajectory(middle, run, scores)
    _draw_timeline(right, run, scores)
    _draw_numbers(foot, run, scores)
    figure.savefig(path, dpi=90, metadata={_WEIGHTS: json.dumps(run.weights)})


def drawn_weights(path: Path) -> dict[str, str]:
    """Return the start of the hash of the weights that a sheet shows, by mode, if it says so."""
    with Image.open(path) as sheet:
        said: dict[str, str] = json.loads(sheet.info.get(_WEIGHTS, "{}"))
    return said


def _draw_frames(area: Any, run: DemoRun, scores: Scores, chosen: list[int], max_m: float) -> None:
    """Draw image, depths and truth of some frames, one column each."""
    axes = area.subplots(4, len(chosen), squeeze=False)
    for column, index in enumerate(chosen):
        frame = run.frames[index]
        pictures = frame_pictures(frame, max_m)
        for row, name in enumerate(("image", "depth", "fused", "truth")):
            axis = axes[row, column]
            axis.imshow(cv2.cvtColor(getattr(pictures, name), cv2.COLOR_BGR2RGB))
            axis.set(xticks=[], yticks=[])
            if column == 0:
                axis.set_ylabel(name, size=13)
        note = f"{run.seconds[index]:.1f} s · {frame.mode} network"
        off = " → ".join(f"{scores.abs_rel[name][index]:.3f}" for name in (NODE, FUSED))
        axes[0, column].set_title(f"{note} · AbsRel {off}", size=12)


def _draw_cloud(area: Any, run: DemoRun, index: int | None, max_m: float) -> None:
    """Draw the points of one frame in perspective."""
    axis = area.subplots(subplot_kw={"projection": "3d", "computed_zorder": False})
    axis.set_axis_off()
    area.set_facecolor("#14161b")
    axis.set_facecolor("#14161b")
    if index is None:
        return
    cloud = run.frames[index].cloud
    assert cloud is not None
    points, rgb = near_points(cloud, run.T_base_cam, min(max_m, 32.0))
    points, rgb = points[points[:, 2] < 8], rgb[points[:, 2] < 8]
    axis.scatter(*points.T, s=7.0, c=(rgb / 255) ** 0.7, depthshade=False, linewidths=0)
    axis.set(xlim=(4, 30), ylim=(-11, 11), zlim=(-1, 8))
    axis.set_box_aspect((26, 22, 9), zoom=1.75)
    axis.view_init(elev=20, azim=187)
    axis.set_proj_type("persp", focal_length=0.6)
    note = f"/fused/points at {run.seconds[index]:.1f} s"
    axis.text2D(0.02, 0.95, note, transform=axis.transAxes, color="#ddd", size=13)


def _draw_trajectory(area: Any, run: DemoRun, scores: Scores) -> None:
    """Draw the drive from above."""
    axis = area.subplots()
    T_true = np.array([frame.T_odom_base for frame in run.frames])
    T_node = np.array([f.T_estimate for f in run.frames if f.T_estimate is not None])
    axis.plot(-T_true[:, 1, 3], T_true[:, 0, 3], color="#222", lw=2.5, label="truth")
    if len(T_node):
        axis.plot(-T_node[:, 1, 3], T_node[:, 0, 3], color=BLUE, lw=2.5, label="odometry node")
    T = scores.T_straight
    axis.plot(-T[:, 1, 3], T[:, 0, 3], color=GREY, ls=":", lw=2, label="straight ahead")
    ate_m = f"{scores.odometry['none'].ate_m:.2f}" if scores.odometry else "-"
    title = f"trajectory: ATE {ate_m} m, straight ahead {scores.straight['none'].ate_m:.2f} m"
    axis.set(xlabel="metres right", ylabel="metres ahead", title=title)
    axis.set_aspect("equal", adjustable="datalim")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)


def _draw_timeline(area: Any, run: DemoRun, scores: Scores) -> None:
    """Draw error and mode over time on the light outside."""
    error, mode = area.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    drawn = (NODE, BLUE, "-"), (FUSED, GREEN, "-"), (PER_PIXEL, GREY, "--"), (CONSTANT, GREY, ":")
    for name, colour, style in drawn:
        error.plot(run.seconds, scores.abs_rel[name], color=colour, ls=style, lw=2, label=name)
    error.set(ylabel="AbsRel, in metres", title="error and mode, on the light outside")
    ours = np.concatenate([scores.abs_rel[name] for name in OURS])
    error.set_ylim(0, min(1.15 * error.get_ylim()[1], 3 * np.nanmax(ours)))  # ours can be read
    error.legend(frameon=False, ncols=4, loc="upper left")
    night = [np.nan if not f.mode else float(f.mode == NIGHT) for f in run.frames]
    mode.step(run.seconds, night, color=GREEN, where="post", lw=2.5)
    mode.set(yticks=[1, 0], yticklabels=["night", "day"], ylim=(1.4, -0.4), xlabel="seconds")
    for axis in (error, mode):
        for light, start_s, end_s in light_spans(run):
            axis.axvspan(start_s, end_s, color=SHADES[light], alpha=0.7, lw=0)


def _draw_numbers(area: Any, run: DemoRun, scores: Scores) -> None:
    """Draw the tables as text."""
    axes = area.subplots(1, 2, width_ratios=[1.25, 1])
    shown = (tables.depth_table(scores), tables.runtime_table(run))
    for axis, table in zip(axes, shown, strict=True):
        axis.set_axis_off()
        if not table.rows:
            continue
        drawn = axis.table([*table.rows], colLabels=table.head, loc="center", cellLoc="center")
        drawn.auto_set_font_size(False)
        drawn.set_fontsize(10)
        drawn.auto_set_column_width(list(range(len(table.head))))
