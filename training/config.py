"""What a training run is made of: the only place its defaults live."""

from __future__ import annotations

from dataclasses import dataclass, field

from sdepth.errors import ConfigError
from sdepth.models.depth_net import DEPTH_ARCHITECTURES, count_scales
from sdepth.models.pose_net import POSE_ARCHITECTURES
from training.data.triplets import DataConfig
from training.losses import LossConfig
from training.night import NightConfig
from training.prior import PriorConfig
from training.refinement import RefineTraining

KITTI_FOCAL_RATIO = 1.055
"""sqrt(fx fy / (W H)) of KITTI's colour cameras: the canonical camera."""


@dataclass(frozen=True)
class ModelConfig:
    """Networks and what their outputs mean."""

    depth: str = "light"
    pose: str = "tiny"
    depth_range_m: tuple[float, float] = (0.1, 100.0)  # Godard et al. 2019
    start_depth_m: float = 5.0  # what the untrained network answers
    start_motion_m: float = 0.0  # forward, per frame: what the untrained network answers
    focal_ratio: float = KITTI_FOCAL_RATIO
    pose_output_scale: float = 0.01
    init_from: str = ""  # a checkpoint to start from, instead of random weights


@dataclass(frozen=True)
class OptimConfig:
    """Optimiser and length of the run."""

    steps: int = 20_000
    batch: int = 12  # per process
    lr: float = 1e-4
    warmup_steps: int = 0
    decay_from: float = 0.75  # fraction of the run after which the rate falls
    decay_to: float = 0.1  # of lr, reached at the end (cosine)
    grad_clip: float = 0.0  # norm; 0 = none
    precision: str = "fp32"  # or bf16: autocast of the networks, losses stay fp32


@dataclass(frozen=True)
class LogConfig:
    """How often what is written."""

    scalars_every: int = 20
    images_every: int = 500
    save_every: int = 500


@dataclass(frozen=True)
class TrainConfig:
    """A training run."""

    name: str = "baseline"
    domain: str = "day"
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    refine: RefineTraining = field(default_factory=RefineTraining)
    night: NightConfig = field(default_factory=NightConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    log: LogConfig = field(default_factory=LogConfig)

    def __post_init__(self) -> None:
        """Refuse what would only fail after minutes of training.

        Raises:
            ConfigError: names the key, what it got and what it takes.
        """
        checks = {
            "domain": (self.domain, self.domain in ("day", "night"), "day or night"),
            "model.depth": (
                self.model.depth,
                self.model.depth in DEPTH_ARCHITECTURES,
                [*DEPTH_ARCHITECTURES],
            ),
            "model.pose": (
                self.model.pose,
                self.model.pose in POSE_ARCHITECTURES,
                [*POSE_ARCHITECTURES],
            ),
            "model.depth_range_m": (
                self.model.depth_range_m,
                0 < self.model.depth_range_m[0] < self.model.start_depth_m
                and self.model.start_depth_m < self.model.depth_range_m[1],
                "0 < nearest < start_depth_m < farthest",
            ),
            "data.size": (
                self.data.size,
                all(n >= 64 and n % 32 == 0 for n in self.data.size),
                "(height, width), multiples of 32 from 64 on",
            ),
            "loss.scales": (
                self.loss.scales,
                1 <= self.loss.scales <= count_scales(self.model.depth),
                f"1 to {count_scales(self.model.depth)} with {self.model.depth}",
            ),
            "refine.initial_weight": (
                self.refine.initial_weight,
                0 <= self.refine.initial_weight <= 1,
                "0 to 1",
            ),
            "refine.only": (
                self.refine.only,
                not self.refine.only or (self.data.depth and self.refine.features == "unet"),
                "data.depth: true and refine.features: unet with it",
            ),
            "optim.steps": (self.optim.steps, self.optim.steps > 0, "at least 1"),
            "optim.batch": (self.optim.batch, self.optim.batch > 0, "at least 1"),
            "optim.lr": (self.optim.lr, self.optim.lr > 0, "more than 0"),
            "optim.precision": (
                self.optim.precision,
                self.optim.precision in ("fp32", "bf16"),
                "fp32 or bf16",
            ),
        }
        for key, (got, fine, expected) in checks.items():
            if not fine:
                raise ConfigError(f"{key}: got {got!r}, expected {expected}")
