"""The study of pose refinement, declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.evaluate.motion import evaluate_motion
from training.experiments.sa4depth.claims import CLAIMS
from training.experiments.sa4depth.configurations import CONFIGURATIONS, NETWORKS, NONE
from training.experiments.sa4depth.tables import PROTOCOL, material, tables_and_plots
from training.experiments.study import Drives, Study, StudyContext


def _evaluate(weights: Path, context: StudyContext) -> dict[str, Any]:
    """Return scale, depth and odometry of weights."""
    return evaluate_motion(weights, context.drives["test"], context.device)


STUDY = Study(
    name="sa4depth",
    title="Pose refinement in training: paired study",
    drives=(
        Drives("data", Path("data/synth/day"), "day", 0),
        Drives("clips", Path("data/synth/day_clips"), "day", 0),
        Drives("streets", Path("data/synth/day_streets"), "day", 320000),
        Drives("test", Path("data/synth/day_test"), "day", 1000, scored_as="data"),
    ),
    networks=NETWORKS,
    warm_up=NONE,
    shared=(),
    configurations=CONFIGURATIONS,
    claims=CLAIMS,
    evaluate=_evaluate,
    material=material,
    protocol=PROTOCOL,
    report=tables_and_plots,
)
