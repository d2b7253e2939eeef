"""Scores of a run whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest

from demo.scores import CONSTANT, FUSED, NODE, PER_PIXEL, score_run
from demo.tables import depth_table, path_length, runtime_table
from sdepth.errors import DataError
from tests.demo.runs import make_run


def test_depth_ten_percent_too_far_has_that_error_in_metres_and_none_scaled() -> None:
    row = score_run(make_run(factor=1.1)).row(NODE)
    assert row.metric.abs_rel == pytest.approx(0.1, abs=1e-6)
    assert row.scaled.abs_rel == pytest.approx(0.0, abs=1e-6)
    assert row.frames == 11
    assert score_run(make_run()).row(FUSED).metric.abs_rel == pytest.approx(0.02, abs=1e-6)


def test_exact_odometry_has_no_error_and_straight_ahead_has_some() -> None:
    scores = score_run(make_run())
    assert scores.odometry is not None
    assert scores.odometry["none"].ate_m == pytest.approx(0, abs=1e-9)
    assert scores.straight["none"].ate_m > 0.3


def test_trivial_answers_are_judged_on_the_frames_the_node_answered() -> None:
    scores = score_run(make_run())
    assert {scores.row(p).frames for p in (NODE, PER_PIXEL, CONSTANT)} == {11}
    assert scores.row(PER_PIXEL).metric.abs_rel < scores.row(CONSTANT).metric.abs_rel
    assert np.isnan(scores.abs_rel[NODE][5])


def test_day_and_night_are_scored_apart() -> None:
    scores = score_run(make_run())
    assert scores.row(NODE, "day").frames + scores.row(NODE, "night").frames == 11
    assert len(depth_table(scores).rows) == 12


def test_a_run_without_any_answer_is_refused() -> None:
    with pytest.raises(DataError, match="no frame"):
        score_run(make_run(frames=4, dropped=(0, 1, 2, 3)))


def test_runtime_table_shows_what_the_nodes_counted() -> None:
    run = make_run()
    assert runtime_table(run).rows[0] == ("depth node", "12", "11", "1", "0", "30.0", "50.0")
    assert path_length(run) > 11
