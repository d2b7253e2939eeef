"""Pages do not point at what is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = sorted(
    path
    for folder in (".", "bags", "docs", "interfaces", "training", "weights")
    for path in (ROOT / folder).glob("*.md")
)


def links(text: str) -> list[str]:
    """Return the targets of a page's links and pictures, in the text or at its end."""
    code = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
    text = code.sub("", text)
    return re.findall(r"\]\(([^)\s]+)\)|^\[[^]]+\]: (\S+)", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_linked_files_exist(page: Path) -> None:
    targets = {(inline or named).split("#")[0] for inline, named in links(page.read_text())}
    local = {target for target in targets if target and not re.match(r"\w+:", target)}
    assert [target for target in sorted(local) if not (page.parent / target).exists()] == []


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
