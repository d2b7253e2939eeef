"""The study of day priors in tables and plots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sdepth.markdown import table
from training.evaluate.night import MIN_PIXELS
from training.experiments.dasp.claims import ABS_REL, APART, BY_DAY, SHRUNK
from training.experiments.dasp.configurations import DASP, NETWORKS, VIDEO, of_network
from training.experiments.dasp.plots import write_plots
from training.experiments.report import Column, differences, images, means, tried
from training.experiments.results import Results, summary
from training.experiments.study import StudyContext

REGIONS = ("all", "textureless", "blurred")
ERRORS: tuple[Column, ...] = (("AbsRel", "abs_rel"), ("RMSE, m", "rmse"), ("delta1", "delta1"))
NIGHT: tuple[Column, ...] = tuple(
    (f"{title}, {region}", f"night.{region}.{error}")
    for region in REGIONS
    for title, error in ERRORS
)
BESIDE: tuple[Column, ...] = (
    ("AbsRel of movers", ABS_REL["moving"]),
    ("AbsRel by day", BY_DAY),
    ("RMSE by day, m", "day.all.rmse"),
    ("delta1 by day", "day.all.delta1"),
    ("points apart", APART),
    ("median scale", SHRUNK),
    ("scale spread", "scale.night.spread"),
    ("scale spread by day", "scale.day.spread"),
)
PAIRED: tuple[Column, ...] = (
    ("AbsRel", ABS_REL["all"]),
    ("AbsRel, textureless", ABS_REL["textureless"]),
    ("AbsRel, blurred", ABS_REL["blurred"]),
    ("AbsRel, movers", ABS_REL["moving"]),
    ("RMSE, m", "night.all.rmse"),
    ("AbsRel by day", BY_DAY),
    ("points apart", APART),
)
"""Where less is better."""
PROTOCOL = f"""\
Depth: every image of the test drives, truth up to 80 m, no crop; each image is scaled by the ratio
of medians over the whole image first and keeps that scale inside the masks, then clamped and
scored; mean over images. Masks are exact and those of the night, by day too: *textureless* (of the
painted surface, whatever the light), *movers*, *blurred* (movers that the shutter smears by more
than a pixel); an image counts for a mask from {MIN_PIXELS} pixels on. Scale of an image: median
truth / median estimate; its spread is the standard deviation over the median. Points apart: mean
over pixels of how far the points of neighbouring frames at night are apart under the true motion,
over the sum of their norms (0 to 1), all depth scaled by one factor.

Every seed has its own day model: of *light*, its own weights, trained on by day without labels;
of *lite0*, ImageNet's encoder taught the truth of streets by day, and of none by night. Every
configuration continues it on nights, without labels, and learns the prior from that day model on
unpaired day drives. *day* is that model itself. *night* is self-supervision with enhanced images
and static mask; *patch* adds RNW's prior of one frame, *clip* one of three frames, *{DASP}* 3D
consistency as well. All know the vehicle's motion but *{VIDEO}*, where it is learned from the
video. Numbers are mean ± standard deviation over seeds. Discriminator, losses and weights are our
reading of DASP's abstract (arXiv 2512.14536)."""


def material(found: Mapping[str, Any], context: StudyContext) -> str:
    """Return what was trained and tested on what."""
    d = context.drives
    return (
        f"light: trained on {d['data']}, prior and day models on {d['day']}; "
        f"lite0: on {d['night_clips']}, prior on {d['day_clips']}, day models on this and "
        f"{d['day_streets']}; all tested on {found['data']} and "
        f"the same views by day, {found['day_data']}"
    )


def tables_and_plots(results: Results, context: StudyContext, out: Path) -> list[str]:
    """Return the parts of the report after the claims; plots are written to ``out``."""
    parts = [p for n in NETWORKS for p in _network_part(of_network(results, n), n)]
    parts += tried(__file__)
    parts += ["## Time", _time(results), "## Plots"]
    return parts + images(write_plots(results, context, out))


def _network_part(results: Results, network: str) -> list[str]:
    """Return the tables of a network's lines."""
    names = [c.name for c in results.configurations]
    parts = [f"## {network} by night", _tested(results)]
    parts += [means(results, names, NIGHT, [_constant(results)])]
    parts += [f"{network} by day, scale and consistency:", means(results, names, BESIDE)]
    parts += ["Either model on either image, AbsRel of all pixels:", _either(results)]
    for base in ("night", "patch"):
        others = [n for n in names if n != base]
        parts += [
            f"Difference to {base}, per seed (mean; seeds in which it is lower, which is better):",
            differences(results, others, base, PAIRED),
        ]
    return parts


def _tested(results: Results) -> str:
    """Return how many drives and images the first evaluation is of."""
    found = next((f for seeds in results.found.values() for f in seeds.values()), None)
    if found is None:
        return "Nothing has been run."
    regions = ((k, r) for k, r in found["night"].items() if k != "all")
    counts = ", ".join(f"{r.get('images')} with {k} pixels" for k, r in regions)
    return f"{found.get('drives')} test drives, {found.get('images')} images each, {counts}."


def _constant(results: Results) -> list[str]:
    """Return the row of a predictor that answers the same depth everywhere."""
    first = next((f for seeds in results.found.values() for f in seeds.values()), {})
    rows = first.get("constant", {})
    cells = [rows.get(r, {}).get(e) for r in REGIONS for _, e in ERRORS]
    return ["one depth everywhere", "", *("" if c is None else f"{c:.3f}" for c in cells)]


def _either(results: Results) -> str:
    """Return the errors of day and night models on images of day and night."""
    rows = []
    for title, name in (("day model", "day"), ("night model", DASP), ("without prior", "night")):
        cells = [summary([*results.values(name, k).values()]) for k in (BY_DAY, ABS_REL["all"])]
        rows.append([f"{title} ({name})", *cells])
    return table(["trained", "on images by day", "on images at night"], rows)


def _time(results: Results) -> str:
    """Return the seconds a training step takes, per configuration and device."""
    seen: dict[tuple[str, str], list[float]] = {}
    for run, made in results.made:
        name = run.configuration.name if run.configuration else "day"
        seen.setdefault((name, made["device"]), []).append(made["seconds_per_step"])
    rows = [[*who, str(len(s)), f"{np.median(s):.2f}"] for who, s in seen.items()]
    return table(["configuration", "device", "runs", "s a step (median)"], rows)
