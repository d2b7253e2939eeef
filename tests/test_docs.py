"""Pages do not point at what is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.helpers import dotted

FOLDERS = (
    *(".", "bags", "docs", "interfaces", "training", "training/doc", "training/results"),
    "ros2_ws/src/sdepth_ros/doc",
)
PAGES = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.md"))


def links(text: str) -> list[str]:
    """Return the targets of a page's links and pictures, in the text or at its end."""
    code = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
    text = code.sub("", text)
    found = re.findall(r"\]\(([^)\s]+)\)|^\[[^]]+\]: (\S+)", text, re.MULTILINE)
    return [inline or named for inline, named in found]


def anchors(page: Path) -> set[str]:
    """Return what GitHub calls a page's headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_linked_files_exist(page: Path) -> None:
    local = {target for target in links(page.read_text()) if not re.match(r"\w+:", target)}
    missing = []
    for target in sorted(local):
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            missing.append(target)
    assert missing == []


def test_the_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


def test_the_training_page_names_every_configuration() -> None:
    text = (ROOT / "training/README.md").read_text()
    section = text[text.index("## Configurations") : text.index("## Commands")]
    rows = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    named = {name for row in rows[1:] for name in re.findall(r"`(\w+)`", row)}
    assert named == {path.stem for path in (ROOT / "training/configs").glob("*.yaml")}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_tells_of_former_times(page: Path) -> None:
    words = r"\b(formerly|no longer|any more|previously|shipped before|used to be)\b"
    assert re.findall(words, page.read_text(), re.IGNORECASE) == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached:
            reached.add(page)
            targets = (page.parent / link.partition("#")[0] for link in links(page.read_text()))
            ahead += [path.resolve() for path in targets if path.suffix == ".md"]
    assert {*PAGES} - reached == {ROOT / "interfaces/README.md"}  # for who changes set-up


@pytest.mark.parametrize("node", ["depth", "odometry"])
def test_every_parameter_is_on_the_page_of_its_node(node: str) -> None:
    folder = ROOT / "ros2_ws/src/sdepth_ros"
    page = (folder / f"doc/{node}_node.md").read_text()
    listed = yaml.safe_load((folder / f"config/{node}.param.yaml").read_text())
    parameters = listed["/**"]["ros__parameters"]
    for name, _ in dotted(parameters):
        rows = [row for row in page.splitlines() if f"`{name.rpartition('.')[0]}." in row]
        key = name.rpartition(".")[2]
        assert f"`{name}`" in page or any(f"`.{key}`" in row for row in rows), name


def test_the_architecture_is_that_of_the_code() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    bases = (ROOT, ROOT / "ros2_ws/src/sdepth", ROOT / "ros2_ws/src/sdepth_ros")
    named = re.findall(r"`([\w./]+\.py)`", text)
    files = {n: base / n for n in named for base in bases if (base / n).is_file()}
    assert {*named} == {*files}
    steps = re.findall(r"^\| \d+ \| `(.+?)` \| `(.+?)` \|", text, re.MULTILINE)
    assert len(steps) >= 20
    unknown = [
        (name, what)
        for name, what in steps
        if not re.search(rf"^ *(def|class) {what}\b", files[name].read_text(), re.MULTILINE)
    ]
    assert unknown == []


def test_every_feature_claimed_has_evidence() -> None:
    text = (ROOT / "docs/features.md").read_text()
    table = [line.split("|") for line in text.splitlines() if line.startswith("| ")]
    assert len({len(cells) for cells in table}) == 1
    claims = {cells[1].strip(): cells[2].strip() for cells in table[1:]}
    assert len(claims) > 25
    unproven = {name: c for name, c in claims.items() if "](" not in c and "][" not in c}
    assert all(claim.startswith("\N{EN DASH}") for claim in unproven.values()), unproven
    used, defined = re.findall(r"\]\[([^]]+)\]", text), re.findall(r"^\[([^]]+)\]:", text, re.M)
    assert set(used) == set(defined)
    answers = re.findall(r"^\d+\. \*\*.+?(?=^\d+\. |^$)", text, re.DOTALL | re.MULTILINE)
    assert len(answers) == 15
    assert all("](" in answer or "][" in answer for answer in answers)
