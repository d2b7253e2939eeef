"""The study of day priors, declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.evaluate.night import evaluate_night
from training.experiments.dasp.claims import CLAIMS
from training.experiments.dasp.configurations import BY_DAY, CONFIGURATIONS, NETWORKS, SHARED
from training.experiments.dasp.tables import PROTOCOL, material, tables_and_plots
from training.experiments.study import Drives, Study, StudyContext


def _evaluate(weights: Path, context: StudyContext) -> dict[str, Any]:
    """Return errors of weights at night and by day."""
    drives = context.drives
    return evaluate_night(weights, drives["test"], drives["test_day"], context.device)


STUDY = Study(
    name="dasp",
    title="Day priors in night training: paired study",
    drives=(
        Drives("data", Path("data/synth/night"), "night", 2000),
        Drives("day", Path("data/synth/day"), "day", 0),
        Drives("night-clips", Path("data/synth/night_clips"), "night", 2000),
        Drives("day-clips", Path("data/synth/day_clips"), "day", 0),
        Drives("day-streets", Path("data/synth/day_streets"), "day", 320000),
        Drives("test", Path("data/synth/night_test"), "night", 1000, scored_as="data"),
        Drives("test-day", Path("data/synth/day_test"), "day", 1000, scored_as="day_data"),
    ),
    networks=NETWORKS,
    warm_up=BY_DAY,
    shared=SHARED,
    configurations=CONFIGURATIONS,
    claims=CLAIMS,
    evaluate=_evaluate,
    material=material,
    protocol=PROTOCOL,
    report=tables_and_plots,
)
