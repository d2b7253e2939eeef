"""How the cameras of the synthetic world differ: tone, colour, sharpness, dirt, bonnet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.data.drive import OWN, SKY
from training.synth.bonnet import Bonnet
from training.synth.camera_look import Look, develop, draw_look, through_lens
from training.synth.config import DatasetConfig, draw_sequence
from training.synth.render import SequenceRenderer

RAMP = np.linspace(0, 1.5, 64, dtype=np.float32)[None, :, None] * np.ones((24, 1, 3), np.float32)
EDGE = np.where(np.arange(64) < 32, 0.1, 0.5).astype(np.float32)[None, :, None] * np.ones(
    (24, 1, 3)
)
BONNET = Bonnet(0.2, 0.05, 2.0, 0.0, (0.1, 0.1, 0.1), 0.4, 2.0)


def _developed(light: np.ndarray, **draws: float) -> np.ndarray:
    """Return the image of a plain camera with its ``draws`` replaced."""
    return develop(light.astype(np.float32), Look(**draws), np.random.default_rng(0))


def test_a_plain_camera_encodes_by_its_gamma() -> None:
    image = _developed(RAMP)
    expected = np.clip(RAMP, 0, 1) ** (1 / 2.2) * 255
    np.testing.assert_allclose(image, expected, atol=0.6)


def test_every_curve_rises() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        look = replace(draw_look(rng), jpeg=0, sharpen=0.0, chroma=0.0)
        curve = develop(RAMP, look, rng)[0].astype(int)
        assert (np.diff(curve, axis=0) >= 0).all()
        assert curve[-1].min() > 150


def test_a_grey_camera_has_equal_channels() -> None:
    colour = RAMP * np.array([0.2, 0.6, 1.0], np.float32)
    image = _developed(colour, saturation=0.0)
    np.testing.assert_array_equal(image[..., 0], image[..., 2])
    assert np.ptp(_developed(colour)[0, 30].astype(int)) > 30


def test_sharpening_leaves_a_halo_beside_an_edge() -> None:
    plain, sharp = (_developed(EDGE, sharpen=s)[12].astype(int) for s in (0.0, 1.0))
    assert sharp[31, 0] < plain[31, 0] - 5
    assert sharp[32, 0] > plain[32, 0] + 5
    np.testing.assert_array_equal(sharp[5], plain[5])


def test_poor_compression_changes_more_than_good() -> None:
    rough = np.random.default_rng(2).random((48, 64, 1)).repeat(3, 2)  # colours are halved
    exact, good, poor = (_developed(rough, jpeg=q).astype(int) for q in (0, 95, 30))
    assert np.abs(poor - exact).mean() > 2 * np.abs(good - exact).mean() > 0


def test_dirt_is_where_it_was_in_every_frame() -> None:
    look = Look(dirt=0.6, dirt_seed=3, vignette=0.0)
    rng = np.random.default_rng(3)
    frames = [rng.random((48, 160, 3), np.float32) for _ in range(2)]
    changed = [np.abs(through_lens(f, look) - f).max(-1) > 1e-3 for f in frames]
    assert 0.02 < changed[0].mean() < 0.98
    assert (changed[0] == changed[1]).mean() > 0.95


def test_one_camera_in_seven_is_grey_and_most_differ() -> None:
    looks = [draw_look(np.random.default_rng(i)) for i in range(300)]
    assert np.mean([x.saturation == 0 for x in looks]) == pytest.approx(0.15, abs=0.05)
    assert len({x.gamma for x in looks}) > 100


def test_the_own_bonnet_has_no_depth_and_is_no_sky() -> None:
    cfg = replace(draw_sequence(DatasetConfig("day", 9, 1, 96, 32, 9), 1), bonnet=None)
    bare = SequenceRenderer(cfg).frame(0)
    own = SequenceRenderer(replace(cfg, bonnet=BONNET)).frame(0)
    before = own.mask & OWN > 0
    assert 0.1 < before.mean() < 0.25
    assert (own.depth[before] == 0).all()
    assert not (own.mask[before] & SKY).any()
    np.testing.assert_array_equal(own.depth[~before], bare.depth[~before])
    np.testing.assert_array_equal(own.mask[~before], bare.mask[~before])


def test_foreign_streets_are_beyond_all_others() -> None:
    known = [draw_sequence(DatasetConfig("day", 60, 1, 96, 32, 9), i) for i in range(60)]
    foreign = [
        draw_sequence(DatasetConfig("day", 60, 1, 96, 32, 9, foreign=True), i) for i in range(60)
    ]
    assert max(c.camera_height_m for c in foreign) < min(c.camera_height_m for c in known)
    assert max(c.haze_m for c in foreign) < min(c.haze_m for c in known)
    assert min(c.look.gamma for c in foreign) > max(c.look.gamma for c in known)
    assert not any(c.scene.jam for c in foreign)
    # The street itself is drawn as without.
    assert [c.scene.motorway for c in foreign] == [c.scene.motorway for c in known]
