"""What is drawn per sequence: camera, motion, road, town, weather, sensor.

Every group of draws has its own random stream (``stream``), so the light of a sequence never
changes its geometry: the same seed gives the same street and drive by day and by night.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sdepth.geometry.camera import Camera
from training.synth.bonnet import Bonnet, draw_bonnet
from training.synth.camera_look import Look, draw_foreign_look, draw_look
from training.synth.darkness import Night, draw_night
from training.synth.scene import Scene, draw_scene

FRAME_PERIOD_S = 0.1
Domain = Literal["day", "night", "dusk"]
VERSIONS: dict[Domain, int] = {"day": 4, "night": 5, "dusk": 5}
"""Raised whenever the same arguments would give other pictures, rounding aside."""
DOMAINS: tuple[Domain, ...] = get_args(Domain)
_STREAMS = (
    *("camera", "motion", "road", "town", "traffic", "texture", "light", "sensor"),
    *("night", "gain", "unlit", "scene", "walkers", "look", "bonnet", "foreign"),
)
"""Their order is part of the pictures: new ones go to the end."""


@dataclass(frozen=True)
class DatasetConfig:
    """The arguments of one data set; any change makes another data set.

    Frame i shows the drive, which ticks at 10 Hz, at tick ``i * every``. ``foreign``: with camera,
    weather and road as no sequence to train on has them.
    """

    domain: Domain
    sequences: int
    frames: int
    width: int
    height: int
    seed: int
    supersample: int = 2
    every: int = 1
    foreign: bool = False

    @property
    def ticks(self) -> int:
        """Ticks of the drive up to the last frame."""
        return (self.frames - 1) * self.every + 1


@dataclass(frozen=True)
class SequenceConfig:
    """One sequence of a data set: its number and the draws everything else follows from.

    Attributes:
        side: +1 right-hand traffic, -1 left-hand.
        town: chances of a city, suburb or country stretch.
        focal: fx / width; pixels are square.
        sun_share: share of daylight that comes from the sun itself (0 overcast, 0.75 clear).
        exposure_day: encoded mean the auto exposure aims at by day (0..1); ``_night`` by night.
    """

    data: DatasetConfig
    index: int
    speed: float
    speed_swing: float
    camera_height_m: float
    focal: float
    centre_shift: tuple[float, float]
    pitch_deg: float
    yaw_deg: float
    roll_deg: float
    side: int
    lanes: int
    lane_width: float
    parking: float
    pavement: float
    curvature: float
    bend: float
    town: tuple[float, float, float]
    density: float
    lead_car: bool
    sun_elevation_deg: float
    sun_azimuth_deg: float
    sun_share: float
    cloud_cover: float
    haze_m: float
    exposure_day: float
    exposure_night: float
    white_balance: tuple[float, float, float]
    noise: float
    shutter_night_s: float
    street_lamps: float
    night: Night
    scene: Scene
    look: Look
    bonnet: Bonnet | None

    def stream(self, name: str) -> np.random.Generator:
        """Return the random stream ``name`` of this sequence, from its start."""
        return _stream(self.data.seed, self.index, name)

    @property
    def camera(self) -> Camera:
        """The camera, pixel centres at integers."""
        width, height = self.data.width, self.data.height
        f = self.focal * width
        cx = (width - 1) / 2 + self.centre_shift[0] * width
        cy = (height - 1) / 2 + self.centre_shift[1] * height
        return Camera(f, f, cx, cy, width, height)

    @property
    def half_width(self) -> float:
        """Half the width of the carriageway, parking included, metres."""
        return self.scene.median / 2 + self.lanes * self.lane_width + self.parking

    def lane(self, number: int) -> float:
        """Return d of the middle of the ego's lane ``number`` (0 next to the centre line)."""
        return -self.side * (self.scene.median / 2 + self.lane_width * (number + 0.5))

    def daylight(self) -> NDArray[np.float64]:
        """Return the daylight of each frame: 1 full day, 0 full night."""
        n = self.data.frames
        if self.data.domain != "dusk":
            return np.full(n, 1.0 if self.data.domain == "day" else 0.0)
        x = np.clip((np.arange(n) / max(n - 1, 1) - 0.4) / 0.2, 0, 1)
        return 1 - x * x * (3 - 2 * x)


