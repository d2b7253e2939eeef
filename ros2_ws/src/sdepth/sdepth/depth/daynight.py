"""Day or night, from the brightness of the raw image: two thresholds, a window and a dwell."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdepth.config import param
from sdepth.errors import ConfigError
from sdepth.pixels import RGB_WEIGHTS
from sdepth.shapes import check_shape

DAY, NIGHT, AUTO = "day", "night", "auto"
IMAGE, TOPIC = "image", "topic"
_NAMES = {IMAGE: "mean luminance", TOPIC: "illuminance"}


@dataclass(frozen=True)
class DayNightConfig:
    """When to change between day and night, and how depth goes over.

    Raises:
        ConfigError: the thresholds are not in order, or a number is negative.
    """

    source: str = param(
        IMAGE,
        "What brightness is: that of the image, or of the topic illuminance, lux",
        choices=(IMAGE, TOPIC),
    )
    dark_threshold: float = param(
        0.18, "Mean luminance (0..1) below which it is night", range=(0.0, 1.0), dynamic=True
    )
    bright_threshold: float = param(
        0.28, "Mean luminance (0..1) above which it is day", range=(0.0, 1.0), dynamic=True
    )
    dark_lux: float = param(
        10.0,
        "Illuminance below which it is night, of source topic",
        range=(0.0, 1e6),
        dynamic=True,
    )
    bright_lux: float = param(
        50.0, "Illuminance above which it is day, lux", range=(0.0, 1e6), dynamic=True
    )
    window_s: float = param(
        2.0,
        "How long the brightness must stay beyond a threshold, seconds",
        range=(0.0, 600.0),
        dynamic=True,
    )
    min_dwell_s: float = param(
        10.0, "Least time between two changes of mode, seconds", range=(0.0, 3600.0), dynamic=True
    )
    crossfade_frames: int = param(
        5,
        "Frames after a change that both networks see; depth goes over without a step",
        range=(0, 100),
        dynamic=True,
    )
    scale_return_per_s: float = param(
        0.2,
        "Rate at which a scale taken over returns to the network's own, 1/s",
        range=(0.0, 1.0),
        dynamic=True,
    )

    def __post_init__(self) -> None:
        """Refuse thresholds without a gap to hold the mode in."""
        if not 0 <= self.dark_threshold < self.bright_threshold <= 1:
            raise ConfigError(
                f"day_night: dark_threshold {self.dark_threshold} and bright_threshold "
                f"{self.bright_threshold}: expected 0 <= dark < bright <= 1"
            )
        if not 0 <= self.dark_lux < self.bright_lux:
            raise ConfigError(
                f"day_night: dark_lux {self.dark_lux} and bright_lux {self.bright_lux}: expected "
                "0 <= dark < bright"
            )
        for name in ("window_s", "min_dwell_s", "crossfade_frames", "scale_return_per_s"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"day_night.{name}: got {getattr(self, name)}, expected 0 or more"
                )

    @property
    def limits(self) -> tuple[float, float]:
        """What is dark and what is bright, in the unit of the source."""
        if self.source == TOPIC:
            return self.dark_lux, self.bright_lux
        return self.dark_threshold, self.bright_threshold


def mean_luminance(image: NDArray[np.uint8]) -> float:
    """Return the mean luminance, 0..1, of (H, W, 3) RGB as it came from the camera.

    Every fourth row and column is enough for a mean.
    """
    check_shape("image", image, "H W 3")
    few = np.ascontiguousarray(image[::4, ::4])  # NumPy's own mean takes eight times as long
    return float(np.array(cv2.mean(few)[:3]) @ RGB_WEIGHTS / 255)


class ModeSelector:
    """Holds ``day`` or ``night``; a flicker, a tunnel lamp or a glare does not change it."""

    def __init__(self, config: DayNightConfig | None = None) -> None:
        """Start undecided: the first image decides at once."""
        self.config = config or DayNightConfig()
        self.mode: str | None = None
        self.changes, self.reason = 0, "no image yet"
        self._beyond_since_ns: int | None = None
        self._changed_ns: int | None = None
        self._last_ns: int | None = None

    def update(self, brightness: float, stamp_ns: int) -> str:
        """Return the mode after an image at this time.

        Args:
            brightness: mean luminance of the raw image, 0..1, or illuminance, lux: whatever the
                configuration's source is.
            stamp_ns: time of the image; where it goes back (a bag looped) the timers start anew.
        """
        if self._last_ns is not None and stamp_ns < self._last_ns:
            self._beyond_since_ns = self._changed_ns = None
        self._last_ns = stamp_ns
        (dark, bright), name = self.config.limits, _NAMES[self.config.source]
        if self.mode is None:
            self.mode = NIGHT if brightness < (dark + bright) / 2 else DAY
            self.reason = f"{name} {brightness:.2f} at the first image"
            return self.mode
        beyond = brightness < dark if self.mode == DAY else brightness > bright
        if not beyond:
            self._beyond_since_ns = None
        elif self._beyond_since_ns is None:
            self._beyond_since_ns = stamp_ns
        if self._may_change(stamp_ns):
            limit = f"below {dark:.2f}" if self.mode == DAY else f"above {bright:.2f}"
            lasted_s = (stamp_ns - (self._beyond_since_ns or stamp_ns)) * 1e-9
            self.reason = f"{name} {limit} for {lasted_s:.1f} s, now {brightness:.2f}"
            self.mode = NIGHT if self.mode == DAY else DAY
            self.changes += 1
            self._changed_ns, self._beyond_since_ns = stamp_ns, None
        return self.mode

    def _may_change(self, stamp_ns: int) -> bool:
        """Tell whether the brightness lasted and the last change is long enough ago."""
        if self._beyond_since_ns is None:
            return False
        lasted = stamp_ns - self._beyond_since_ns >= self.config.window_s * 1e9
        rested = (
            self._changed_ns is None
            or stamp_ns - self._changed_ns >= self.config.min_dwell_s * 1e9
        )
        return lasted and rested
