"""What decides whether adapted weights are better: truth, or where rays meet."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from sdepth.checkpoint import save
from sdepth.depth.daynight import DAY
from sdepth.metrics.depth import DepthErrors
from sdepth.models.depth_net import DepthNet
from sdepth.models.pose_net import PoseNet
from tests.core.test_checkpoint import CARD
from tests.helpers import write_drive
from training.adapt.judge import Seen, differ, know, see
from training.adapt.prepare import divide
from training.adapt.sift import sift
from training.adapt.sources import Options, open_sources
from training.adapt.verdict import decide

SIZE = (64, 96)


def test_judge_does_not_favour_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start, new = tmp_path / "start.safetensors", tmp_path / "new.safetensors"
    for path in (start, new):
        save(path, DepthNet("tiny"), PoseNet("tiny"), dataclasses.replace(CARD, input_size=SIZE))
    root = write_drive(tmp_path / "data", 24, (128, 192), step_m=0.2)
    (source,) = open_sources([root], Options(), tmp_path)
    (stretch,) = divide([sift(source, SIZE)], DAY).train
    wall = 10 - 0.2 * np.arange(len(stretch.frames), dtype=np.float32)
    right = np.tile(wall[:, None, None], (1, *SIZE))
    wrong = right.copy()
    wrong[..., :40] *= 3
    monkeypatch.setattr(
        "training.adapt.judge.predict", lambda path, _: right if path == new else wrong
    )

    known = dataclasses.replace(know(stretch, start), truths={})  # by geometry alone

    assert (known.triangulated[:, :, :40] > 0).mean() > 0.1
    before, after = see(known, start), see(known, new)
    assert np.nanmean(before.off[:, 0]) > 1.5 * np.nanmean(after.off[:, 0])
    assert decide([before], [after], metres_known=True).better
    assert not decide([after], [before], metres_known=True).better


def test_what_is_far_off_counts_no_more_than_what_is_wrong() -> None:
    triangulated = np.ones((8, 8), np.float32)
    depth = triangulated.copy()
    depth[:2] = 1e6  # flow that erred
    off, middle = differ(depth, triangulated)
    assert (off, middle) == (pytest.approx(np.log(1.25) / 4), 0.0)
    assert np.isnan(differ(depth, 0 * depth)).all()


def seen(depth: float, off: float, apart: float = 0.05, photometric: float = 0.1) -> Seen:
    """Return what weights say that answer one depth."""
    one = np.ones(5)
    return Seen(
        np.full((6, 8, 8), depth, np.float32),
        np.tile([off, 0.0], (6, 1)),
        *(photometric * one, apart * one, 0 * one, one),
        *((), ()),
    )


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (seen(10, 0.11), "off from where rays meet"),
        (seen(10, 0.09, photometric=0.11), "photometric error"),
        (seen(10, 0.09, apart=0.08), "disagree"),
        (seen(14, 0.09), "times what it was"),
    ],
)
def test_what_is_worse_is_said(after: Seen, why: str) -> None:
    verdict = decide([seen(10, 0.1)], [after], metres_known=False)
    assert not verdict.better
    assert why in verdict.reasons[0]


def test_metres_that_get_worse_are_said() -> None:
    def errors(abs_rel: float) -> tuple[DepthErrors, ...]:
        return (DepthErrors(abs_rel, 1, 1, 1, 1, 1, 1, 1.0),) * 6

    before = dataclasses.replace(seen(10, 0.1), scaled=errors(0.2), metres=errors(0.2))
    after = dataclasses.replace(seen(10, 0.09), scaled=errors(0.18), metres=errors(0.22))
    assert decide([before], [after], metres_known=True).reasons == (
        "AbsRel in metres 0.200 became 0.220",
    )
    # Truth decides alone: what images say about the same depth does not count beside it.
    worse = dataclasses.replace(seen(10, 0.2), scaled=errors(0.18), metres=errors(0.18))
    assert decide([before], [worse], metres_known=True).better


def test_less_error_is_better_and_metres_may_move_the_scale() -> None:
    assert decide([seen(10, 0.1)], [seen(10, 0.09)], metres_known=False).better
    moved = [dataclasses.replace(seen(14, 0.09))]
    assert decide([seen(10, 0.1)], moved, metres_known=True).better
    lost = [dataclasses.replace(seen(5, 0.09))]
    assert not decide([seen(10, 0.1)], lost, metres_known=True).better
