"""Image to depth, for any pinhole camera: what the depth node calls."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sdepth.card import CANONICAL, CONFIDENCE, SKY, Card, ForeignCard
from sdepth.checkpoint import bundled, read_card
from sdepth.depth.daynight import DAY, NIGHT
from sdepth.depth.foreign import framed, to_depth, unframed
from sdepth.engines import Chosen, Source, choose
from sdepth.errors import ConfigError
from sdepth.geometry.camera import Camera
from sdepth.shapes import check_shape

_SKY = 0.5  # above it is sky


@dataclass(frozen=True)
class DepthMap:
    """Depth of an image.

    Attributes:
        depth: (h, w), metres along the optical axis.
        camera: of an image of that size.
        seen: RGB (h, w, 3), the image as the network saw it, where one did.
        confidence: (h, w), 0..1, 1 is sure; where the network says so itself.
        sky: (h, w), whether a pixel is sky; likewise.
    """

    depth: NDArray[np.float32]
    camera: Camera
    seen: NDArray[np.uint8] | None = None
    confidence: NDArray[np.float32] | None = None
    sky: NDArray[np.bool_] | None = None


class Estimator(Protocol):
    """A network that turns images into depth."""

    @property
    def card(self) -> Card:
        """What is known of it."""

    def predict(self, image: NDArray[np.uint8], camera: Camera) -> DepthMap:
        """Return the depth of an image; see ``DepthEstimator.predict``."""

    def answers_as(self, other: Estimator) -> bool:
        """Tell whether another is known to give the same depth of every image."""


def pick_device(device: str) -> torch.device:
    """Return the device named ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ConfigError: no such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        picked = torch.device(device)
        torch.empty(0, device=picked)
    except (RuntimeError, AssertionError) as err:
        first_line = str(err).splitlines()[0]
        raise ConfigError(f"device {device!r}: {first_line}; use auto or cpu") from err
    return picked


