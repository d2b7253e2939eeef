"""The weights that ship, on streets rendered here and never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sdepth.checkpoint import bundled
from training.evaluate import Protocol, evaluate, read_examples
from training.synth.config import DatasetConfig
from training.synth.generate import generate


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Render the same six held-out drives by day and by night, two frames each."""
    folders = {domain: tmp_path_factory.mktemp(domain) / "d" for domain in ("day", "night")}
    for domain, folder in folders.items():
        generate(folder, DatasetConfig(domain, 6, 2, 320, 96, seed=1000), workers=2)  # type: ignore[arg-type]
    return folders


def abs_rel(weights: str, streets: Path, predictors: Sequence[str] = ()) -> list[float]:
    """Return AbsRel of the weights, and of other predictors, median-scaled, 80 m cap."""
    rows, _, _ = evaluate(bundled(weights), read_examples(streets, None, 1), Protocol(), None)
    return [rows[name].abs_rel for name in (weights, *predictors)]


def test_day_weights_beat_a_constant_by_far(streets: dict[str, Path]) -> None:
    ours, constant = abs_rel("day", streets["day"], ["constant"])

    assert ours < 0.65 * constant


def test_night_weights_beat_the_day_weights_at_night(streets: dict[str, Path]) -> None:
    (night,), (day,) = abs_rel("night", streets["night"]), abs_rel("day", streets["night"])

    assert night < day


def test_day_depth_is_metric(streets: dict[str, Path]) -> None:
    _, _, scales = evaluate(
        bundled("day"), read_examples(streets["day"], None, 1), Protocol(), None
    )

    assert 0.8 < float(np.median(scales)) < 1.25
