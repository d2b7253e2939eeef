"""What the doctor says of models."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdepth.checkpoint import bundled, read_card
from sdepth.doctor import Finding, models, report


def test_a_checkpoint_that_cannot_be_used_is_named_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"not weights")

    wrong = report([*models({"day": bundled("day"), "night": bad}), Finding("computer", "x")])

    text = capsys.readouterr().out
    assert wrong == 1
    height, width = read_card(bundled("day")).input_size
    known = f"lite0, {width}x{height}, metres, licence Apache-2.0, "
    assert f"  day network              {known}" in text
    assert "! night network" in text
    assert "bad.safetensors" in text
