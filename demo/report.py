"""Write the report: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from plotly.offline import get_plotlyjs
from tqdm import tqdm

from demo import plots, tables
from demo.config import DemoConfig, shown
from demo.pictures import (
    CLOUD_STEP,
    NEAR_M,
    colour_bar,
    frame_pictures,
    packed_clouds,
)
from demo.run import DAY, NIGHT, DemoRun
from demo.scores import FUSED, NODE, OURS, PER_PIXEL, Scores
from sdepth.files import write_bytes
from training.evaluate.web_page import data_uri, style

_HERE = Path(__file__).parent


def write_report(path: Path, run: DemoRun, scores: Scores, config: DemoConfig) -> None:
    """Write the page of a run to ``path``, whole or not at all."""
    errors = scores.odometry["none"] if scores.odometry else None
    values = {
        "style": style(),
        "script": (_HERE / "page.js").read_text(),
        "plotly": get_plotlyjs(),
        "data": json.dumps(_data(run, scores, config.max_m)).replace("</", "<\\/"),
        "tiles": _tiles(run, scores),
        "frames_in": str(len(run.frames)),
        "last": str(len(run.frames) - 1),
        "near_m": f"{NEAR_M:g}",
        "max_m": f"{config.max_m:g}",
        "window_s": f"{config.window_s:g}",
        "cloud_step": str(CLOUD_STEP),
        "colour_bar": colour_bar(config.max_m),
        "path_m": f"{tables.path_length(run):.0f}",
        "recording": escape(shown(config.result)),
        "trajectory_note": (
            f"Nothing is aligned here: the estimate is off by {errors.ate_m:.2f} m (ATE)."
            if errors
            else "The odometry node said too little to be drawn."
        )
        + " The orange point is the true place of the frame above.",
        "depth_table": tables.to_html(tables.depth_table(scores)),
        "trajectory_table": tables.to_html(tables.trajectory_table(scores)),
        "runtime_table": tables.to_html(tables.runtime_table(run)),
    }
    page = _HERE.joinpath("page.html").read_text()
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], page)
    write_bytes(path, page.encode())


def _data(run: DemoRun, scores: Scores, max_m: float) -> dict[str, Any]:
    """Return what the page's script draws."""
    trajectory, timeline = plots.trajectory(run, scores), plots.timeline(run, scores)
    figures = {"trajectory": trajectory, "timeline": timeline, "cloud": plots.cloud()}
    return {
        "frames": _frames(run, scores, max_m),
        "clouds": packed_clouds(run, max_m),
        "figures": {name: json.loads(figure.to_json()) for name, figure in figures.items()},
        "marker": len(trajectory.data) - 1,
        "cursor": len(timeline.layout.shapes) - 1,
    }


def _frames(run: DemoRun, scores: Scores, max_m: float) -> list[dict[str, Any]]:
    """Return pictures and numbers of each frame."""
    frames = []
    for i, frame in enumerate(tqdm(run.frames, unit="frame", desc="report")):
        pictures = frame_pictures(frame, max_m)
        off = [float(scores.abs_rel[name][i]) for name in OURS]
        abs_rel, fused = (round(x, 4) if np.isfinite(x) else None for x in off)
        frames.append(
            {
                **{name: data_uri(picture) for name, picture in vars(pictures).items()},
                "t": round(float(run.seconds[i]), 3),
                "light": frame.light,
                "mode": frame.mode,
                "abs_rel": abs_rel,
                "fused_abs_rel": fused,
                "x": round(-float(frame.T_odom_base[1, 3]), 3),
                "y": round(float(frame.T_odom_base[0, 3]), 3),
            }
        )
    return frames


def _tiles(run: DemoRun, scores: Scores) -> str:
    """Return the headline numbers."""
    tiles = []
    for light in (DAY, NIGHT):
        lit = [s for s in scores.depth if s.light == light]
        if lit:
            off = {s.predictor: s.metric.abs_rel for s in lit}
            best = off.get(FUSED, off[NODE])
            note = f"the network alone {off[NODE]:.3f}, per-pixel mean {off[PER_PIXEL]:.3f}"
            tiles.append((f"{best:.3f}", f"AbsRel by {light}, in metres ({note})"))
    if scores.odometry:
        straight = scores.straight["none"].ate_m
        ate_m = scores.odometry["none"].ate_m
        note = f"ATE over {tables.path_length(run):.0f} m (straight ahead {straight:.2f} m)"
        tiles.append((f"{ate_m:.2f} m", note))
    counters = run.counters.get("depth", {})
    handled = f"{counters.get('frames out', '-')} of {len(run.frames)}"
    dropped = counters.get("frames dropped", "-")
    tiles.append((handled, f"depth frames answered, {dropped} dropped"))
    p50, p95 = (counters.get(f"latency {p} ms", "-") for p in ("p50", "p95"))
    tiles.append((f"{p50} ms", f"depth latency p50 (p95 {p95} ms)"))
    return "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(note)}</span></div>'
        for value, note in tiles
    )
