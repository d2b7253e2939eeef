"""Day/night selection with hysteresis."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from sdepth.depth.daynight import DayNightConfig, ModeSelector, mean_luminance
from sdepth.errors import ConfigError

CONFIG = DayNightConfig(dark_threshold=0.2, bright_threshold=0.3, window_s=1.0, min_dwell_s=5.0)


def run(luminances: Iterable[float], selector: ModeSelector, start_s: float = 0.0) -> list[str]:
    """Return the mode after each luminance, at 10 Hz."""
    return [
        selector.update(value, int((start_s + i / 10) * 1e9)) for i, value in enumerate(luminances)
    ]


@pytest.mark.parametrize(("luminance", "mode"), [(0.5, "day"), (0.1, "night")])
def test_the_first_image_decides_at_once(luminance: float, mode: str) -> None:
    assert ModeSelector(CONFIG).update(luminance, 0) == mode


def test_between_the_thresholds_the_mode_stays() -> None:
    assert set(run([0.5] + [0.25] * 100, ModeSelector(CONFIG))) == {"day"}
    assert set(run([0.1] + [0.25] * 100, ModeSelector(CONFIG))) == {"night"}


def test_lasting_darkness_changes_to_night_after_the_window() -> None:
    modes = run([0.5] * 10 + [0.1] * 20, ModeSelector(CONFIG))
    assert modes.index("night") == 20  # dark since frame 10, window of 10 frames


def test_flicker_does_not_change_the_mode() -> None:
    assert set(run([0.5] + [0.1] * 9 + [0.5] + [0.1] * 9, ModeSelector(CONFIG))) == {"day"}


def test_a_second_change_waits_for_the_dwell() -> None:
    modes = run([0.5] + [0.1] * 11 + [0.5] * 80, ModeSelector(CONFIG))
    first = modes.index("night")
    assert modes.index("day", first) == first + 50  # 5 s at 10 Hz


def test_a_looped_bag_starts_the_timers_anew() -> None:
    selector = ModeSelector(CONFIG)
    run([0.5] * 5 + [0.1] * 9, selector, start_s=100.0)
    assert set(run([0.1] * 10, selector)) == {"day"}
    assert selector.update(0.1, int(1.1e9)) == "night"


def test_luminance_of_white_is_one_and_green_outweighs_blue() -> None:
    white = np.full((8, 8, 3), 255, np.uint8)
    assert mean_luminance(white) == pytest.approx(1.0)
    assert mean_luminance(white * [0, 1, 0]) > mean_luminance(white * [0, 0, 1])


def test_thresholds_out_of_order_are_refused() -> None:
    with pytest.raises(ConfigError, match="dark < bright"):
        DayNightConfig(dark_threshold=0.5, bright_threshold=0.4)


def test_lux_have_limits_of_their_own() -> None:
    config = DayNightConfig("topic", dark_lux=10, bright_lux=50, window_s=1.0, min_dwell_s=0.0)
    selector = ModeSelector(config)
    modes = run([400.0] * 10 + [3.0] * 20 + [30.0] * 20 + [60.0] * 20, selector)

    assert [modes[i] for i in (9, 20, 49, 60)] == ["day", "night", "night", "day"]
    assert selector.reason == "illuminance above 50.00 for 1.0 s, now 60.00"
