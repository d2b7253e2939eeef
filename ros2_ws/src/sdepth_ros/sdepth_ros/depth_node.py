"""Images in; metric depth, its camera_info, a coloured picture of it and a point cloud out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from std_msgs.msg import Float64, String

from sdepth.card import in_words
from sdepth.depth.daynight import AUTO, DAY, TOPIC
from sdepth.depth.estimator import DepthEstimator, load_estimators
from sdepth.pipeline import DepthPipeline
from sdepth.scale.tracker import SPEED_SOURCES, UNKNOWN, Scale
from sdepth_ros import stats
from sdepth_ros.camera_input import ImageWatch
from sdepth_ros.conversions import stamp_ns, to_rgb
from sdepth_ros.depth_publishers import CONFIDENCE, POINTS, DepthPublishers, Shown
from sdepth_ros.frame_node import Frame, FrameNode
from sdepth_ros.node_params import DepthParams
from sdepth_ros.node_process import run
from sdepth_ros.notices import NO_LIGHT, NOT_METRIC, Said
from sdepth_ros.qos import LATCHED
from sdepth_ros.vehicle import LightSensor, VehicleSpeed
from sdepth_ros.worker import Rendezvous


class DepthNode(FrameNode[DepthParams]):
    """Publishes what a depth network sees, under the stamp and the frame of the image."""

    def __init__(self) -> None:
        """Wait to be configured; ``followers`` in this process get each frame with its depth."""
        super().__init__("depth", DepthParams)
        self._estimators: dict[str, DepthEstimator] = {}
        self._mode = ""
        self._scale: Scale | None = None
        self._told: Scale | None = None
        self._listeners: list[VehicleSpeed | LightSensor] = []
        self._watch = ImageWatch()
        self.followers: list[Callable[[Frame], None]] = []

    def configure(self) -> None:
        """Load both networks.

        Raises:
            CheckpointError: a checkpoint cannot be used.
            ConfigError: metres are to come from networks that know none.
        """
        model = self.params.model
        self._estimators = load_estimators(
            model.day_path,
            model.night_path,
            model.device,
            self.params.depth.resolution,
            model.engine,
            model.precision,
        )
        self._pipeline = self._new_pipeline()
        self.start()
        self._depth_out = DepthPublishers(self)
        self._mode_out = self.advertise(String, "depth/mode", LATCHED)
        self._scale_out = self.advertise(Float64, "depth/scale", LATCHED)

    def activate(self) -> None:
        """Listen to the camera; its first image decides on day or night."""
        self._pipeline = self._new_pipeline()
        self._scale = self._told = None
        self._watch = ImageWatch()
        if (source := self.params.scale.source) in SPEED_SOURCES:
            self._listeners.append(VehicleSpeed(self, source, self._pipeline.tracker))
        if self.params.day_night.source == TOPIC:
            self._listeners.append(LightSensor(self, partial(setattr, self._pipeline, "lux")))
        self.listen(self._on_image)

    def reconfigure(self) -> None:
        """Let the pipeline use what changed from the next image on."""
        self._pipeline.configure(self.params)

    def deactivate(self) -> None:
        """Stop listening, to the vehicle and the light, too."""
        while self._listeners:
            self._listeners.pop().close()
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
        """Return the networks, the mode, and whether and why depth is in metres."""
        networks = {f"{m} network": in_words(e.card) for m, e in self._estimators.items()}
        if not self._mode or self._scale is None:
            return networks
        scale, pipeline = self._scale, self._pipeline
        values = networks | {
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
        if (shift := pipeline.shift(self._mode)) is not None:
            values["shift 1/m"] = f"{shift.value / scale.factor:.4f}"
            values["shift sigma 1/m"] = f"{shift.sigma / scale.factor:.4f}"
        return values

    def doubts(self) -> list[Said]:
        """Return warnings: frame_id, stamps, scale not metric, no illuminance."""
        found, night = [*super().doubts(), *self._watch.doubts()], self.params.day_night
        if self.params.mode == AUTO and night.source == TOPIC and self._pipeline.lux is None:
            topic = self.resolve_topic_name("illuminance")
            found.append(NO_LIGHT(topic=topic, mode=self._mode or DAY))
        if self._scale is not None and not self._scale.metric:
            wanted = self.params.scale.source
            until = "" if wanted == UNKNOWN else f" until {wanted} has told the scale"
            found.append(NOT_METRIC(until=until))
        return found

    def process(self, frame: Frame) -> bool:
        """Publish the answers to a frame that somebody listens to."""
        with self.stats.part("decode"):
            raw = to_rgb(frame.image, self.bits)
        stamp, params = stamp_ns(frame.image.header), self.params
        heard = self._depth_out.due(self._depth_out.heard(params.cloud), stamp, params.cloud)
        if not heard and not self.followers:
            self._tell_mode(self._pipeline.choose_mode(raw, stamp))
            self.camera.rectify(raw)  # refuses what is not of this camera
            return False
        result = self._pipeline.process(raw, self.camera.rectify, stamp, CONFIDENCE in heard)
        self._tell_mode(result.mode)
        self._tell_scale(result.scale)
        answered = Rendezvous() if self.followers and POINTS in heard else None
        for follow in self.followers:
            follow(replace(frame, result=result, answered=answered))
        shown = Shown(result.image, result.depth, result.predicted, result.confidence)
        how = self.header_of(frame.image), params.depth, params.cloud, answered
        self._depth_out.publish(heard, shown, *how)
        return True

    def _on_image(self, msg: Any) -> None:
        """Take an image, unless it follows the last one too soon."""
        self.stats.count(stats.IN)
        rate = self.params.max_rate_hz
        if not self._watch.take(stamp_ns(msg.header), self.header_of(msg).frame_id, rate):
            self.stats.count(stats.DROPPED)
            return
        self.offer(Frame(msg, received_s=time.monotonic()))

    def _tell_mode(self, mode: str) -> None:
        """Announce a mode when it changes."""
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

    def _new_pipeline(self) -> DepthPipeline:
        """Return a pipeline that has seen nothing."""
        return DepthPipeline(self._estimators, self.params, self.stats.part)


def main(args: list[str] | None = None) -> int:
    """Run the node; return its exit code."""
    return run(lambda: [DepthNode()], args)


if __name__ == "__main__":
    sys.exit(main())
