"""The study of refinement in tables and plots."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdepth.markdown import table
from training.evaluate.drive_motion import INITIAL, INTENSITY, REFINED, STRAIGHT, UNTURNED
from training.evaluate.motion import LENGTHS_M
from training.experiments.report import (
    Column,
    differences,
    images,
    means,
    seeds_of,
    tried,
)
from training.experiments.results import Results, summary
from training.experiments.sa4depth.configurations import ABLATION, BEST, NETWORKS, SHORT
from training.experiments.sa4depth.plots import write_plots
from training.experiments.study import StudyContext

DEPTH: tuple[Column, ...] = (
    ("AbsRel", "depth.median.abs_rel"),
    ("RMSE, m", "depth.median.rmse"),
    ("delta1", "depth.median.delta1"),
    ("AbsRel, one scale", "depth.one_scale.abs_rel"),
    ("AbsRel, metres", "depth.metres.abs_rel"),
    ("scale spread", "depth_scale.spread"),
    ("within drives", "depth_scale.within"),
    ("across drives", "depth_scale.across"),
    ("rho without truth", "rho_without_truth.median_rho"),
    ("its abs log", "rho_without_truth.mean_abs_log_rho"),
    ("median scale", "depth_scale.median"),
)
ALIGNMENT: tuple[Column, ...] = (
    ("median rho", "alignment.{}.median_rho"),
    ("mean abs log rho", "alignment.{}.mean_abs_log_rho"),
    ("spread of rho", "alignment.{}.rho_spread"),
)
ODOMETRY: tuple[Column, ...] = (
    ("ATE, m", "odometry.{}.ate_m"),
    ("ATE, one scale, m", "odometry.{}.ate_one_scale_m"),
    ("RPE, m", "odometry.{}.rpe_m"),
    ("RPE, deg", "odometry.{}.rpe_deg"),
    ("drift, %", "odometry.{}.t_err_percent"),
    ("drift, deg / 100 m", "odometry.{}.r_err_deg_per_100m"),
    ("refused", "refused.{}"),
)
PAIRED: tuple[Column, ...] = (
    *DEPTH[:2],
    DEPTH[3],
    DEPTH[5],
    DEPTH[7],
    ("abs log rho", ALIGNMENT[1][1].format(INITIAL)),
    ("spread of rho", ALIGNMENT[2][1].format(INITIAL)),
)
"""Where less is better; of the networks alone, as they run."""
ABLATED: tuple[Column, ...] = (
    *DEPTH[:1],
    DEPTH[3],
    DEPTH[7],
    ("abs log rho", ALIGNMENT[1][1].format(INITIAL)),
    ("abs log rho, refined", ALIGNMENT[1][1].format(REFINED)),
    ("ATE refined, m", ODOMETRY[0][1].format(REFINED)),
    ("drift refined, %", ODOMETRY[4][1].format(REFINED)),
    ("refused", f"refused.{REFINED}"),
)
PROTOCOL = f"""\
Depth: every image of the test drives at full truth, 80 m cap, no crop; mask, scale, clamp, score
each image, average over images. "One scale" scales all images by the median of their scales
instead of each by its own; "metres" scales none, where the speed was known.
Scale of an image: median truth / median estimate; its spread is the
standard deviation over the median: over all images, within drives and across drives' means.
rho of a pair: its earlier image's scale over |t true| / |t estimated|; 1 where depth and motion
fit. Without truth: |t| of {INITIAL} over {INTENSITY}, which is fitted to the depth.

Odometry: motions of neighbouring frames chained per drive, errors after 7-DoF alignment of each
drive, mean over drives; drift on paths of {", ".join(f"{x:g}" for x in LENGTHS_M)} m, which is
not KITTI's 100 to 800 m; "one scale" aligns no drive and scales all by one factor.

Motions: *{INITIAL}* is the pose network's, *{REFINED}* is refined at test time by the features
trained with it, *{INTENSITY}* by fixed features of brightness, with the baseline's networks too.
Numbers are mean ± standard deviation over seeds. Hyper-parameters of the refinement are our
reading of SA4Depth's abstract (arXiv 2605.28477)."""


def material(found: Mapping[str, Any], context: StudyContext) -> str:
    """Return what was trained and tested on what."""
    size = f"{found['drives']} drives, {found['images']} images, {found['pairs']} pairs"
    given = "video, and speed where the name says so"
    d = context.drives
    more = f"lite0 on {d['clips']}, from the truth of this and {d['streets']}"
    return f"trained on {d['data']} ({given}; {more}), tested on {found['data']}: {size}"


def tables_and_plots(results: Results, context: StudyContext, out: Path) -> list[str]:
    """Return the parts of the report after the claims; plots are written to ``out``."""
    networks = dict.fromkeys(c.network for c in results.configurations if c.group != ABLATION)
    parts = [part for network in networks for part in _network_part(results, network)]
    parts += ["## Ablation", _ablation(results)]
    parts += tried(__file__)
    parts += ["## Plots"]
    return parts + images(write_plots(results, out))


def _network_part(results: Results, network: str) -> list[str]:
    """Return the tables of the configurations of a network."""
    names = [c.name for c in results.configurations if c.network == network]
    nets = NETWORKS[network]
    base = next((n for n in names if n.startswith("base")), "")
    kinds = _kinds(results, names, (INITIAL, REFINED, INTENSITY))
    trivial = _kinds(results, names[:1], (STRAIGHT, UNTURNED))
    return [
        f"## Depth network {nets.depth}, pose network {nets.pose}",
        means(results, names, DEPTH),
        "Scales of depth and motion, without refinement at test time and with it:",
        _by_motion(results, kinds, ALIGNMENT),
        f"Odometry ({STRAIGHT} is the same whatever was trained):",
        _by_motion(results, trivial + kinds, ODOMETRY),
        f"Difference to {base}, per seed (mean; seeds in which it is lower, which is better):",
        differences(results, [n for n in names if n != base], base, PAIRED),
    ]


def _kinds(results: Results, names: list[str], only: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return rows of configuration and kind of motion, of these kinds."""
    rows = []
    for name in names:
        seeds = results.found.get(name, {})
        kinds = next(iter(seeds.values()))["odometry"] if seeds else [""]
        rows += [(name, k) for k in kinds if k in only or not k]
    return rows


def _by_motion(results: Results, rows: list[tuple[str, str]], columns: tuple[Column, ...]) -> str:
    """Return a table of configurations and kinds of motion, mean ± deviation over seeds."""
    cells = [
        [name, kind, seeds_of(results, name)]
        + [summary([*results.values(name, k.format(kind)).values()]) for _, k in columns]
        for name, kind in rows
    ]
    return table(["configuration", "motion", "seeds", *(head for head, _ in columns)], cells)


def _ablation(results: Results) -> str:
    """Return the ablations: variants, then single changes of the best one."""
    rows = []
    for name in (c.name for c in results.configurations if c.group == ABLATION):
        values = [results.value(name, 0, key) for _, key in ABLATED]
        rows.append([name, *("" if math.isnan(v) else f"{v:.3f}" for v in values)])
    said = (
        f"All continue one warm-up for {NETWORKS[SHORT].steps} steps; from the sixth line on, "
        f"each changes one thing of {BEST}. Seed 0 alone, so small differences mean nothing."
    )
    return f"{said}\n\n{table(['configuration', *(head for head, _ in ABLATED)], rows)}"
