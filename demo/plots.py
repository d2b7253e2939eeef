"""The report's plotly figures."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from demo.run import DAY, DUSK, NIGHT, DemoRun
from demo.scores import CONSTANT, FUSED, NODE, PER_PIXEL, Scores
from sdepth.depth.daynight import mean_luminance

BLUE, ORANGE, GREY, GREEN = "#2166ac", "#e08214", "#8a8f98", "#1b7837"
SHADES = {DAY: "#fff3c4", DUSK: "#f3d3c0", NIGHT: "#ccd3e6"}
_FONT = {"family": "system-ui, sans-serif", "size": 13, "color": "#222"}


def trajectory(run: DemoRun, scores: Scores) -> go.Figure:
    """Return the drive from above; the last trace is the marker of the current frame."""
    T_true = np.array([frame.T_odom_base for frame in run.frames])
    T_node = [frame.T_estimate for frame in run.frames if frame.T_estimate is not None]
    figure = go.Figure()
    for name, T, style in (
        ("truth", T_true, {"color": "#222", "width": 3}),
        ("odometry node (/odom)", np.array(T_node), {"color": BLUE, "width": 3}),
        ("straight ahead", scores.T_straight, {"color": GREY, "width": 2, "dash": "dot"}),
    ):
        if len(T):
            figure.add_scatter(
                x=-T[:, 1, 3], y=T[:, 0, 3], name=name, mode="lines", line=style,
                hovertemplate="%{y:.1f} m ahead, %{x:.1f} m right<extra>" + name + "</extra>",
            )  # fmt: skip
    figure.add_scatter(
        x=[0], y=[0], mode="markers", marker={"size": 11, "color": ORANGE}, name="this frame"
    )
    figure.update_xaxes(title="metres to the right of the start", zeroline=False)
    figure.update_yaxes(title="metres ahead", scaleanchor="x", scaleratio=1, zeroline=False)
    return _styled(figure, 430)


def timeline(run: DemoRun, scores: Scores) -> go.Figure:
    """Return error, brightness and mode over time; the last shape is the current frame's line."""
    seconds = run.seconds
    figure = make_subplots(
        rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=[0.5, 0.25, 0.25]
    )
    for name, colour, dash in (
        (NODE, BLUE, "solid"),
        (FUSED, GREEN, "solid"),
        (PER_PIXEL, GREY, "dash"),
        (CONSTANT, GREY, "dot"),
    ):
        figure.add_scatter(
            x=seconds, y=scores.abs_rel[name], name=f"AbsRel, {name}", mode="lines",
            line={"color": colour, "dash": dash}, row=1, col=1,
        )  # fmt: skip
    figure.add_scatter(
        x=seconds, y=[mean_luminance(frame.image) for frame in run.frames], mode="lines",
        name="mean brightness of the image", line={"color": ORANGE}, row=2, col=1,
    )  # fmt: skip
    modes = [frame.mode or None for frame in run.frames]
    figure.add_scatter(
        x=seconds, y=modes, name="network in use (/depth/mode)", mode="lines+markers",
        marker={"size": 5}, line={"color": GREEN, "shape": "hv"}, row=3, col=1,
    )  # fmt: skip
    _shade(figure, run)
    figure.update_yaxes(title="AbsRel", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="brightness", range=[0, 0.7], row=2, col=1)
    figure.update_yaxes(
        title="mode", categoryorder="array", categoryarray=[NIGHT, DAY], range=[-0.4, 1.4],
        type="category", row=3, col=1,
    )  # fmt: skip
    figure.update_xaxes(title="seconds since the first image", row=3, col=1)
    figure.add_shape(
        type="line", xref="x3", yref="paper", x0=0, x1=0, y0=0, y1=1,
        line={"color": ORANGE, "width": 2},
    )  # fmt: skip
    return _styled(figure, 480)


def cloud() -> go.Figure:
    """Return the empty scene of the point cloud: the nodes' points, then the true ones."""
    figure = go.Figure()
    for name, visible in (("depth node (/points)", True), ("truth", "legendonly")):
        figure.add_scatter3d(
            x=[], y=[], z=[], mode="markers", name=name, visible=visible, hoverinfo="skip",
            marker={"size": 1.7, "color": []},
        )  # fmt: skip
    axis = {
        "backgroundcolor": "#14161b",
        "gridcolor": "#333",
        "color": "#bbb",
        "showspikes": False,
    }
    figure.update_layout(
        scene={
            "xaxis": {**axis, "title": "x ahead, m", "range": [0, 45]},
            "yaxis": {**axis, "title": "y left, m", "range": [-18, 18]},
            "zaxis": {**axis, "title": "z up, m", "range": [-2, 12]},
            "aspectmode": "data",
            "camera": {
                "eye": {"x": -1.05, "y": 0.0, "z": 0.35},
                "center": {"x": 0.0, "y": 0.0, "z": -0.12},
            },
            "dragmode": "orbit",
        },
        uirevision="keep",
    )
    figure = _styled(figure, 430)
    figure.update_layout(
        paper_bgcolor="#14161b", font={**_FONT, "color": "#ddd"}, margin={"l": 0, "b": 0}
    )
    return figure


def light_spans(run: DemoRun) -> list[tuple[str, float, float]]:
    """Return light outside, start and end (seconds) of each stretch of the drive."""
    lights = [frame.light for frame in run.frames]
    starts = [i for i in range(len(lights)) if i == 0 or lights[i] != lights[i - 1]]
    ends = [*starts[1:], len(lights) - 1]
    seconds = run.seconds
    return [(lights[a], seconds[a], seconds[b]) for a, b in zip(starts, ends, strict=True)]


def _shade(figure: go.Figure, run: DemoRun) -> None:
    """Colour the background by the light outside."""
    for light, start_s, end_s in light_spans(run):
        figure.add_vrect(
            x0=start_s, x1=end_s, fillcolor=SHADES[light], line_width=0, layer="below", opacity=0.7
        )


def _styled(figure: go.Figure, height: int) -> go.Figure:
    """Return the figure in the page's dress."""
    figure.update_layout(
        template="plotly_white",
        height=height,
        font=_FONT,
        margin={"l": 60, "r": 40, "t": 10, "b": 45},
        modebar={"orientation": "v"},  # in the right margin: flat, it lies over the legend
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
    )
    return figure
