"""What a street of the synthetic world holds: vehicles, jams, bridges, corners, people."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from training.synth import roadside, shade, street
from training.synth.builder import Builder
from training.synth.config import DatasetConfig, SequenceConfig, draw_sequence
from training.synth.library import OBJECTS, Library
from training.synth.motion import Ego, drive
from training.synth.road import Road
from training.synth.traffic import Mover, traffic

DATA = DatasetConfig("day", 400, 2, 64, 24, 9, every=12)
LIBRARY = Library(9, 0)
DRAWS = [draw_sequence(DATA, i) for i in range(60)]
LENGTHS = {
    **{"car": (3.5, 5.3), "van": (4.5, 6.9), "lorry": (5.2, 17.0), "bus": (8.4, 12.8)},
    **{"motorcycle": (1.5, 2.2), "bicycle": (1.4, 1.9), "walker": (0.3, 1.2)},
}


def _traffic(cfg: SequenceConfig) -> tuple[Ego, list[Mover]]:
    """Return the drive and everybody who moves."""
    road = Road(cfg)
    ego = drive(cfg, road)
    return ego, traffic(cfg, road, ego, LIBRARY)


@pytest.mark.parametrize("kind", LENGTHS)
def test_vehicles_stand_on_the_road_and_are_as_long_as_real_ones(kind: str) -> None:
    for number in range(6):
        item = LIBRARY.take(kind, number)
        assert -0.04 < item.mesh.corners[..., 2].min() < 0.06
        assert LENGTHS[kind][0] < item.size[0] < LENGTHS[kind][1]


@pytest.mark.parametrize("kind", sorted(OBJECTS))
def test_no_object_has_holes_for_numbers(kind: str) -> None:
    mesh = LIBRARY.take(kind, 0).mesh
    for values in (mesh.corners, mesh.uv, mesh.normals, mesh.tint):
        assert np.isfinite(values).all()


def test_in_a_jam_somebody_is_2_to_8_m_ahead() -> None:
    jams = [c for c in DRAWS if c.scene.jam]
    assert 0.1 < len(jams) / len(DRAWS) < 0.3
    for cfg in jams[:4]:
        ego, movers = _traffic(cfg)
        mine = [m for m in movers if abs(m.d[0] - ego.place[0, 1]) < 1 and m.turn == 0]
        size = LIBRARY.take
        gaps = [m.s - size(m.kind, m.number).size[0] / 2 - ego.place[:, 0] for m in mine]
        nearest = min((g for g in gaps if g[0] > 0), key=lambda g: g[0])
        assert (nearest > 1.5).all()  # they sway a little
        assert (nearest < 9).all()


def test_all_kinds_take_part_in_traffic() -> None:
    seen = Counter(m.kind for cfg in DRAWS[:20] for m in _traffic(cfg)[1])
    assert set(seen) == set(LENGTHS)
    assert seen["car"] > 0.4 * seen.total()


def test_vehicles_of_a_lane_do_not_overlap() -> None:
    for cfg in DRAWS[:6]:
        movers = [m for m in _traffic(cfg)[1] if m.kind not in ("walker", "bicycle")]
        take = LIBRARY.take
        for a in movers:
            for b in movers:
                if a is not b and abs(a.d[0] - b.d[0]) < 1:
                    half = (take(a.kind, a.number).size[0] + take(b.kind, b.number).size[0]) / 2
                    assert (np.abs(a.s - b.s) > half).all()


def test_a_corner_turns_the_drive_by_a_right_angle() -> None:
    corners = [c for c in (draw_sequence(DATA, i) for i in range(200)) if c.scene.corner]
    assert len(corners) > 8
    for cfg in corners[:5]:
        road, radius = Road(cfg), abs(cfg.scene.corner) * (cfg.half_width + cfg.pavement)
        ends = cfg.scene.corner_at + np.array([-5, radius * np.pi / 2 + 5])
        turn = np.degrees(np.diff(road.heading(ends)))[0] * np.sign(cfg.scene.corner)
        assert turn == pytest.approx(90, abs=10)


def test_below_a_bridge_it_is_dark_and_before_it_not() -> None:
    below = next(c for c in DRAWS if any(o.kind == "underpass" for o in c.scene.overhead))
    builder = Builder(below, Road(below), LIBRARY)
    roadside.overhead(builder)
    covers = np.array(builder.covers, np.float32)
    (cover,) = covers
    at = np.array([*cover[:2], cover[6] - 4], np.float32)
    ahead = np.array([*cover[2:4], 0], np.float32) * (cover[4] + 15)
    inside, outside, above = (
        shade._open(covers, p) for p in (at, at + ahead, at + np.float32([0, 0, 9]))
    )
    assert inside < 0.3
    assert outside > 0.95
    assert above == 1


def test_motorways_have_no_houses_near_and_several_lanes() -> None:
    motorway = next(c for c in DRAWS if c.scene.motorway)
    builder = Builder(motorway, Road(motorway), LIBRARY)
    street._buildings(builder, 1)
    assert motorway.lanes >= 2
    assert builder.objects.get("building", 0) == 0
    edge = motorway.half_width
    for near in builder.batches[1:]:
        away = [np.linalg.norm(builder.road.point(builder.road.s, 0) - t, axis=1) for t in near.t]
        assert np.min(away) > edge + 20


def test_trees_in_woods_are_many() -> None:
    cfg = replace(DRAWS[0], town=(0.0, 0.0, 1.0))
    cfg = replace(cfg, scene=replace(cfg.scene, motorway=False, corner=0.0, overhead=()))
    builder = Builder(replace(cfg, scene=replace(cfg.scene, woods=1.0)), Road(cfg), LIBRARY)
    roadside.woods(builder, 1)
    assert builder.objects["tree"] > 40
