"""What command lines share: numbers that options take, and errors in a line."""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sdepth.cli import (
    MISTAKE,
    make_parser,
    not_negative,
    one_or_more,
    positive,
    run,
    zero_or_more,
)

BAD = ("", "x", "nan", "inf", "-inf", "-1", "-0.5", "1e999", "1,5", "--", "0x10")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (positive, {"0.5": 0.5, "1e3": 1000.0, "7": 7.0}, (*BAD, "0", "0.0", "-0")),
        (not_negative, {"0": 0.0, "0.25": 0.25}, BAD),
        (one_or_more, {"1": 1, "012": 12}, (*BAD, "0", "1.0", "1e3")),
        (zero_or_more, {"0": 0, "00": 0, "3": 3}, (*BAD, "1.5")),
    ],
)
def test_options_take_the_numbers_that_make_sense(
    kind: Callable[[str], float], good: dict[str, float], bad: tuple[str, ...]
) -> None:
    assert {text: kind(text) for text in good} == good
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError, match=r"expected a (whole )?number"):
            kind(text)


def test_the_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    parser = make_parser("tool", "about")
    parser.add_argument("--fps", type=positive)
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--fps", "0"])
    said = capsys.readouterr().err
    assert "tool: error: argument --fps: got '0', expected a number above 0" in said


@pytest.mark.parametrize("place", ["file.txt/out", "n" * 300])
def test_what_the_system_refuses_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    (tmp_path / "file.txt").write_text("")
    assert run("tool", lambda: (tmp_path / place).mkdir()) == MISTAKE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tool: {tmp_path / place}: ")


def test_a_full_disk_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fill() -> None:
        with Path("/dev/full").open("wb", buffering=0) as device:
            device.write(b"x")

    assert run("tool", fill) == MISTAKE
    assert capsys.readouterr().err == f"tool: {os.strerror(errno.ENOSPC)}\n"
