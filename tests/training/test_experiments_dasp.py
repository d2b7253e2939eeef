"""The study of day priors: what its lines train, its claims, and the way through the pipeline."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.helpers import write_drive
from training.data.drive import BLURRED, MOVING, TEXTURELESS
from training.evaluate.side_by_side import write_sheet
from training.experiments import execute
from training.experiments.__main__ import QUICK, STUDIES, main
from training.experiments.claims import FAILS, HOLDS, NOT_RUN
from training.experiments.dasp.claims import CLAIMS, close, gains_more
from training.experiments.dasp.configurations import VIDEO
from training.experiments.dasp.tables import tables_and_plots
from training.experiments.results import Results
from training.experiments.run import Run
from training.experiments.study import StudyContext, plan

STUDY = STUDIES["dasp"]
CONTEXT = StudyContext(STUDY, Path("out"), {d.name: d.default for d in STUDY.drives})
ALL = plan(CONTEXT)
LIGHT = [r for r in ALL if r.network == "light"]
LITE = [r for r in ALL if r.network == "lite0"]


def _found(abs_rel: float, without_texture: float = 1.0) -> dict[str, Any]:
    """Return an evaluation."""
    errors = {"abs_rel": abs_rel, "rmse": 9.0, "delta1": 0.5}
    regions = {"all": errors, "blurred": errors, "moving": errors}
    regions["textureless"] = {**errors, "abs_rel": without_texture}
    scale = {"median": 1.0, "spread": 0.1}
    return {
        **{time: regions for time in ("night", "day", "constant")},
        "scale": {"night": scale, "day": scale},
        "inconsistency": 0.1,
    }


def _results(**found: dict[str, Any]) -> Results:
    """Return results of one seed."""
    every = {name: {0: numbers} for name, numbers in found.items()}
    return Results(STUDY.configurations, every, {}, [], [], {})


def test_warm_up_is_the_day_stage() -> None:
    config = next(r for r in LIGHT if r.configuration is None).config()

    assert (config.domain, config.data.train) == ("day", ("data/synth/day",))
    assert config.model.init_from == "training/weights/light.safetensors"
    assert config.loss.known_motion
    assert config.loss.motion_weight > 0
    assert (config.night.enhance, config.night.static_quantile) == ("", 0)
    assert config.prior.weight == config.loss.projection_weight == 0


def test_day_model_of_lite0_has_seen_truth_by_day_alone() -> None:
    day = next(r for r in LITE if r.configuration is None).config()
    lines = [r.config() for r in LITE if r.configuration and r.configuration.trains]

    assert (day.model.imagenet, day.model.init_from) == (True, "")
    assert day.data.train == ("data/synth/day_clips", "data/synth/day_streets")
    assert day.truth.weight > 0
    assert day.crop.darkened == ()
    assert {c.data.train for c in lines} == {("data/synth/night_clips",)}
    assert {c.truth.weight for c in lines} == {0.0}


def test_every_line_starts_from_its_seeds_day_model_and_learns_its_prior_from_it() -> None:
    for run in ALL:
        config, line = run.config(), run.configuration
        if line and line.trains:
            day = f"out/warmup/{run.network}/seed{run.seed}/weights.safetensors"
            assert config.model.init_from == config.prior.day_weights == day == str(run.start)
            assert config.loss.known_motion == (not line.name.startswith(VIDEO))
            assert (config.loss.motion_weight > 0) == config.loss.known_motion


@pytest.mark.parametrize("runs", [LIGHT, LITE])
def test_lines_of_a_seed_differ_in_nothing_but_what_they_say(runs: list[Run]) -> None:
    apart = ("spread-lite0", "why-lite0")  # in length, and in how far frames are apart
    mine = [r for r in runs if r.configuration and r.configuration.trains and r.seed == 2]
    lines = [r.config() for r in mine if r.configuration and r.configuration.group not in apart]
    said = {"name", "loss", "night", "prior", "refine"}

    for config in lines:
        assert dataclasses.replace(lines[0], **{k: getattr(config, k) for k in said}) == config
    assert len({str((c.loss, c.night, c.prior, c.refine)) for c in lines}) == len(lines)


def test_day_line_is_the_warm_up_itself() -> None:
    warm_up, day = LIGHT[:2]

    assert (day.name, day.weights, day.overrides) == (
        "day, seed 0", warm_up.weights, warm_up.overrides,
    )  # fmt: skip
    assert day.folder != warm_up.folder


def test_no_claim_is_about_what_is_not_trained() -> None:
    everything = _results(**{c.name: _found(0.3) for c in STUDY.configurations})

    assert NOT_RUN not in {claim.check(everything).verdict for claim in CLAIMS}
    assert {claim.check(_results()).verdict for claim in CLAIMS} == {NOT_RUN}


def test_gain_is_compared_by_its_share() -> None:
    before, after, harm = _found(0.4, 0.8), _found(0.36, 0.6), _found(0.5, 0.9)
    results = _results(before=before, after=after, harm=harm)

    assert gains_more("after", "before", "textureless")(results).verdict == HOLDS
    assert gains_more("after", "before", "blurred")(results).verdict == FAILS  # as much
    assert gains_more("harm", "before", "textureless")(results).verdict == FAILS  # less harm
    assert close("night.all.abs_rel", "after", "before", 0.11)(results).verdict == HOLDS
    assert close("night.all.abs_rel", "after", "before", 0.09)(results).verdict == FAILS


def test_what_was_not_run_shows_as_empty(tmp_path: Path) -> None:
    text = "\n".join(tables_and_plots(_results(night=_found(0.3)), CONTEXT, tmp_path))

    assert "| night | 1 of 3 | 0.300 |" in text
    assert "| patch | 0 of 3 |  |  |" in text
    assert "| night model (dasp) |  |  |" in text


def test_drives_of_another_study_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sa4depth", "--list", "--test-day", "anywhere"]) == 2
    assert "--test-day: sa4depth uses no such drives" in capsys.readouterr().err


def test_sheet_shows_any_number_of_depths_under_their_names(tmp_path: Path) -> None:
    image, truth = np.zeros((20, 40, 3), np.uint8), np.full((20, 40), 9, np.float32)
    write_sheet(tmp_path / "s.png", [(image, truth, 2 * truth, truth)], 100, ("i", "a", "b", "t"))

    sheet = cv2.imread(str(tmp_path / "s.png"))
    assert sheet.shape[1] == 4 * 100
    assert (sheet[-50:, 100:200] == sheet[-50:, 300:]).all()
    assert (sheet[-50:, 200:300] == sheet[-50:, 300:]).all()  # scaled to the truth


@pytest.mark.slow
def test_study_goes_from_drives_to_report_and_is_not_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["dasp", "--out", str(tmp_path / "out"), "--results", str(tmp_path / "results")]
    for d in STUDY.drives:
        root = write_drive(tmp_path / d.name, 5, (64, 96))
        options += [f"--{d.option}", str(root)]
        for path in (root / "sequences" / "00" / "mask_2").iterdir():
            cv2.imwrite(str(path), np.full((64, 96), MOVING | TEXTURELESS | BLURRED, np.uint8))
    options += ["--only", "day", "night", "dasp", "--seeds", "0", "--device", "cpu"]
    options += [part for o in QUICK for part in ("--set", o)]

    assert main(options) == 0
    monkeypatch.setattr(execute, "train", None)
    assert main(options) == 0

    found = json.loads((tmp_path / "results" / "dasp.json").read_text())
    assert set(found["runs"]) == {f"{n}/seed0" for n in ("warmup/light", "day", "night", "dasp")}
    assert found["runs"]["day/seed0"]["evaluation"]["night"]["blurred"]["pixels"] == 5 * 64 * 96
    text = (tmp_path / "results" / "dasp.md").read_text()
    assert "](dasp_curves.png)" in text
    assert "](dasp_sheet.png)" in text
    assert "- patch, seed 0, 1, 2: to do" in text
