"""Images in; metric depth, its camera_info, a coloured picture of it and a point cloud out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.qos import qos_profile_sensor_data
from rclpy.subscription import Subscription
from sensor_msgs.msg import Illuminance
from std_msgs.msg import Float64, String

from sdepth.checkpoint import bundled
from sdepth.depth.daynight import AUTO, DAY, NIGHT, TOPIC
from sdepth.depth.estimator import DepthEstimator
from sdepth.pipeline import DepthPipeline
from sdepth.scale.tracker import SPEED_SOURCES, UNKNOWN, Scale
from sdepth.stamp_order import fault
from sdepth_ros import stats
from sdepth_ros.conversions import stamp_ns, to_rgb
from sdepth_ros.depth_outputs import clean_depth
from sdepth_ros.depth_publishers import CONFIDENCE, DepthPublishers, too_soon
from sdepth_ros.frame_node import Frame, FrameNode
from sdepth_ros.node_params import DepthParams
from sdepth_ros.node_process import run
from sdepth_ros.notices import NO_FRAME_ID, NO_LIGHT, NO_STAMPS, NOT_METRIC, Said
from sdepth_ros.qos import LATCHED
from sdepth_ros.vehicle import VehicleSpeed

_STANDS_STILL = 3
"""Images of the stamp of the one before, after which the camera's clock is no clock."""


