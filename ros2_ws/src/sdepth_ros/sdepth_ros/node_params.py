"""Every parameter of the nodes, its default and what it may be: the only place a default lives."""

from __future__ import annotations

from dataclasses import dataclass, field

from sdepth.config import param
from sdepth.depth.daynight import AUTO
from sdepth.depth.validity import RangeConfig
from sdepth.engines import ENGINES, PRECISIONS
from sdepth.errors import ConfigError
from sdepth.odometry.pipeline import AlignmentConfig
from sdepth.pipeline import DepthConfig
from sdepth.pixels import BitDepth


@dataclass(frozen=True)
class ImageParams:
    """What the images are that their messages do not say."""

    significant_bits: int = param(
        0,
        "Of 16-bit images, 8 to 16: those of the sensor; 0: by the brightest pixel so far",
        range=(0, 16),
    )

    def __post_init__(self) -> None:
        """Refuse fewer bits than are shown."""
        BitDepth(self.significant_bits)


@dataclass(frozen=True)
class InputParams:
    """How a node starts and takes its images."""

    autostart: bool = param(
        True,
        "Whether the node configures and activates itself; false: a lifecycle manager does",
        read_only=True,
    )
    image_transport: str = param(
        "raw", "raw: topic image; compressed: image/compressed", choices=("raw", "compressed")
    )
    input_reliability: str = param(
        AUTO,
        "auto: reliable where every publisher is; reliable; best_effort",
        choices=(AUTO, "reliable", "best_effort"),
    )
    rectify: bool = param(
        False, "Whether images have the lens distortion camera_info describes; it is taken out"
    )
    camera_info_url: str = param(
        "", "Calibration .yaml for want of camera_info: a path, file:// or package://NAME/ URL"
    )
    camera_frame: str = param("", "Optical frame of the camera; empty: the image's frame_id")
    image: ImageParams = field(default_factory=ImageParams)


@dataclass(frozen=True)
class EngineParams:
    """Where networks run."""

    device: str = param(AUTO, "auto, cpu, cuda or cuda:N")
    engine: str = param(
        AUTO,
        "Library that runs the networks; auto: the fastest installed, timed at the first start",
        choices=(AUTO, *ENGINES),
    )


@dataclass(frozen=True)
class DepthModelParams(EngineParams):
    """Which networks, and where they run."""

    day_path: str = param(
        "",
        "Checkpoint (.safetensors) or network of others (.onnx, docs/networks.md) for the day; "
        "empty: the one that ships",
    )
    night_path: str = param("", "Checkpoint for the night; empty: the one that ships")
    precision: str = param(
        AUTO,
        "Of the networks; auto: the fastest that costs less than 1 % of accuracy, as their card "
        "says; int8 wants them quantised by training.weights.quantize",
        choices=(AUTO, *PRECISIONS),
    )


@dataclass(frozen=True)
class DepthOutputParams(RangeConfig):
    """Which depth is valid, and what it looks like."""

    resolution: str = param(
        "input", "Size of the depth: the image's or the network's", choices=("input", "model")
    )
    encoding: str = param(
        "32FC1",
        "32FC1: metres; 16UC1: whole millimetres up to 65.5 m, 0 where there is none",
        choices=("32FC1", "16UC1"),
    )
    sky: str = param(
        "inf",
        "What stands beyond max_m: inf (+Inf, REP 117), nan, or clip (max_m itself; an "
        "odometry_node of another process takes depth from its max_depth_m on for unknown)",
        choices=("inf", "nan", "clip"),
        dynamic=True,
    )


