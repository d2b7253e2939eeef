"""The scale: the factor from the network's depth to metres, its uncertainty and its source."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from math import exp, inf, isfinite, log, nan

import numpy as np

from sdepth.config import param
from sdepth.errors import ConfigError

MODEL, CAMERA_HEIGHT, WHEEL, TWIST, GPS, FIXED, UNKNOWN = SOURCES = (
    "model", "camera_height", "wheel", "twist", "gps", "fixed", "unknown",
)  # fmt: skip
SKY, ROAD = "sky", "road"
SPEED_SOURCES = (WHEEL, TWIST, GPS)
MODEL_SIGMA = 0.12
"""Relative: how much the scale of the day weights varies over twelve rendered drives."""

_LEAST = 5  # observations before anything is believed
_MAX_SIGMA = 0.2  # relative: worse knowledge is none
_STEP = 0.005  # relative: a smaller change is not announced
_REMEMBERED = 300  # frames of which the factor they were given is still known


@dataclass(frozen=True)
class ScaleConfig:
    """Where metres come from.

    Raises:
        ConfigError: ``camera_height`` without a height.
    """

    source: str = param(
        MODEL,
        "Who knows metres: model (weights trained metric); camera_height (above the road); "
        "wheel (topic wheel_odom), twist (vehicle_twist) or gps (fix), each beside our own odom; "
        "fixed; unknown: depth is true up to a factor, and odometry says so",
        choices=SOURCES,
    )
    camera_height_m: float = param(
        0.0, "Of the camera above the road, for camera_height", range=(0.0, 100.0), dynamic=True
    )
    fixed: float = param(
        1.0,
        "Factor from the networks' depth to metres, for fixed",
        range=(1e-4, 1e4),
        dynamic=True,
    )
    window_s: float = param(
        3.0,
        "Observations so recent count; their median is taken",
        range=(0.1, 600.0),
        dynamic=True,
    )
    max_rate_per_s: float = param(
        0.1,
        "Most by which a known scale changes in a second, relative",
        range=(0.0, 10.0),
        dynamic=True,
    )

    shift: str = param(
        SKY,
        "What networks of inverse depth up to scale and shift take for infinitely far: sky (the "
        "farthest in view) or road (its horizon, by camera_pitch_deg)",
        choices=(SKY, ROAD),
        dynamic=True,
    )
    camera_pitch_deg: float = param(
        0.0,
        "By which the camera looks down on the road, degrees, for shift road",
        range=(-45.0, 45.0),
        dynamic=True,
    )

    def __post_init__(self) -> None:
        """Refuse source camera_height without a height."""
        if self.source == CAMERA_HEIGHT and self.camera_height_m <= 0:
            raise ConfigError(
                "scale.source camera_height: set scale.camera_height_m to its height above "
                f"the road in metres, got {self.camera_height_m}"
            )


@dataclass(frozen=True)
class Scale:
    """What is known of the scale at a frame.

    Attributes:
        factor: what the networks' depth was multiplied by.
        sigma: relative standard deviation; infinite where depth is not known to be in metres.
        source: who says so, of ``SOURCES``.
        age_s: seconds since the last observation; 0 where none is needed.
    """

    factor: float
    sigma: float
    source: str
    age_s: float = 0.0

    @property
    def metric(self) -> bool:
        """Whether depth is in metres."""
        return isfinite(self.sigma)

    @property
    def announced(self) -> float:
        """The value for topic ``depth/scale``: the factor, or NaN while depth is not metric."""
        return self.factor if self.metric else nan

    def is_news(self, told: Scale | None) -> bool:
        """Return whether its source changed or its factor moved since the one published last."""
        if told is None or told.source != self.source:
            return True
        return abs(self.factor / told.factor - 1) > _STEP


class ScaleTracker:
    """Follows the median of recent observations, never faster than allowed.

    The first believable median is taken at once: until then nobody was promised metres, or the
    model's own stood in. Without observations (standing still, no road in sight) the scale stays.
    May be observed in one thread and asked in another.
    """

    def __init__(self, config: ScaleConfig, model_is_metric: bool) -> None:
        """Start with the scale that is known without observations."""
        self.config = config
        known = model_is_metric and config.source != UNKNOWN
        self._unobserved = Scale(1.0, MODEL_SIGMA, MODEL) if known else Scale(1.0, inf, UNKNOWN)
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget all observations: time went back, or the camera is another."""
        with self._lock:
            self._seen: deque[tuple[int, float]] = deque()
            self._given: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)
            self._log_factor: float | None = None
            self._sigma = inf
            self._observed_ns = self._last_ns = 0

    def observe(self, factor: float, stamp_ns: int) -> None:
        """Add a measured scale at a frame: metres over the network's depth."""
        if factor > 0 and isfinite(factor):
            with self._lock:
                self._seen.append((stamp_ns, log(factor)))

    def observe_error(self, ratio: float, stamp_ns: int) -> None:
        """Add a measured ratio, true over published length, at a frame that was published."""
        with self._lock:
            then = [factor for stamp, factor in self._given if stamp <= stamp_ns]
        if then:
            self.observe(ratio * then[-1], stamp_ns)

    def at(self, stamp_ns: int) -> Scale:
        """Return the scale of a frame; frames come in order of time."""
        if self.config.source in (MODEL, UNKNOWN):
            return self._unobserved
        if self.config.source == FIXED:
            return Scale(self.config.fixed, 0.0, FIXED)
        with self._lock:
            scale = self._follow(stamp_ns)
            self._given.append((stamp_ns, scale.factor))
        return scale

    def _follow(self, stamp_ns: int) -> Scale:
        """Move towards the median of the window."""
        since_ns = stamp_ns - int(self.config.window_s * 1e9)
        while self._seen and self._seen[0][0] < since_ns:
            self._seen.popleft()
        seconds, self._last_ns = max(0.0, (stamp_ns - self._last_ns) * 1e-9), stamp_ns
        if len(self._seen) >= _LEAST:
            logs = np.array([log for _, log in self._seen])
            median = float(np.median(logs))
            sigma = 1.4826 * float(np.median(np.abs(logs - median)))
            if sigma <= _MAX_SIGMA:
                self._take(median, sigma, seconds)
        if self._log_factor is None:
            return self._unobserved
        age_s = max(0.0, (stamp_ns - self._observed_ns) * 1e-9)
        return Scale(exp(self._log_factor), self._sigma, self.config.source, age_s)

    def _take(self, median: float, sigma: float, seconds: float) -> None:
        """Move the estimate towards the median of log scale, within the rate limit."""
        if self._log_factor is None:
            self._log_factor = median
        most = self.config.max_rate_per_s * seconds
        self._log_factor += float(np.clip(median - self._log_factor, -most, most))
        self._sigma, self._observed_ns = sigma, self._seen[-1][0]
