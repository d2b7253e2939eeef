"""The study: which runs, in what order, that they pair, and what is said about them."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from sdepth.config import load_config
from sdepth.errors import ConfigError
from tests.helpers import write_drive
from training.config import TrainConfig
from training.data.open_drive import read_drive
from training.evaluate.drive_motion import chain, true_motions
from training.evaluate.motion import evaluate_motion
from training.experiments import execute
from training.experiments.__main__ import QUICK, RESULTS, STUDIES, main
from training.experiments.claims import FAILS, HOLDS, NOT_RUN, lower, within
from training.experiments.execute import EVALUATION, FAILED, state
from training.experiments.records import Record, read_records
from training.experiments.results import Results, collect, summary
from training.experiments.sa4depth import study
from training.experiments.sa4depth.configurations import BEST, NETWORKS, SHORT
from training.experiments.study import StudyContext, plan


def _context(name: str = "sa4depth", out: Path = Path("out")) -> StudyContext:
    """Return a study with the drives it was published with."""
    return StudyContext(STUDIES[name], out, {d.name: d.default for d in STUDIES[name].drives})


ALL = plan(_context())


def _results(**values: dict[int, float]) -> Results:
    """Return results with one number, ``x``, per configuration and seed."""
    found = {name: {s: {"x": v} for s, v in seeds.items()} for name, seeds in values.items()}
    return Results((), found, {}, [], [], {})


@pytest.mark.parametrize("name", [*STUDIES])
def test_every_configuration_is_valid(name: str) -> None:
    for run in plan(_context(name)):
        assert run.config().seed == run.seed


@pytest.mark.parametrize("name", [*STUDIES])
def test_folders_and_names_are_unique(name: str) -> None:
    planned, names = plan(_context(name)), [c.name for c in STUDIES[name].configurations]

    assert len({run.folder for run in planned}) == len(planned)
    assert len({*names}) == len(names)


def test_configurations_of_a_seed_differ_in_nothing_but_their_line() -> None:
    first = [r for r in ALL if r.configuration and r.network == "light" and r.seed == 1]
    base = first[0].config()

    for run in first:
        config = run.config()
        same = dataclasses.replace(config, name=base.name, loss=base.loss, refine=base.refine)
        assert same == base
    assert len({run.start for run in first}) == 1


def test_ablation_continues_the_warm_up_of_the_main_lines() -> None:
    starts = {r.configuration.name: r.start for r in ALL if r.configuration and r.seed == 0}

    assert NETWORKS[SHORT].warm_up == "light"
    assert starts["base-short"] == starts["intensity"] == starts["base"]
    assert starts["base-lightpose"] != starts["base"]


@pytest.mark.parametrize("name", [*STUDIES])
def test_warm_up_comes_before_what_starts_from_it(name: str) -> None:
    done: set[Path] = set()
    for run in plan(_context(name)):
        assert run.start is None or run.start in done
        done.add(run.weights)


def test_first_runs_of_the_study_already_pair() -> None:
    assert [r.configuration.name if r.configuration else "" for r in ALL[:6]] == [
        "", "base", BEST, "", "base", BEST,
    ]  # fmt: skip


def test_printed_command_makes_the_same_run() -> None:
    for run in ALL:
        words = shlex.split(run.command())
        overrides = [words[i + 1] for i, word in enumerate(words) if word == "--set"]

        assert words[words.index("--out") + 1] == str(run.folder)
        assert load_config(TrainConfig, Path(words[3]), overrides) == run.config()


def test_only_keeps_what_is_named_and_its_warm_up() -> None:
    kept = plan(_context(), ["GC"], [2])

    assert [r.name for r in kept] == ["warm-up (light), seed 2", "GC, seed 2"]


def test_name_that_is_none_says_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"not a configuration; known.*base"):
        plan(_context(), ["bas"])


def test_claim_holds_only_if_it_does_in_every_seed() -> None:
    results = _results(mine={0: 1.0, 1: 3.0}, other={0: 2.0, 1: 2.5, 2: 0.0}, better={1: 2.0})

    assert lower("x", "better", "other")(results).verdict == HOLDS
    assert lower("x", "better", "other", factor=0.5)(results).verdict == FAILS
    assert lower("x", "mine", "other")(results).verdict == FAILS
    assert lower("x", "mine", "other")(results).numbers.endswith("(1 of 2 seeds)")
    assert within("x", "mine", 0.5, 3.5)(results).verdict == HOLDS


def test_claim_about_what_was_not_run_says_so() -> None:
    assert lower("x", "mine", "other")(_results(mine={0: 1.0})).verdict == NOT_RUN


def test_deviation_is_that_of_a_sample() -> None:
    assert summary([1.0, 3.0]) == "2.000 ± 1.414"
    assert (summary([1.0]), summary([])) == ("1.000", "")


def test_chained_true_motions_are_the_true_path(tmp_path: Path) -> None:
    drive = read_drive(write_drive(tmp_path, frames=5) / "sequences" / "00")

    path = chain(true_motions(drive))

    assert path[:, 2, 3] == pytest.approx([0, 0.5, 1, 1.5, 2])


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Options of a study of two walls."""
    day, test = tmp_path / "day", tmp_path / "test"
    for root in (day, test):
        for name in ("00", "01"):
            write_drive(root, 5, (64, 96), name=name)
    sets = [part for o in QUICK for part in ("--set", o)]
    where = ["--out", str(tmp_path / "out"), "--data", str(day), "--test", str(test)]
    only = ["--only", "base", BEST, "--seeds", "0", "--results", str(tmp_path / "results")]
    return ["sa4depth", *where, *only, "--device", "cpu", *sets]


