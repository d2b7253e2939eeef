"""The study in tables, claims and plots: what is missing shows as missing."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from training.drive_motion import INITIAL, INTENSITY, REFINED, STRAIGHT, UNTURNED
from training.evaluate_motion import LENGTHS_M
from training.experiments.claims import CLAIMS
from training.experiments.plots import write_plots
from training.experiments.records import read_records, write_records
from training.experiments.results import Results, summary
from training.experiments.sa4depth import BEST, NETWORKS, Configuration
from training.experiments.study import Where

Column = tuple[str, str]
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
ABLATION: tuple[Column, ...] = (
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


def write_report(results: Results, where: Where, out: Path) -> Path:
    """Write sa4depth.md, .json and plots of what is finished to ``out``; return the first.

    Records of runs that are not among the results, say of another configuration, stay in the file.
    """
    out.mkdir(parents=True, exist_ok=True)
    claims = [(claim, claim.check(results)) for claim in CLAIMS]
    rows = [f"| {c.id} | {c.text} | {v.verdict} | {v.numbers} |" for c, v in claims]
    parts = ["# Pose refinement in training: paired study", _made_of(results, where), PROTOCOL]
    parts += ["## Claims", "A claim holds if it does in every seed run."]
    parts += ["\n".join(["| id | claim | verdict | numbers |", "|---" * 4 + "|", *rows])]
    for network in dict.fromkeys(c.network for c in results.configurations):
        parts += _network_part(results, network)
    parts += ["## Ablation", _ablation(results), "## Plots"]
    parts += [f"![{title}]({name})" for name, title in write_plots(results, out).items()]
    parts += ["## Missing", _missing(results)]
    path = out / "sa4depth.md"
    path.write_text("\n\n".join(parts) + "\n")
    json_path = path.with_suffix(".json")
    records = {**read_records(json_path), **results.records}
    told = [{"id": c.id, "claim": c.text, **vars(v)} for c, v in claims]
    write_records(json_path, records, test=str(where.test), claims=told)
    return path


def _made_of(results: Results, where: Where) -> str:
    """Return what was trained and tested on what."""
    lines = ["Made by `python -m training.experiments sa4depth`.", ""]
    for found in results.found.values():
        first = next(iter(found.values()))
        size = f"{first['drives']} drives, {first['images']} images, {first['pairs']} pairs"
        given = "video, and speed where the name says so"
        lines += [f"- trained on {where.data} ({given}), tested on {where.test}: {size}"]
        break
    seen: dict[str, list[float]] = {}
    for run, made in results.made:
        config = run.config()
        width, height = config.data.size[::-1]
        what = "warm-up" if run.configuration is None else "configurations"
        text = (
            f"{run.network}, {what}: {config.optim.steps} steps of {config.optim.batch} at "
            f"{width}x{height}, {made['device']}, PyTorch {made['torch']}"
        )
        seen.setdefault(text, []).append(made["seconds_per_step"])
    lines += [
        f"- {text}; runs: {len(s)}, {np.median(s):.2f} s a step (median)"
        for text, s in seen.items()
    ]
    return "\n".join(lines)


def _network_part(results: Results, network: str) -> list[str]:
    """Return the tables of the configurations of a network, ablation aside."""
    lines = [c for c in results.configurations if c.network == network and c.group != "ablation"]
    names = [c.name for c in lines]
    nets = NETWORKS[network]
    title = f"## Depth network {nets.depth}, pose network {nets.pose}"
    base = next((n for n in names if n.startswith("base")), "")
    return [
        title,
        _table(results, [(n, "") for n in names], DEPTH, lines),
        "Scales of depth and motion, without refinement at test time and with it:",
        _table(results, _kinds(results, names, (INITIAL, REFINED, INTENSITY)), ALIGNMENT, lines),
        f"Odometry ({STRAIGHT} is the same whatever was trained):",
        _table(
            results,
            _kinds(results, names[:1], (STRAIGHT, UNTURNED))
            + _kinds(results, names, (INITIAL, REFINED, INTENSITY)),
            ODOMETRY,
            lines,
        ),
        f"Difference to {base}, per seed (mean; seeds in which it is lower, which is better):",
        _differences(results, [n for n in names if n != base], base),
    ]


def _kinds(results: Results, names: list[str], only: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return rows of configuration and kind of motion, of these kinds."""
    rows = []
    for name in names:
        kinds = results.kinds(name) if name in results.found else [""]
        rows += [(name, k) for k in kinds if k in only or not k]
    return rows


def _table(
    results: Results,
    rows: list[tuple[str, str]],
    columns: tuple[Column, ...],
    lines: list[Configuration],
) -> str:
    """Return a table of configurations (and kinds of motion), mean ± deviation over seeds."""
    by_kind = any(kind for _, kind in rows)
    asked = {c.name: len(c.seeds) for c in lines}
    head = ["configuration", *(["motion"] if by_kind else []), "seeds", *(c for c, _ in columns)]
    text = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, kind in rows:
        seeds = f"{len(results.found.get(name, {}))} of {asked[name]}"
        cells = [summary([*results.values(name, k.format(kind)).values()]) for _, k in columns]
        text.append(f"| {' | '.join([name, *([kind] if by_kind else []), seeds, *cells])} |")
    return "\n".join(text)


def _differences(results: Results, names: list[str], base: str) -> str:
    """Return the table of paired differences to the baseline."""
    head = ["configuration", *(column for column, _ in PAIRED)]
    text = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name in names:
        cells = []
        for _, key in PAIRED:
            change = [p.mine - p.other for p in results.pairs(name, key, base)]
            fewer = f"({sum(d < 0 for d in change)} of {len(change)})"
            cells.append(f"{np.mean(change):+.3f} {fewer}" if change else "")
        text.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(text)


def _ablation(results: Results) -> str:
    """Return the ablations beside baseline and best, of the ablations' seed alone."""
    lines = [c for c in results.configurations if c.group == "ablation"]
    names = ["base", BEST, *(c.name for c in lines)]
    head = ["configuration", *(column for column, _ in ABLATION)]
    text = [
        f"Each line changes one thing of {BEST}; seed 0 alone, so small differences mean nothing.",
        "",
        f"| {' | '.join(head)} |",
        "|---" * len(head) + "|",
    ]
    for name in names:
        values = [results.value(name, 0, key) for _, key in ABLATION]
        cells = ["" if math.isnan(v) else f"{v:.3f}" for v in values]
        text.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(text)


def _missing(results: Results) -> str:
    """Return what has no numbers, and the command that gives them."""
    if not results.missing:
        return "Nothing."
    seeds: dict[tuple[str, str], list[str]] = {}
    for run, said in results.missing:
        if run.configuration:
            seeds.setdefault((run.configuration.name, said), []).append(str(run.seed))
    rows = [f"- {name}, seed {', '.join(s)}: {said}" for (name, said), s in seeds.items()]
    names = dict.fromkeys(name for name, _ in seeds)
    command = f"python -m training.experiments sa4depth --only {' '.join(names)}"
    return "\n".join([*rows, "", f"`{command}`"])