class DepthNode(FrameNode[DepthParams]):
    """Publishes what a depth network sees, under the stamp and the frame of the image."""

    def __init__(self) -> None:
        """Wait to be configured; ``followers`` in this process get each frame with its depth."""
        super().__init__("depth", DepthParams)
        self._estimators: dict[str, DepthEstimator] = {}
        self._mode = ""
        self._scale: Scale | None = None
        self._told: Scale | None = None
        self._vehicle: VehicleSpeed | None = None
        self._light: Subscription | None = None
        self._lux: float | None = None
        self._taken_ns = self._newest_ns = self._still = 0
        self._nameless = False
        self.followers: list[Callable[[Frame], None]] = []

    def configure(self) -> None:
        """Load both networks.

        Raises:
            CheckpointError: a checkpoint cannot be used.
            ConfigError: metres are to come from networks that know none.
        """
        model = self.params.model
        self._estimators = {DAY: self._load(DAY, model.day_path)}
        self._estimators[NIGHT] = self._load(NIGHT, model.night_path)
        self._pipeline = DepthPipeline(self._estimators, self.params.scale)
        self.start()
        self._depth_out = DepthPublishers(self)
        self._mode_out = self.advertise(String, "depth/mode", LATCHED)
        self._scale_out = self.advertise(Float64, "depth/scale", LATCHED)

    def activate(self) -> None:
        """Listen to the camera; its first image decides on day or night."""
        scale = self.params.scale
        self._pipeline = DepthPipeline(self._estimators, scale)
        self._scale = self._told = None
        if scale.source in SPEED_SOURCES:
            self._vehicle = VehicleSpeed(self, scale.source, self._pipeline.tracker)
        self._lux, self._taken_ns, self._still, self._nameless = None, 0, 0, False
        if self.params.day_night.source == TOPIC:
            self._light = self.create_subscription(
                Illuminance, "illuminance", self._on_illuminance, qos_profile_sensor_data
            )
        self.listen(self._on_image)

    def deactivate(self) -> None:
        """Stop listening, to the vehicle and the light, too."""
        if self._light is not None:
            self.destroy_subscription(self._light)
            self._light = None
        if self._vehicle is not None:
            self._vehicle.close()
            self._vehicle = None
        super().deactivate()

    def cleanup(self) -> None:
        """Let go of the networks, which the pipeline holds, too."""
        self._estimators.clear()
        self._mode = ""
        super().cleanup()

    def warm_up(self) -> None:
        """Show each network an image: the first is slow."""
        for estimator in self._estimators.values():
            for _ in range(2):
                estimator.warm_up()

    def describe(self) -> dict[str, str]:
        """Return the mode, and whether and why depth is in metres."""
        if not self._mode or self._scale is None:
            return {}
        scale, pipeline = self._scale, self._pipeline
        return {
            "mode": self._mode,
            "mode because": self._reason(),
            "mode changes": str(pipeline.selector.changes),
            "scale after change": f"{pipeline.handover.scale:.3f}",
            "metric": str(scale.metric),
            "scale": f"{scale.factor:.4f}",
            "scale sigma": f"{scale.sigma:.3f}",
            "scale source": scale.source,
            "scale age s": f"{scale.age_s:.1f}",
            "weights": self._estimators[self._mode].card.sha256[:12],
        }

    def doubts(self) -> list[Said]:
        """Return that depth has no place, time or metres, or that nobody tells how light it is."""
        found, night = super().doubts(), self.params.day_night
        if self._nameless:
            found.append(NO_FRAME_ID())
        if self._still >= _STANDS_STILL:
            found.append(NO_STAMPS(fault=fault(self._newest_ns, self._newest_ns)))
        if self.params.mode == AUTO and night.source == TOPIC and self._lux is None:
            topic = self.resolve_topic_name("illuminance")
            found.append(NO_LIGHT(topic=topic, mode=self._mode or DAY))
        if self._scale is not None and not self._scale.metric:
            wanted = self.params.scale.source
            until = "" if wanted == UNKNOWN else f" until {wanted} has told the scale"
            found.append(NOT_METRIC(until=until))
        return found

    def process(self, frame: Frame) -> bool:
        """Publish the answers to a frame that somebody listens to."""
        part, stamp = self.stats.part, stamp_ns(frame.image.header)
        with part("decode"):
            raw = to_rgb(frame.image, self.bits)
        with part("mode"):
            self._choose_mode(raw, stamp)
        with part("rectify"):
            image, camera = self.camera.rectify(raw)
        heard = self._depth_out.heard(stamp, self.params.cloud)
        if not heard and not self.followers:
            return False
        params = self.params
        unsure = params.confidence.min > 0 or CONFIDENCE in heard
        with part("rescale"):  # around the network, which is a part within
            seen = self._pipeline.process(
                image, camera, self._mode, stamp, params.day_night, params.scale, unsure
            )
        self._tell_scale(seen.scale)
        with part("clean"):
            clean = clean_depth(seen, params)
        for follow in self.followers:
            follow(replace(frame, views=(image, camera, clean)))
        self._depth_out.publish(heard, seen, clean, image, self.header_of(frame.image), params)
        return True

    def _on_image(self, msg: Any) -> None:
        """Take an image, unless it follows the last one too soon."""
        self.stats.count(stats.IN)
        stamp = stamp_ns(msg.header)
        self._still = self._still + 1 if stamp == self._newest_ns else 0
        self._newest_ns = stamp
        self._nameless = not self.header_of(msg).frame_id
        if too_soon(stamp, self._taken_ns, self.params.max_rate_hz):
            self.stats.count(stats.DROPPED)
            return
        self._taken_ns = stamp
        self.offer(Frame(msg, received_s=time.monotonic()))

    def _on_illuminance(self, msg: Illuminance) -> None:
        """Keep how bright it is."""
        self._lux = msg.illuminance if isfinite(msg.illuminance) else None

    def _choose_mode(self, image: NDArray[np.uint8], stamp: int) -> None:
        """Choose day or night by an image as it came, and announce it when it changes."""
        params = self.params
        mode = self._pipeline.choose(image, stamp, params.mode, params.day_night, self._lux)
        if mode != self._mode:
            self._mode = mode
            self._mode_out.publish(String(data=mode))
            self.get_logger().info(f"mode {mode}: {self._reason()}")

    def _tell_scale(self, scale: Scale) -> None:
        """Announce a scale that moved or has another source; NaN while metres are not known."""
        self._scale = scale
        if scale.is_news(self._told):
            self._told = scale
            self._scale_out.publish(Float64(data=scale.announced))

    def _reason(self) -> str:
        """Return why the mode is what it is."""
        selector = self._pipeline.selector
        return selector.reason if self.params.mode == AUTO else "set by parameter mode"

    def _load(self, domain: str, path: str) -> DepthEstimator:
        """Return the network of a checkpoint; without a path, of the one that ships."""
        checkpoint = Path(path) if path else bundled(domain)
        model, resolution = self.params.model, self.params.depth.resolution
        estimator = DepthEstimator(
            checkpoint, model.device, resolution, model.engine, model.precision
        )
        estimator.timed = partial(self.stats.part, "network")
        card = estimator.card
        height, width = card.input_size
        self.get_logger().info(f"{domain}: {checkpoint} ({width}x{height}, {card.domain})")
        self.get_logger().info(f"{domain}: engine {estimator.engine}")
        return estimator


def main(args: list[str] | None = None) -> int:
    """Run the node; return its exit code."""
    return run(lambda: [DepthNode()], args)


if __name__ == "__main__":
    sys.exit(main())
