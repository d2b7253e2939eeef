"""What a training run is made of: the only place its defaults live."""

from __future__ import annotations

from dataclasses import dataclass, field

from sdepth.errors import ConfigError
from sdepth.models.depth_net import DEPTH_ARCHITECTURES, count_scales
from sdepth.models.efficientnet_lite import LITE
from sdepth.models.pose_net import POSE_ARCHITECTURES
from training.data.frames import CropConfig
from training.data.triplets import DataConfig
from training.hold import HoldConfig
from training.losses.night_photometry import NightConfig
from training.losses.photometric import LossConfig
from training.prior.day_prior import PriorConfig
from training.refinement import RefineTraining
from training.supervised import TruthConfig

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
    motion_from: str = ""  # a checkpoint for the pose network and features alone
    imagenet: bool = False  # the encoder, also of init_from, starts from ImageNet (lite0)
    frozen_blocks: int = 0  # the encoder's stem and so many blocks stay as they are (lite0)
    frozen_norm: bool = False  # the encoder's normalisation keeps its statistics


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
    encoder_lr_scale: float = 1.0  # learning rate of the depth encoder over lr
    average: float = 0.0  # decay of averaged depth weights, which are what is saved; 0 = none
    precision: str = "fp32"  # or bf16: autocast of the networks, losses stay fp32


@dataclass(frozen=True)
class LogConfig:
    """How often what is written."""

    scalars_every: int = 20
    images_every: int = 500
    save_every: int = 500
    keep_every: int = 0  # weights of every so many steps stay in RUN/kept; 0 = none do


@dataclass(frozen=True)
class TrainConfig:
    """A training run."""

    name: str = "baseline"
    domain: str = "day"
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    crop: CropConfig = field(default_factory=CropConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    truth: TruthConfig = field(default_factory=TruthConfig)
    refine: RefineTraining = field(default_factory=RefineTraining)
    hold: HoldConfig = field(default_factory=HoldConfig)
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
            "model.imagenet": (
                self.model.imagenet,
                not self.model.imagenet or self.model.depth in LITE,
                f"false, or model.depth one of {[*LITE]}",
            ),
            "model.frozen_blocks": (
                self.model.frozen_blocks,
                self.model.frozen_blocks == 0 or self.model.depth in LITE,
                f"0, or model.depth one of {[*LITE]}",
            ),
            "truth.tie": (
                self.truth.tie,
                self.truth.tie == 0 or self.model.depth in LITE,
                f"0, or model.depth one of {[*LITE]}",
            ),
            "optim.average": (self.optim.average, 0 <= self.optim.average < 1, "0 to below 1"),
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
            "hold": (
                self.hold,
                self.hold.weight == 0 or (bool(self.model.init_from) and self.data.depth),
                "model.init_from, the network that depth is held to, and data.depth: true with it",
            ),
            "data.workers": (self.data.workers, self.data.workers >= 0, "0 or more"),
            "data.train": (self.data.train, len(self.data.train) > 0, "folders of drives"),
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