@pytest.mark.slow
def test_study_trains_evaluates_reports_and_is_not_done_twice(
    folders: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(folders) == 0
    monkeypatch.setattr(execute, "train", None)
    monkeypatch.setattr(study, "evaluate_motion", None)
    assert main(folders) == 0  # neither is called again

    text = (tmp_path / "results" / "sa4depth.md").read_text()
    found = json.loads((tmp_path / "results" / "sa4depth.json").read_text())
    assert f"- {BEST}, seed 1, 2: to do" in text
    assert set(found["runs"]) == {"warmup/light/seed0", "base/seed0", f"{BEST}/seed0"}
    assert {c["claim"]: c["verdict"] for c in found["claims"]}[
        "the networks that run are the same"
    ] == HOLDS
    assert len([*(tmp_path / "results").glob("*.png")]) == 3


@pytest.mark.slow
def test_what_was_reported_stays_known_without_its_runs(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "results" / "sa4depth.md"
    assert main(folders) == 0
    before = report.read_text()
    shutil.rmtree(tmp_path / "out")

    assert main(folders) == 0  # nothing to do: report alone
    assert not (tmp_path / "out").exists()
    assert report.read_text() == before
    assert main([*folders, "--list", "--set", "optim.lr=1.0"]) == 0
    assert "to do; recorded of another configuration" in capsys.readouterr().out
    assert main([*folders, "--again", "--set", "optim.steps=2"]) == 0
    assert (tmp_path / "out" / "base" / "seed0" / EVALUATION).is_file()


@pytest.mark.parametrize("name", [*STUDIES])
def test_published_results_are_of_the_study_as_it_is_now(name: str) -> None:
    path = RESULTS / f"{name}.json"
    records = read_records(path)
    results = collect(plan(_context(name, Path("elsewhere"))), records)

    assert len(results.records) == len(records) > 0
    assert json.loads(path.read_text())["claims"] == [
        {"id": c.id, "claim": c.text, **vars(c.check(results))} for c in STUDIES[name].claims
    ]


def test_record_is_of_another_configuration_once_the_studys_own_changed(tmp_path: Path) -> None:
    run = plan(_context(out=tmp_path), ["base"], [0])[0]
    before = {**run.values(), "data": {"flip": False}}

    assert Record(run.values()).fits(run)
    assert not Record(before).fits(run)


@pytest.mark.slow
def test_run_that_diverges_is_noted_and_the_study_goes_on(
    folders: list[str], tmp_path: Path
) -> None:
    at = folders.index("--only") + 3
    assert main([*folders[:at], *folders[at:], "--set", "refine.level_weight=.inf"]) == 0

    out = tmp_path / "out"
    assert (out / "base" / "seed0" / EVALUATION).is_file()
    assert "not a number at step 0" in (out / BEST / "seed0" / FAILED).read_text()


def test_evaluation_says_what_is_judged(tmp_path: Path) -> None:
    weights = RESULTS.parents[1] / "weights" / "day.safetensors"
    found = evaluate_motion(weights, write_drive(tmp_path, 4, (96, 320)), "cpu")

    assert (found["drives"], found["images"], found["pairs"]) == (1, 4, 3)
    assert np.isfinite(found["alignment"]["intensity"]["median_rho"])
    assert found["odometry"]["straight ahead"]["ate_m"] == pytest.approx(0, abs=1e-6)


def test_a_run_of_another_configuration_is_not_taken_for_this_one(tmp_path: Path) -> None:
    run = plan(_context(out=tmp_path), ["base"], [0])[0]
    run.folder.mkdir(parents=True)
    (run.folder / "config.yaml").write_text("name: else\n")

    assert state(run) == "other configuration"
    assert NETWORKS["light"].warmup_steps == run.config().optim.steps