class DepthEstimator:
    """A checkpoint, ready to turn images into depth.

    Attributes:
        card: of the checkpoint.
        device: it runs on.
        engine: which library runs it, and why that one.
        timed: makes what is entered while the network alone runs; set it to time that.
    """

    def __init__(
        self,
        checkpoint: Path,
        device: str = "auto",
        resolution: str = "input",
        engine: str = "torch",
        precision: str = "fp32",
        opened: dict[tuple[str, ...], Chosen] | None = None,
    ) -> None:
        """Load the network.

        Args:
            checkpoint: a .safetensors file, or the .onnx of a network of others, with its card
                beside it.
            device: ``auto``, ``cpu`` or ``cuda:N``.
            resolution: of the depth: ``input`` (the image's) or ``model`` (the network's).
            engine: ``torch``, ``onnxruntime``, ``openvino``, ``tensorrt``, or ``auto``: the
                fastest of those that are installed.
            precision: ``fp32``, ``fp16``, ``bf16``, ``int8``, or ``auto``: the fastest of those
                that the card knows to cost little.
            opened: engines of other estimators, as ``choose`` takes them.

        Raises:
            CheckpointError: the checkpoint cannot be used.
            ConfigError: no such device, resolution, engine or precision here.
            EngineError: the engine does not answer as it should.
        """
        if resolution not in ("input", "model"):
            raise ConfigError(f"resolution {resolution!r}: expected 'input' or 'model'")
        self.device = pick_device(device)
        self.card = read_card(checkpoint)
        source = Source(checkpoint, self.card, self.device, precision)
        self._engine, self.engine = choose(source, engine, opened)
        self._resolution = resolution
        self.timed: Callable[[], AbstractContextManager[object]] = nullcontext

    def warm_up(self) -> None:
        """Answer a black image of the canonical camera: a network's first answers are slow."""
        height, width = self.card.input_size
        focal = self.card.focal_ratio * sqrt(width * height)
        camera = Camera(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)
        self.predict(np.zeros((height, width, 3), np.uint8), camera)

    def predict(self, image: NDArray[np.uint8], camera: Camera) -> DepthMap:
        """Return the depth of an image.

        The focal length is compensated: the network's answer for the canonical camera is scaled
        by the ratio of the two focal ratios (Metric3D's canonical camera).

        Args:
            image: RGB (H, W, 3).
            camera: intrinsics of that image; lens distortion must be gone.

        Raises:
            ShapeError: the image is not (camera.height, camera.width, 3).
        """
        check_shape("image", image, f"{camera.height} {camera.width} 3")
        if isinstance(self.card, ForeignCard):
            answer = self.answer(image, camera)
            return replace(answer, depth=to_depth(answer.depth, self.card))
        height, width = self.card.input_size
        if image.shape[:2] != (height, width):
            small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            image = np.asarray(small, np.uint8)
        with self.timed():
            depth = self._engine.infer(image, camera.focal_ratio / self.card.focal_ratio)
        if self._resolution == "model":
            camera = camera.resized(width, height)
        elif depth.shape != (camera.height, camera.width):
            inv_depth = cv2.resize(np.reciprocal(depth), (camera.width, camera.height))
            depth = np.asarray(np.reciprocal(inv_depth, out=inv_depth), np.float32)
        return DepthMap(depth, camera, image)

    def answers_as(self, other: Estimator) -> bool:
        """Tell whether another shows the same network the same image: then one may answer."""
        if not isinstance(other, DepthEstimator) or self._engine is not other._engine:
            return False
        # All that a card says counts, but what depth does not depend on.
        card = replace(other.card, domain=self.card.domain, costs=self.card.costs)
        return card == self.card and other._resolution == self._resolution

    def answer(self, image: NDArray[np.uint8], camera: Camera) -> DepthMap:
        """Return what a network of others answers, in the place of depth: its card says what.

        A network for one focal length is told how much longer that of the image is, as it sees it
        (Metric3D's canonical camera).

        Args:
            image: RGB (H, W, 3).
            camera: of that image.
        """
        assert isinstance(self.card, ForeignCard)
        seen, (height, width) = framed(image, self.card), self.card.input_size
        focal_scale = 1.0
        if self.card.output == CANONICAL:
            inner = sqrt(seen.inside[2] * seen.inside[3] / (height * width))
            focal_scale = camera.focal_ratio / self.card.focal_ratio * inner
        with self.timed():
            first, *more = self._engine.maps(seen.image, focal_scale)
        size = (camera.height, camera.width) if self._resolution == "input" else None
        depth = unframed(first, seen, size)
        height, width = depth.shape
        beside = dict(zip(self.card.beside, more, strict=True))
        beside = {k: unframed(v, seen, depth.shape, cv2.INTER_LINEAR) for k, v in beside.items()}
        sky = beside[SKY] > _SKY if SKY in beside else None
        return DepthMap(
            depth, camera.resized(width, height), confidence=beside.get(CONFIDENCE), sky=sky
        )


def load_estimators(
    day: str | Path = "",
    night: str | Path = "",
    device: str = "auto",
    resolution: str = "input",
    engine: str = "torch",
    precision: str = "fp32",
) -> dict[str, DepthEstimator]:
    """Return the networks of day and night, by mode; where both are one, it is loaded once.

    Args:
        day: checkpoint; empty: the one that ships.
        night: likewise.
        device: as ``DepthEstimator`` takes it, like the others.
        resolution: of the depth.
        engine: library that runs the networks.
        precision: of the networks.

    Raises:
        CheckpointError: a checkpoint cannot be used.
        ConfigError: no such device, resolution, engine or precision here.
        EngineError: an engine does not answer as PyTorch does.
    """
    estimators: dict[str, DepthEstimator] = {}
    opened: dict[tuple[str, ...], Chosen] = {}
    for mode, path in ((DAY, day), (NIGHT, night)):
        checkpoint = Path(path) if path else bundled(mode)
        estimator = DepthEstimator(checkpoint, device, resolution, engine, precision, opened)
        (height, width), log = estimator.card.input_size, logging.getLogger(__name__)
        log.info("%s: %s (%dx%d, %s)", mode, checkpoint, width, height, estimator.card.domain)
        log.info("%s: engine %s", mode, estimator.engine)
        estimators[mode] = estimator
    return estimators