def draw_sequence(data: DatasetConfig, index: int) -> SequenceConfig:
    """Return the draws of sequence ``index``; a function of ``data.seed`` and ``index`` alone."""
    cam, mot, road, town, traf, light, sens = (
        _stream(data.seed, index, name)
        for name in ("camera", "motion", "road", "town", "traffic", "light", "sensor")
    )
    clear = light.random() < 0.6
    drawn = SequenceConfig(
        data=data,
        index=index,
        speed=mot.uniform(4, 16),
        speed_swing=mot.uniform(0.3, 1.5),
        camera_height_m=cam.uniform(2.0, 2.8) if cam.random() < 0.08 else cam.uniform(1.0, 2.1),
        focal=float(np.clip(np.exp(cam.normal(np.log(0.66), 0.24)), 0.42, 1.2)),
        centre_shift=(cam.uniform(-0.02, 0.02), cam.uniform(-0.02, 0.02)),
        pitch_deg=float(np.clip(cam.normal(0, 2.0), -5, 5)),
        yaw_deg=cam.normal(0, 1.0),
        roll_deg=cam.normal(0, 0.5),
        side=1 if road.random() < 0.75 else -1,
        lanes=1 if road.random() < 0.7 else 2,
        lane_width=road.uniform(2.8, 3.6),
        parking=2.2 if road.random() < 0.6 else 0.3,
        pavement=road.uniform(1.5, 4.0),
        curvature=road.choice([0.0015, 0.006, 0.012], p=[0.3, 0.4, 0.3]),
        bend=road.uniform(-0.022, 0.022) if road.random() < 0.4 else 0.0,
        town=tuple(town.dirichlet([0.9, 0.9, 0.7])),
        density=town.uniform(0.5, 1.0),
        lead_car=bool(traf.random() < 0.35),
        sun_elevation_deg=light.uniform(15, 65),
        sun_azimuth_deg=light.uniform(0, 360),
        sun_share=light.uniform(0.5, 0.78) if clear else light.uniform(0.0, 0.3),
        cloud_cover=light.uniform(0.0, 0.6) if clear else light.uniform(0.6, 1.0),
        haze_m=float(np.exp(light.uniform(np.log(250), np.log(2500)))),
        exposure_day=light.uniform(0.3, 0.58),
        exposure_night=light.uniform(0.09, 0.18),
        white_balance=tuple(np.exp(sens.normal(0, sens.choice([0.04, 0.1]), 3))),
        noise=float(np.exp(sens.uniform(np.log(0.4), np.log(1.8)))),
        shutter_night_s=sens.uniform(0.01, 0.04),
        street_lamps=light.choice([0.25, 0.7, 1.0], p=[0.2, 0.3, 0.5]),
        night=draw_night(_stream(data.seed, index, "night")),
        scene=draw_scene(_stream(data.seed, index, "scene")),
        look=draw_look(_stream(data.seed, index, "look")),
        bonnet=draw_bonnet(_stream(data.seed, index, "bonnet")),
    )
    if data.foreign:
        drawn = _made_foreign(drawn)
    return _on_motorway(drawn) if drawn.scene.motorway else _in_jam(drawn)


def _made_foreign(cfg: SequenceConfig) -> SequenceConfig:
    """Return the sequence as seen by a camera, in weather and on a road beyond all other draws."""
    rng = cfg.stream("foreign")
    wide = rng.random() < 0.5
    return replace(
        cfg,
        camera_height_m=rng.uniform(0.7, 0.95),
        focal=rng.uniform(0.36, 0.41) if wide else rng.uniform(1.2, 1.4),
        pitch_deg=float(rng.choice([-1, 1]) * rng.uniform(5, 6)) if wide else cfg.pitch_deg / 2,
        haze_m=rng.uniform(120, 240),
        white_balance=tuple(np.exp(rng.normal(0, 0.12, 3))),
        pavement=rng.uniform(4.5, 7.0),
        lane_width=rng.uniform(3.8, 4.4),
        scene=replace(cfg.scene, jam=False),
        look=draw_foreign_look(rng),
    )


def _on_motorway(cfg: SequenceConfig) -> SequenceConfig:
    """Return the sequence with the road and the speed of a motorway."""
    rng = np.random.default_rng(cfg.stream("scene").integers(2**62))
    wide = replace(
        cfg,
        speed=rng.uniform(17, 33),
        lanes=int(rng.integers(2, 5)),
        lane_width=rng.uniform(3.4, 3.75),
        parking=rng.uniform(0.5, 3.2),
        pavement=rng.uniform(0.5, 2.0),
        curvature=rng.choice([0.0005, 0.0015, 0.003]),
        bend=0.0,
        town=(0.0, 0.0, 1.0),
    )
    return _in_jam(wide)


def _in_jam(cfg: SequenceConfig) -> SequenceConfig:
    """Return the sequence at the speed of its jam, if it is in one."""
    if not cfg.scene.jam:
        return cfg
    rng = np.random.default_rng(cfg.stream("scene").integers(2**62) + 1)
    return replace(cfg, speed=rng.uniform(0.3, 6), speed_swing=0.2)


def _stream(seed: int, index: int, name: str) -> np.random.Generator:
    """Return the generator of one group of draws."""
    return np.random.default_rng([seed, index, _STREAMS.index(name)])
