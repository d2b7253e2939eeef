"""Night photometry: what enhancement keeps, and what the static mask removes."""

import pytest
import torch
from torch import Tensor

from sdepth.errors import ConfigError
from training.losses.night_photometry import StaticMask, enhance


def dark(batch: int = 2, gain: tuple[float, ...] = (0.6, 1.0, 1.4)) -> Tensor:
    """Return a dim triplet: one scene under another exposure in each frame."""
    generator = torch.Generator().manual_seed(0)
    scene = 0.25 * torch.rand(batch, 1, 3, 16, 24, generator=generator) ** 2
    return scene * torch.tensor(gain).view(1, 3, 1, 1, 1)


def moving(noise: float, step: float) -> Tensor:
    """Return triplets (2, 3, 3, 16, 24) of random frames about ``step`` apart, with noise."""
    generator = torch.Generator().manual_seed(1)
    scene = torch.rand(2, 1, 3, 16, 24, generator=generator)
    change = torch.rand(2, 3, 3, 16, 24, generator=generator)
    return 0.5 * scene + step * change + noise * torch.rand(change.shape, generator=generator)


def test_pixels_equal_in_two_frames_stay_equal_under_one_mapping() -> None:
    images = dark()
    images[:, 0, :, :8] = images[:, 1, :, :8]  # seen alike in both
    images[:, 0, :, 8:] *= 6  # headlights come into one

    mapped, apart = enhance(images, "mapping", 0.008), enhance(images, "frame", 0.008)

    assert torch.equal(mapped[:, 0, :, :8], mapped[:, 1, :, :8])
    assert float((apart[:, 0, :, :8] - apart[:, 1, :, :8]).abs().mean()) > 5 / 255


def test_mapping_keeps_which_of_two_pixels_is_brighter_in_any_frame() -> None:
    images, mapped = dark(1), enhance(dark(1), "mapping", 0.008)

    before, after = (x[0, :, 0].flatten() for x in (images, mapped))  # one channel, all frames

    assert bool((after[before.argsort()].diff() >= 0).all())


def test_dark_frames_become_brighter_and_richer_in_contrast() -> None:
    images = dark()

    for mode in ("mapping", "frame"):
        bright = enhance(images, mode, 0.008)
        assert bright.shape == images.shape
        assert float(bright.mean()) > 1.5 * float(images.mean())
        assert float(bright.std()) > 1.5 * float(images.std())
        assert 0 <= float(bright.min()) <= float(bright.max()) <= 1


def test_each_sample_is_mapped_by_its_own_histogram() -> None:
    images = torch.cat([dark(1), dark(1, (2.0, 3.0, 3.5))])

    one_by_one = torch.cat([enhance(image[None], "mapping", 0.008) for image in images])

    assert torch.equal(enhance(images, "mapping", 0.008), one_by_one)


@pytest.mark.parametrize("clip_limit", [0.004, 0.008, 0.05])
def test_clip_limit_bounds_the_slope(clip_limit: float) -> None:
    images = torch.full((1, 3, 3, 16, 16), 10 / 255)  # the steepest: all pixels on one level
    images[:, 0] = torch.arange(256).view(16, 16) / 255  # reads the map out

    steps = enhance(images, "mapping", clip_limit)[0, 0, 0].flatten().diff()

    limit = (clip_limit + 1 / 256) / (1 - clip_limit - 1 / 256)
    assert float(steps.max()) <= limit + 1e-6
    assert float(steps.max()) > clip_limit


def test_even_histogram_maps_onto_itself() -> None:
    images = (torch.arange(256).view(16, 16) / 255).expand(2, 3, 3, 16, 16)

    for clip_limit in (0.004, 0.008):  # above 1 / 256 nothing is clipped
        assert torch.allclose(enhance(images, "mapping", clip_limit), images, atol=1e-6)


def test_black_frames_stay_black_without_a_limit() -> None:
    assert float(enhance(torch.zeros(1, 3, 3, 8, 8), "mapping", 1.0).abs().max()) == 0


def test_no_mode_leaves_images_alone_and_an_unknown_one_is_refused() -> None:
    images = dark()

    assert enhance(images, "", 0.008) is images
    with pytest.raises(ConfigError, match="clahe"):
        enhance(images, "clahe", 0.008)


def test_standing_still_is_removed_and_motion_kept() -> None:
    mask = StaticMask(0.1, momentum=0.98)
    mask(moving(noise=0.02, step=0.4))
    mask.eval()

    assert float(mask(moving(noise=0.02, step=0.0)).max()) == 0
    assert float(mask(moving(noise=0.02, step=0.4)).mean()) == pytest.approx(0.9, abs=0.01)


def test_level_is_the_moving_mean_of_the_quantile() -> None:
    mask = StaticMask(0.25, momentum=0.9)
    expected = None
    for step in (0.4, 0.2, 0.3):
        images = moving(noise=0.0, step=step)
        mask(images)
        change = (images[:, ::2] - images[:, 1:2]).abs().mean(2).flatten(2)
        now = float(change.quantile(0.25, dim=2, interpolation="nearest").mean())
        expected = now if expected is None else 0.9 * expected + 0.1 * now

    assert float(mask.level) == pytest.approx(expected, rel=1e-6)


def test_level_stands_outside_training_and_returns_with_the_state() -> None:
    mask, resumed = StaticMask(0.1, momentum=0.98), StaticMask(0.1, momentum=0.98).eval()
    assert bool((resumed(moving(noise=0.0, step=0.0)) == 1).all())  # no level, nothing removed
    mask(moving(noise=0.02, step=0.4))

    resumed.load_state_dict(mask.state_dict())
    resumed(moving(noise=0.0, step=0.0))

    assert float(resumed.level) == float(mask.level)
