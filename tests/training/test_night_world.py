"""The synthetic night: dark, unsteady, glaring, and without a trace by day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from training.data.drive import BLURRED, MOVING
from training.synth import sensor
from training.synth.camera_look import Look
from training.synth.config import DatasetConfig, SequenceConfig, draw_sequence
from training.synth.darkness import Night, draw_night, lamps_lit, wander
from training.synth.lights import lamps_at
from training.synth.render import Rendered, SequenceRenderer
from training.synth.road import Road
from training.synth.street import build_street

NIGHT = DatasetConfig("night", 1, 12, 160, 48, 2000)
DAY = replace(NIGHT, domain="day")
FRAMES = (0, 10)
FLAT = (32, 96, 3)


def _night(**draws: Any) -> SequenceConfig:
    """Return a sequence by night of a plain camera with its night's ``draws`` replaced."""
    cfg = draw_sequence(NIGHT, 0)
    return replace(cfg, look=Look(), white_balance=(1, 1, 1), night=replace(cfg.night, **draws))


@pytest.fixture(scope="module")
def night() -> SequenceRenderer:
    """A drive by night that meets a car: far off at first, close by in frame 10."""
    return SequenceRenderer(draw_sequence(NIGHT, 12))


@pytest.fixture(scope="module")
def day() -> SequenceRenderer:
    """The same drive by day."""
    return SequenceRenderer(draw_sequence(DAY, 12))


@pytest.fixture(scope="module")
def pairs(day: SequenceRenderer, night: SequenceRenderer) -> list[tuple[Rendered, Rendered]]:
    """The same frames by day and by night."""
    return [(day.frame(i), night.frame(i)) for i in FRAMES]


def test_no_draw_of_the_night_changes_a_byte_of_the_day(
    pairs: list[tuple[Rendered, Rendered]],
) -> None:
    cfg, dark = draw_sequence(DAY, 12), draw_night(np.random.default_rng(9))
    other = SequenceRenderer(replace(cfg, night=dark, exposure_night=0.5, shutter_night_s=0.05))
    for i, (day, _) in zip(FRAMES, pairs, strict=True):
        np.testing.assert_array_equal(other.frame(i).image, day.image)
        np.testing.assert_array_equal(other.frame(i).mask, day.mask)


def test_night_is_dark_with_saturated_lamps(pairs: list[tuple[Rendered, Rendered]]) -> None:
    for day, night in pairs:
        assert night.image.mean() < 0.5 * day.image.mean()
        assert (night.image.max(-1) < 25).mean() > 0.2  # unlit stretches stay dark
        assert (night.image.max(-1) == 255).any()  # this drive meets headlights


def test_only_the_light_and_the_blurred_bit_differ(pairs: list[tuple[Rendered, Rendered]]) -> None:
    for day, night in pairs:
        np.testing.assert_array_equal(day.depth, night.depth)
        np.testing.assert_array_equal(day.mask, night.mask & (255 - BLURRED))


def test_blurred_are_some_movers_by_night(pairs: list[tuple[Rendered, Rendered]]) -> None:
    masks = np.stack([night.mask for _, night in pairs])
    blurred, moving = masks & BLURRED > 0, masks & MOVING > 0
    assert not (blurred & ~moving).any()
    assert moving[0].any()
    assert not blurred[0].any()  # a far car hardly smears
    assert blurred[1].sum() > 50


def test_a_shorter_shutter_blurs_fewer_movers(night: SequenceRenderer) -> None:
    short = SequenceRenderer(replace(night.cfg, shutter_night_s=1e-5))
    assert not any((short.frame(i).mask & BLURRED).any() for i in FRAMES)


def test_gain_is_unsteady_by_night_and_steady_by_day(
    day: SequenceRenderer, night: SequenceRenderer
) -> None:
    calm, restless = (np.abs(np.diff(np.log(r.gains))) for r in (day, night))
    assert restless.mean() > 0.015
    assert restless.mean() > 3 * calm.mean()


def test_gain_steps_are_5_to_25_percent_and_forgotten() -> None:
    steps = replace(draw_sequence(NIGHT, 0).night, wander=0.0, step_chance=0.1)
    off = wander(steps, 5000, np.random.default_rng(0))
    jump = np.abs(off[1:] - 0.9 * off[:-1])
    jump = np.expm1(jump[jump > 1e-9])
    assert len(jump) == pytest.approx(500, rel=0.2)  # five deviations of 5000 draws
    assert jump.min() > 0.05 - 1e-9
    assert jump.max() < 0.25 + 1e-9
    assert np.abs(off).max() < 1.5  # it does not run away


