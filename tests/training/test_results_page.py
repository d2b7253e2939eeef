"""The pages of results and protocols say what the protocols are and what was measured."""

from __future__ import annotations

import json
import re

import pytest

from sdepth.checkpoint import bundled, read_card
from tests.conftest import ROOT
from training.evaluate.depth import METRICS
from training.evaluate.page import split
from training.evaluate.protocols import PROTOCOLS, OdometryProtocol
from training.evaluate.real import tables

PAGE = (ROOT / "docs/results.md").read_text()
PAGES = PAGE + (ROOT / "training/doc/protocols.md").read_text()
SECTIONS = dict(re.findall(r"^### `(.+?)`\n(.*?)(?=^##|\Z)", PAGES, re.MULTILINE | re.DOTALL))


def test_every_protocol_has_its_section() -> None:
    assert sorted(SECTIONS) == sorted([*PROTOCOLS, "kitti-odom"])


@pytest.mark.parametrize("name", SECTIONS)
def test_section_states_its_protocol_and_has_a_row_for_us(name: str) -> None:
    protocol = OdometryProtocol() if name == "kitti-odom" else PROTOCOLS[name]

    assert f"> {protocol.describe()}\n" in SECTIONS[name]
    if name != "synth":
        assert "\n| sdepth |" in SECTIONS[name]


@pytest.mark.parametrize("name", SECTIONS)
def test_rows_are_as_long_as_their_header(name: str) -> None:
    lines = [line for line in SECTIONS[name].splitlines() if line.startswith("|")]

    assert len({line.count("|") for line in lines}) == 1


def test_rows_of_ours_are_what_was_measured() -> None:
    rows = re.findall(
        r"^\| (.+?) \| \w+ \| (.+) \| (\w+\.json) \|$", SECTIONS["synth"], re.MULTILINE
    )

    assert len(rows) == 6
    for predictor, cells, file in rows:
        errors = json.loads((ROOT / "training/results" / file).read_text())["errors"][predictor]
        assert cells == " | ".join(f"{errors[metric]:.3f}" for metric in METRICS), file


def test_the_results_are_one_page() -> None:
    assert len(PAGE.splitlines()) <= 160


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_headlines_are_what_was_measured(page: str) -> None:
    readme = (ROOT / page).read_text()
    measured = {}
    for domain in ("day", "night"):
        found = json.loads((ROOT / f"training/results/{domain}_on_{domain}.json").read_text())
        measured[f"depth by {domain}"] = found["errors"][domain], found["errors"]["per-pixel mean"]
    real = json.loads((ROOT / "training/results/real.json").read_text())["sets"]
    for name, at in (("kitti-eigen", "depth, real"), ("KITTI 06", "on KITTI 06")):
        errors = real[name]["errors"]
        measured[at] = errors["day"], errors["per-pixel mean"]

    for at, rows in measured.items():
        text = readme[readme.index(at) :].replace("\n", " ")[:200]
        ours, beside = (f"{row['abs_rel']:.3f}" for row in rows)
        assert re.search(rf"\b{ours}\b.*\b{beside}\b", text), (at, ours, beside)
    for domain, (row, _) in zip(("day", "night"), measured.values(), strict=False):
        assert f"{100 * row['delta1']:.0f} %" in readme, domain


def test_real_scores_are_of_the_weights_that_ship() -> None:
    found = json.loads((ROOT / "training/results/real.json").read_text())

    assert split(PAGE, "real")[1] == tables(found) + "\n"
    ours = {name: read_card(bundled(name)).sha256 for name in ("day", "night")}
    assert found["weights"] == ours, "run the command that the page gives above its table"
