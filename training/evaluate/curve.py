"""Rendered and real scores over the steps of a training: where they part."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from tqdm import tqdm

from sdepth.checkpoint import read_card
from sdepth.errors import DataError
from sdepth.files import write_json
from sdepth.markdown import table
from training.evaluate.depth import judge
from training.evaluate.examples import Example, read_examples
from training.evaluate.predictors import Predictor, of_checkpoint
from training.evaluate.real import RealScore, watch
from training.evaluate.real_sets import CACHE, RealSet, load_sets
from training.evaluate.scoring import Protocol

RENDERED = "rendered"
SHOWN_IMAGES = 64
"""So many rendered images tell enough."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("run", type=Path, help="folder of a training with kept/*.safetensors")
    add_sets(parser)
    parser.add_argument("--png", type=Path, help="default: RUN/curve.png")
    parser.add_argument("--json", type=Path, help="default: RUN/curve.json; what it holds is kept")


def add_sets(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what checkpoints are scored on."""
    parser.add_argument("--rendered", type=Path, help="drives that were not trained on")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="(%(default)s)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="of stereo truth (%(default)s)")


def read_sets(o: argparse.Namespace) -> tuple[list[RealSet], list[Example]]:
    """Return the real sets and the rendered images that the options name.

    Raises:
        DataError: there are none.
    """
    sets = load_sets(o.data, 3, o.cache)[0]
    rendered = _rendered(o.rendered) if o.rendered else []
    if not sets and not rendered:
        raise DataError(f"{o.data}: no real images with truth, and no --rendered DRIVES")
    return sets, rendered


def draw(o: argparse.Namespace) -> None:
    """Score the checkpoints that were not yet, print AbsRel, and write JSON and picture.

    Raises:
        DataError: the run kept none, or there is nothing to score them on.
    """
    checkpoints = sorted((o.run / "kept").glob("*.safetensors"))
    if not checkpoints:
        raise DataError(f"{o.run / 'kept'}: no checkpoints; train with --set log.keep_every=250")
    sets, rendered = read_sets(o)
    out = o.json or o.run / "curve.json"
    known: dict[str, Any] = json.loads(out.read_text()) if out.is_file() else {}
    wanted = {*(one.name for one in sets), *([RENDERED] if rendered else [])}
    for path in tqdm(checkpoints, unit="checkpoint"):
        card = read_card(path)
        found = known.get(card.sha256, {"scores": {}})
        if not wanted <= found["scores"].keys():
            scores = score_sets(of_checkpoint(path), sets, rendered)
            known[card.sha256] = {"step": card.step, "scores": scores}
            write_json(out, known)
    rows = sorted((known[read_card(p).sha256] for p in checkpoints), key=lambda row: row["step"])
    print(_table(rows))
    plot(o.png or o.run / "curve.png", rows)


def _rendered(root: Path) -> list[Example]:
    """Return images of rendered drives, evenly spread."""
    count = sum(1 for _ in read_examples(root, None, 1))
    return list(islice(read_examples(root, None, max(1, count // SHOWN_IMAGES)), SHOWN_IMAGES))


def score_sets(
    predict: Predictor, sets: list[RealSet], rendered: list[Example]
) -> dict[str, dict[str, float]]:
    """Return the scores by set."""
    found = watch(sets, predict)
    if rendered:
        errors = judge({"": predict}, rendered, Protocol())
        found[RENDERED] = RealScore.of(errors.rows[""], errors.metres[""])
    return {name: asdict(score) for name, score in found.items()}


def _table(rows: list[dict[str, Any]]) -> str:
    """Return AbsRel by median scaling as Markdown."""
    names = list(rows[0]["scores"])
    cells = [
        [row["step"], *(f"{row['scores'][name]['abs_rel']:.3f}" for name in names)] for row in rows
    ]
    return table(["step", *names], cells)


def plot(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a PNG: AbsRel by set over steps, scaled on the left and in metres on the right."""
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    steps = [row["step"] for row in rows]
    settled = rows[len(rows) // 4 :]
    for axes, key in zip(panels, ("abs_rel", "abs_rel_metres"), strict=True):
        for color, name in enumerate(rows[0]["scores"]):
            values = [row["scores"][name][key] for row in rows]
            style = {"color": "k", "lw": 2.5} if name == RENDERED else {"color": f"C{color}"}
            axes.plot(steps, values, "o-", ms=4, label=name, **style)
        axes.set(
            xlabel="training step", title="in metres" if "metres" in key else "median scaling"
        )
        axes.grid(alpha=0.3)
    panels[0].set(ylabel="AbsRel")
    top = max(score["abs_rel"] for row in settled for score in row["scores"].values())
    panels[0].set_ylim(0, 1.3 * top)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    figure.savefig(path, dpi=110)
