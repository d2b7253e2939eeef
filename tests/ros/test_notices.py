"""The messages of the diagnostics: one place, one table in the docs."""

from __future__ import annotations

import ast

from sdepth_ros.notices import ERROR, OK, Notice, notice_table, notices
from tests.conftest import ROOT

PACKAGE = ROOT / "ros2_ws/src/sdepth_ros/sdepth_ros"


def test_the_docs_have_every_message_as_the_code_says_it() -> None:
    page = (ROOT / "docs/diagnostics.md").read_text()
    assert page.endswith("\n\n" + notice_table()), "python -m sdepth_ros.notices prints the table"


def test_every_message_is_used() -> None:
    files = [f for f in PACKAGE.glob("*.py") if f.name != "notices.py"]
    trees = [ast.parse(file.read_text()) for file in files]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    named |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert set(notices()) - named == set()


def test_the_way_out_is_said_unless_all_is_well() -> None:
    wrong = Notice(ERROR, "{what} is wrong", "mend {what}")
    assert wrong(what="it {x}").text == "it {x} is wrong; mend it {x}"
    assert Notice(OK, "{what} is well", "nothing")(what="it") == (OK, "it is well", False)