@dataclass(frozen=True)
class CloudParams:
    """What the point cloud looks like."""

    enable: bool = param(True, "Whether to publish points where somebody listens", dynamic=True)
    max_rate_hz: float = param(
        0.0,
        "Clouds a second at most, by the images' stamps; 0: one for every image",
        range=(0.0, 1000.0),
        dynamic=True,
    )
    stride: int = param(
        2, "Every so many-th row and column becomes points", range=(1, 64), dynamic=True
    )
    edge_filter: float = param(
        0.25,
        "No points where depth changes by more than this share within 0.6 degrees; 0: all",
        range=(0.0, 10.0),
        dynamic=True,
    )
    max_m: float = param(
        40.0, "Farthest point along the optical axis, metres", range=(0.0, 10000.0), dynamic=True
    )
    road_height_max: float = param(
        5.0,
        "Highest point, metres above the road, where one is seen: no sky",
        range=(0.01, 1e4),
        dynamic=True,
    )
    color: str = param(
        "image",
        "What points are coloured by; height: blue on the road to red at road_height_max",
        choices=("image", "height"),
        dynamic=True,
    )
    height_min: float = param(
        -1000.0, "Lowest point, metres above the camera", range=(-1e4, 1e4), dynamic=True
    )
    height_max: float = param(
        1000.0, "Highest point, metres above the camera", range=(-1e4, 1e4), dynamic=True
    )

    def __post_init__(self) -> None:
        """Refuse an empty band."""
        if self.height_min >= self.height_max:
            raise ConfigError(
                f"cloud.height_min {self.height_min} and cloud.height_max {self.height_max}: "
                "expected min < max"
            )


@dataclass(frozen=True)
class DepthParams(InputParams, DepthConfig):
    """Parameters of the depth node."""

    max_rate_hz: float = param(
        0.0,
        "Images a second that are taken at most, by their stamps; 0: as many as come",
        range=(0.0, 1000.0),
        dynamic=True,
    )
    model: DepthModelParams = field(default_factory=DepthModelParams)
    depth: DepthOutputParams = field(default_factory=DepthOutputParams)
    cloud: CloudParams = field(default_factory=CloudParams)


@dataclass(frozen=True)
class OdometryModelParams(EngineParams):
    """Which networks, and where they run."""

    path: str = param("", "Checkpoint (.safetensors); empty: the one that ships")
    precision: str = param(
        AUTO,
        "Of the networks, whose answers are a first guess and features; auto, and int8: the "
        "fastest of fp32 and bf16",
        choices=(AUTO, *PRECISIONS),
    )


@dataclass(frozen=True)
class PathParams:
    """The trail in ``path``."""

    period_s: float = param(0.5, "Least time between two paths, seconds", range=(0.0, 60.0))
    max_poses: int = param(2000, "Poses kept; the oldest go first", range=(1, 100_000))


@dataclass(frozen=True)
class FusedParams:
    """Depth that agrees with the frames before; it looks like the depth it is made of.

    The points have parameters of their own: in one process a file of either node is read by both.
    """

    enable: bool = param(True, "Whether to publish fused/... where somebody listens", dynamic=True)
    cloud: CloudParams = field(default_factory=CloudParams)


@dataclass(frozen=True)
class OdometryParams(InputParams, AlignmentConfig):
    """Parameters of the odometry node."""

    odom_frame: str = param("odom", "Frame the pose is given in")
    base_frame: str = param(
        "base_link", "Frame the pose is of, found through /tf_static and /tf; empty: the camera's"
    )
    publish_tf: bool = param(True, "Whether to publish odom -> base on /tf", dynamic=True)
    model: OdometryModelParams = field(default_factory=OdometryModelParams)
    path: PathParams = field(default_factory=PathParams)
    fused: FusedParams = field(default_factory=FusedParams)

    def __post_init__(self) -> None:
        """Refuse frames that cannot be a parent and its child."""
        odom = self.odom_frame.lstrip("/")
        moved = (self.base_frame or self.camera_frame).lstrip("/")
        if not odom or odom == moved:
            raise ConfigError(
                f"odom_frame {self.odom_frame!r} and base_frame {self.base_frame!r}, camera_frame "
                f"{self.camera_frame!r}: expected a name for odom_frame that none of them has"
            )
