"""The linters of ROS, for ``colcon test`` in either package; skipped where they are missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

CONFIG = Path(__file__).parent / "flake8.ini"


def test_flake8() -> None:
    """Code is as flake8 and its plugins want it."""
    flake8 = pytest.importorskip("ament_flake8.main", reason="ament_flake8 is not installed")
    count, errors = flake8.main_with_errors(argv=["--config", str(CONFIG)])
    assert count == 0, "\n".join(errors)


def test_pep257() -> None:
    """Docstrings are in Google's form."""
    pep257 = pytest.importorskip("ament_pep257.main", reason="ament_pep257 is not installed")
    assert pep257.main(argv=["--convention", "google"]) == 0


def test_xmllint() -> None:
    """The manifest follows its schema, which is read from the network."""
    xmllint = pytest.importorskip("ament_xmllint.main", reason="ament_xmllint is not installed")
    if shutil.which("xmllint") is None:
        pytest.skip("xmllint is not installed (libxml2-utils)")
    assert xmllint.main(argv=["package.xml"]) == 0
