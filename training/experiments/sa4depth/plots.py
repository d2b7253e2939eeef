"""Plots of the study: rho per pair, depth scale per drive, AbsRel per seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy.typing import NDArray

from training.evaluate.drive_motion import INITIAL, REFINED
from training.experiments.results import Results
from training.experiments.sa4depth.configurations import BEST

GREY, BLUE, ORANGE = "#777777", "#1f6fb4", "#d9601a"
RHO_RANGE = (0.25, 4.0)


def write_plots(results: Results, out: Path) -> dict[str, str]:
    """Write what can be drawn; return title by file name of what is there then.

    Pairs and drives are not recorded: once their runs are deleted, plots of them stay as they are.
    """
    if not {"base", BEST} <= results.found.keys():
        return {}
    shown = [found for name in ("base", BEST) for found in results.found[name].values()]
    whole = all("per_drive" in found for found in shown)
    plots = {
        "sa4depth_rho.png": ("Scale of depth over scale of motion, per pair", _draw_rho, whole),
        "sa4depth_scale.png": ("Scale of depth, per drive", _draw_scales, whole),
        "sa4depth_absrel.png": ("AbsRel, per seed", _draw_abs_rel, True),
    }
    for name, (title, draw, possible) in plots.items():
        if not possible:
            continue
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axis: Any = figure.subplots()
        axis.set_title(title)
        axis.spines[["top", "right"]].set_visible(False)
        draw(axis, results)
        figure.savefig(out / name, dpi=110)
    return {name: title for name, (title, *_) in plots.items() if (out / name).is_file()}


def _draw_rho(axis: Any, results: Results) -> None:
    """Draw how rho is distributed, all seeds together."""
    edges = np.geomspace(*RHO_RANGE, 46)
    for name, kind, colour in (
        ("base", INITIAL, GREY),
        (BEST, INITIAL, BLUE),
        (BEST, REFINED, ORANGE),
    ):
        rho = np.concatenate(
            [
                np.array(drive["rho"][kind], np.float64)
                for found in results.found[name].values()
                for drive in found["per_drive"].values()
            ]
        )
        rho = np.clip(rho[np.isfinite(rho)], *RHO_RANGE)
        count = np.histogram(rho, edges)[0] / len(rho)
        label = f"{name}, {kind} (median {np.median(rho):.2f})"
        axis.stairs(100 * count, edges, color=colour, linewidth=2, label=label)
    axis.axvline(1, color="black", linewidth=1, linestyle=":")
    axis.set_xscale("log")
    ticks = [0.25, 0.35, 0.5, 0.7, 1, 1.4, 2, 2.8, 4]
    axis.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axis.minorticks_off()
    axis.set(xlabel="rho (1: depth and motion fit; ends hold what is beyond)", ylabel="pairs, %")
    axis.legend(frameon=False)


def _draw_scales(axis: Any, results: Results) -> None:
    """Draw each drive's mean scale over the median of all, a dot per seed."""
    for name, colour, shift in (("base", GREY, -0.15), (BEST, BLUE, 0.15)):
        for i, found in enumerate(results.found[name].values()):
            scales = [np.array(d["depth_scale"]) for d in found["per_drive"].values()]
            means = _means(scales)
            x = np.arange(len(means)) + shift
            axis.plot(x, means, "o", color=colour, alpha=0.75, label=name if i == 0 else None)
    drives = [*next(iter(results.found["base"].values()))["per_drive"]]
    axis.axhline(1, color="black", linewidth=1, linestyle=":")
    axis.set_xticks(range(len(drives)), drives)
    axis.set(xlabel="test drive (a dot per seed)", ylabel="mean scale of depth / median of all")
    axis.legend(frameon=False)


def _means(scales: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the mean of each drive's scales over the median of all."""
    return np.array([s.mean() for s in scales]) / np.median(np.concatenate(scales))


def _draw_abs_rel(axis: Any, results: Results) -> None:
    """Draw lines per seed from the baseline to C, left of it, and D, per depth network."""
    styles = (
        ("median scaled", "depth.median.abs_rel", BLUE),
        ("one scale", "depth.one_scale.abs_rel", ORANGE),
    )
    ticks = []
    for centre, suffix in ((0, ""), (3, "-resnet18")):
        base = f"base{suffix}"
        for x, name in ((centre - 1, BEST + suffix), (centre + 1, f"D{suffix}")):
            for label, key, colour in styles:
                for i, pair in enumerate(results.pairs(name, key, base)):
                    said = label if x == -1 and i == 0 else None
                    line = [pair.other, pair.mine]
                    axis.plot([centre, x], line, "o-", color=colour, label=said)
            ticks.append((x, name))
        ticks.append((centre, base))
    axis.set_xticks([x for x, _ in ticks], [name for _, name in ticks])
    axis.set(ylabel="AbsRel (lower is better)", xlabel="a line per seed")
    axis.yaxis.set_major_locator(MaxNLocator(8))
    axis.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    axis.margins(x=0.2)
    axis.legend(frameon=False)
