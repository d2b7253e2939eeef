"""Cards: the NAME.json beside a network, ours or that of others, that says what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from sdepth.errors import ConfigError

FORMAT = 1
FOREIGN = ".onnx"
"""Ending of the networks of others."""


@dataclass(frozen=True)
class Card:
    """Everything a user of the weights must know; the JSON beside them.

    Attributes:
        depth_architecture: one of ``DEPTH_ARCHITECTURES``.
        pose_architecture: one of ``POSE_ARCHITECTURES``; "" without a pose network.
        input_size: (height, width) of the image the networks take.
        mean: of the RGB normalisation inside the networks; RGB is in [0, 1].
        std: likewise.
        depth_range_m: nearest and farthest depth for the canonical camera.
        focal_ratio: of the canonical camera, sqrt(fx fy / (W H)).
        pose_output_scale: factor on the pose network's raw output.
        metric: whether depth and translation are metres, or metres up to one unknown factor.
        domain: ``day`` or ``night``.
        training_data: what the weights have seen.
        command: what made them.
        commit: of the code that made them.
        step: training steps.
        features: of the pose refinement, as ``make_features`` takes it; "" without learned ones.
        feature_strides: of its levels, coarse to fine.
        costs: by how much AbsRel rises in other precisions than fp32, as a share of it; those not
            named were not measured.
        sha256: of the weights file.
        format: of card and weights.
    """

    depth_architecture: str
    pose_architecture: str
    input_size: tuple[int, int]
    depth_range_m: tuple[float, float]
    metric: bool
    domain: str
    training_data: str
    command: str
    commit: str
    step: int
    focal_ratio: float
    pose_output_scale: float
    mean: float = 0.45
    std: float = 0.225
    features: str = ""
    feature_strides: tuple[int, ...] = ()
    costs: dict[str, float] = field(default_factory=dict)
    sha256: str = ""
    format: int = FORMAT


METRIC, CANONICAL, INVERSE, AFFINE = OUTPUTS = ("metric", "canonical", "inverse", "affine")
"""What a foreign network gives: depth in metres; depth in metres for a camera of one focal length;
inverse depth up to scale; inverse depth up to scale and shift."""
STRETCH, KEEP = FITS = ("stretch", "keep")
"""How an image gets the size of the network: side by side, or its aspect kept, the rest padded."""
CONFIDENCE, SKY = "confidence", "sky"
"""Outputs that a foreign network may have beside depth, 0 to 1; above 0.5 is sky."""
SHARE, WEIGHT = CONFIDENCES = ("share", "weight")
"""How a network's own confidence is to be read: 0 to 1; or 1 and up, in proportion to one over the
error that it expects (DUSt3R, Depth Anything 3)."""
RESAMPLINGS, CHANNELS = ("area", "bilinear", "bicubic"), ("rgb", "bgr")


@dataclass(frozen=True)
class ForeignCard(Card):
    """The card of a network of others, NAME.onnx, written by training.weights.import_network.

    ``depth_range_m`` is what depth is clipped to; of inverse depth only the ratio counts, farthest
    over nearest of an image. ``focal_ratio`` is 1 where the output is not ``canonical``.

    Attributes:
        output: one of ``OUTPUTS``.
        fit: one of ``FITS``.
        resample: one of ``RESAMPLINGS``; the latter two as Pillow does it, without aliasing.
        multiple: that sides of the network's image are of.
        channels: one of ``CHANNELS``; like the next two inside the graph already, which takes RGB.
        channel_mean: of the normalisation, per channel in the network's order, of 0..1.
        channel_std: likewise.
        padding: what is beside an image whose aspect is kept, of 0..1, in the order of the mean;
            () for the mean, which becomes 0.
        confidence: name of the output that says how sure depth is; "" for none. Like the next
            three inside the graph already.
        confidence_is: one of ``CONFIDENCES``.
        sky: name of the output that says what is sky; "" for none.
        sky_above: its values above this are sky.
        licence: of the weights, as their source says it.
        source: where they come from.
    """

    output: str = METRIC
    fit: str = STRETCH
    resample: str = "area"
    multiple: int = 1
    channels: str = "rgb"
    channel_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channel_std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    padding: tuple[float, ...] = ()
    confidence: str = ""
    confidence_is: str = SHARE
    sky: str = ""
    sky_above: float = 0.5
    licence: str = "unknown"
    source: str = "unknown"

    def __post_init__(self) -> None:
        """Refuse words and numbers that mean nothing.

        Raises:
            ConfigError: one of them.
        """
        known = {
            "output": OUTPUTS, "fit": FITS, "resample": RESAMPLINGS, "channels": CHANNELS,
            "confidence_is": CONFIDENCES,
        }  # fmt: skip
        for name, words in known.items():
            if getattr(self, name) not in words:
                raise ConfigError(f"{name} {getattr(self, name)!r}: expected one of {[*words]}")
        if len(self.padding) not in (0, 3) or not all(0 <= p <= 1 for p in self.padding):
            raise ConfigError(f"padding {self.padding}: expected three numbers of 0 to 1, or none")
        near, far = self.depth_range_m
        if not (0 < near < far < inf and 0 < self.focal_ratio < inf and min(self.channel_std) > 0):
            raise ConfigError(
                f"depth range {near:g} to {far:g}, focal ratio {self.focal_ratio:g}, standard "
                f"deviations {self.channel_std}: expected 0 < near < far, and more than 0"
            )
        if self.metric != (self.output in (METRIC, CANONICAL)):
            raise ConfigError(f"metric {self.metric}: {self.output} output says the contrary")

    @property
    def beside(self) -> tuple[str, ...]:
        """What the graph gives beside depth, in this order: ``CONFIDENCE``, ``SKY``."""
        return tuple(name for name in (CONFIDENCE, SKY) if getattr(self, name))


def in_words(card: Card) -> str:
    """Return what a network is: its size, what it gives in which unit, and whose licence holds."""
    height, width = card.input_size
    unit = "metres" if card.metric else "depth up to one factor"
    licence = "that of its source" if card.commit == "imported" else "Apache-2.0"
    if isinstance(card, ForeignCard):
        relative = {
            INVERSE: "inverse depth up to scale",
            AFFINE: "inverse depth up to scale, shift",
        }
        unit, licence = ", ".join((relative.get(card.output, unit), *card.beside)), card.licence
    return f"{card.depth_architecture}, {width}x{height}, {unit}, licence {licence}"