def test_the_gain_stops_where_the_night_says() -> None:
    dark = np.full(FLAT, 1e-4, np.float32)
    assert sensor.wanted_gain(dark, _night(max_gain=2.5), 0.0) == 2.5


def _noise(gain: float, daylight: float) -> float:
    """Return the deviation of linear light over a grey patch that is as bright at any gain."""
    grey = np.full(FLAT, 0.2 / gain, np.float32)
    rng = np.random.default_rng(0)
    image = sensor.expose(grey, gain, _night(black=0.0), daylight, rng)
    return float(((image[8:24, 32:64] / 255.0) ** 2.2).std())


def test_noise_grows_with_the_gain_by_night_alone() -> None:
    assert _noise(5.0, 0.0) > 1.5 * _noise(1.5, 0.0)
    assert _noise(1.5, 0.0) > _noise(1.5, 1.0)
    assert _noise(5.0, 1.0) == pytest.approx(_noise(1.5, 1.0), rel=1e-3)


@pytest.mark.parametrize(
    ("draw", "where"),
    [
        ({"veil": 0.03}, (24, 60)),  # anywhere
        ({"ghost": 0.012}, (24, 60)),  # point-reflected
        ({"smear": 0.012}, (2, 36)),  # same column
    ],
)
def test_a_strong_lamp_strays_over_the_image(draw: dict, where: tuple[int, int]) -> None:
    lamp = np.full(FLAT, 0.02, np.float32)
    lamp[6:9, 34:38] = 100.0
    off = {"veil": 0.0, "ghost": 0.0, "smear": 0.0, "bloom": 1.0}
    v, u = where
    clean, stray = (
        sensor.expose(lamp, 1.0, _night(**(off | on)), 0.0, np.random.default_rng(0))
        for on in ({}, draw)
    )
    patch = np.s_[v - 1 : v + 2, u - 1 : u + 2]
    assert stray[patch].mean() > clean[patch].mean() + 3  # same noise in both


def test_lamps_are_off_along_stretches_of_the_street() -> None:
    s, night = np.arange(-60.0, 20_000.0), draw_sequence(NIGHT, 0).night
    for share in (0.0, 0.35, 0.65, 1.0):
        lit = lamps_lit(replace(night, unlit=share), s, np.random.default_rng(0))
        assert lit.mean() == pytest.approx(1 - share, abs=0.1)  # some 120 stretches
        if 0 < share < 1:
            edges = np.flatnonzero(np.diff(lit))
            assert np.diff(edges).min() > 25  # whole stretches, not single lamps


def test_an_unlit_street_has_the_same_posts_and_fewer_lamps() -> None:
    cfg = draw_sequence(replace(NIGHT, frames=60), 7)
    cfg = replace(cfg, street_lamps=1.0)
    towns = []
    for share in (0.0, 0.5):
        c = replace(cfg, night=replace(cfg.night, unlit=share))
        towns.append(build_street(c, Road(c)))
    lit, half = towns
    assert len(lit.lamps) > len(half.lamps) > 0
    np.testing.assert_array_equal(lit.mesh.corners, half.mesh.corners)


def test_the_own_headlights_move_with_the_camera(night: SequenceRenderer) -> None:
    none = np.zeros((0, 6), np.float32)
    T = night.ego.T_world_cam[[0, 10]]
    world = [lamps_at(none, t, [], 1.0, night.cfg)[:, :3] for t in T]
    cam = [(p - t[:3, 3]) @ t[:3, :3] for p, t in zip(world, T, strict=True)]
    driven = np.linalg.norm(T[1, :3, 3] - T[0, :3, 3])
    assert np.linalg.norm(world[1] - world[0], axis=1) == pytest.approx(driven, rel=0.05)
    np.testing.assert_allclose(cam[0], cam[1], atol=0.05)  # the car pitches and rolls a little


def test_aim_turns_the_beam_to_the_right_and_up() -> None:
    none, T = np.zeros((0, 6), np.float32), np.eye(4)
    T[:3, :3] = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # camera looks along x, z up
    straight, aimed = (
        lamps_at(none, T, [], 1.0, _night(aim=aim))[0, 6:9] for aim in ((0, 0), (0.05, 0.02))
    )
    np.testing.assert_allclose(straight, [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(aimed, [1, -0.05, 0.02], atol=1e-6)


def test_nights_differ_from_sequence_to_sequence() -> None:
    nights: list[Night] = [draw_sequence(NIGHT, i).night for i in range(40)]
    gains = [n.max_gain for n in nights]
    assert max(gains) > 2 * min(gains)
    assert {n.unlit for n in nights} == {0.0, 0.35, 0.65, 1.0}
    assert {n.ghost > 0 for n in nights} == {True, False}
