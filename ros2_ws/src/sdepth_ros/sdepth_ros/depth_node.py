"""Images in; metric depth, its camera_info, a coloured picture of it and a point cloud out."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header, String

from sdepth.checkpoint import bundled
from sdepth.clean import drop_edges, to_millimetres, within, within_height
from sdepth.cloud import xyzrgb_cloud
from sdepth.colorize import colorize
from sdepth.daynight import DAY, NIGHT, ModeSelector, mean_luminance
from sdepth.estimator import DepthEstimator, DepthMap
from sdepth.handover import Handover
from sdepth_ros import stats
from sdepth_ros.conversions import (
    CLOUD_FIELDS,
    camera_info_fields,
    cloud_fields,
    image_fields,
    stamp_ns,
)
from sdepth_ros.frame_node import Frame, FrameNode, run
from sdepth_ros.node_params import AUTO, DepthParams
from sdepth_ros.qos import LATCHED


class DepthNode(FrameNode[DepthParams]):
    """Publishes what a depth network sees, under the stamp and the frame of the image."""

    def __init__(self) -> None:
        """Wait to be configured."""
        super().__init__("depth", DepthParams)
        self._estimators: dict[str, DepthEstimator] = {}
        self._mode = ""

    def configure(self) -> None:
        """Load both networks.

        Raises:
            CheckpointError: a checkpoint cannot be used.
        """
        model = self.params.model
        self._estimators = {DAY: self._load(DAY, model.day_path)}
        self._estimators[NIGHT] = self._load(NIGHT, model.night_path)
        self.start()
        self._depth = self.advertise(Image, "depth/image_rect")
        self._info = self.advertise(CameraInfo, "depth/camera_info")
        self._color = self.advertise(Image, "depth/color")
        self._points = self.advertise(PointCloud2, "points")
        self._mode_out = self.advertise(String, "mode", LATCHED)

    def activate(self) -> None:
        """Listen to the camera; its first image decides on day or night."""
        self._selector = ModeSelector(self.params.day_night)
        self._handover = Handover(self._estimators)
        self.listen(self._on_image)

    def cleanup(self) -> None:
        """Let go of the networks, which the hand-over holds, too."""
        self._estimators.clear()
        self._mode = ""
        super().cleanup()

    def warm_up(self) -> None:
        """Show each network an image: the first is slow."""
        for estimator in self._estimators.values():
            for _ in range(2):
                estimator.warm_up()

    def describe(self) -> dict[str, str]:
        """Return the mode and whether depth is in true metres."""
        if not self._mode:
            return {}
        card = self._estimators[self._mode].card
        return {
            "mode": self._mode,
            "mode because": self._reason(),
            "mode changes": str(self._selector.changes),
            "scale after change": f"{self._handover.scale:.3f}",
            "metric": str(card.metric),
            "weights": card.sha256[:12],
        }

    def process(self, frame: Frame) -> bool:
        """Publish the answers to a frame that somebody listens to."""
        image, camera = self.camera.read(frame.image)
        stamp = stamp_ns(frame.image.header)
        mode = self._choose_mode(image, stamp)
        wants_cloud = self.params.cloud.enable and _heard(self._points)
        if not wants_cloud and not any(map(_heard, (self._depth, self._info, self._color))):
            return False
        seen = self._handover(image, camera, mode, stamp, self.params.day_night)
        limits = self.params.depth
        clean = drop_edges(seen.depth, limits.edge_filter)
        beyond = {"inf": np.inf, "nan": np.nan, "clip": limits.max_m}[limits.sky]
        clean = within(clean, limits.min_m, limits.max_m, beyond)
        self._publish_depth(seen, clean, frame.image.header)
        if wants_cloud:
            self._publish_cloud(DepthMap(clean, seen.camera), image, frame.image.header)
        return True

    def _on_image(self, msg: Any) -> None:
        """Take an image."""
        self.stats.count(stats.IN)
        self.offer(Frame(msg, received_s=time.monotonic()))

    def _choose_mode(self, image: NDArray[np.uint8], stamp: int) -> str:
        """Return day or night, and announce it when it changes."""
        luminance = mean_luminance(image)
        self._selector.config = self.params.day_night
        mode = self._selector.update(luminance, stamp)
        mode = mode if self.params.mode == AUTO else self.params.mode
        if mode != self._mode:
            self._mode = mode
            self._mode_out.publish(String(data=mode))
            self.get_logger().info(f"mode {mode}: {self._reason()}")
        return mode

    def _reason(self) -> str:
        """Return why the mode is what it is."""
        return self._selector.reason if self.params.mode == AUTO else "set by parameter mode"

    def _publish_depth(self, seen: DepthMap, clean: NDArray[np.float32], header: Header) -> None:
        """Publish clean depth, its camera and a picture of what was seen, each where heard."""
        limits = self.params.depth
        if _heard(self._info):
            fields = camera_info_fields(seen.camera)
            self._info.publish(CameraInfo(header=header, **fields))
        if _heard(self._depth):
            pixels = clean if limits.encoding == "32FC1" else to_millimetres(clean)
            self._depth.publish(Image(header=header, **image_fields(pixels, limits.encoding)))
        if _heard(self._color):
            color = colorize(seen.depth, far_m=max(limits.max_m, 2.1))
            self._color.publish(Image(header=header, **image_fields(color, "bgr8")))

    def _publish_cloud(self, clean: DepthMap, image: NDArray[np.uint8], header: Header) -> None:
        """Publish the coloured points within range and height."""
        limits = self.params.cloud
        cloud = xyzrgb_cloud(clean.depth, image, clean.camera, limits.stride)
        within_height(cloud, limits.height_min, limits.height_max)
        fields = [PointField(**item) for item in CLOUD_FIELDS]
        self._points.publish(PointCloud2(header=header, fields=fields, **cloud_fields(cloud)))

    def _load(self, domain: str, path: str) -> DepthEstimator:
        """Return the network of a checkpoint; without a path, of the one that ships."""
        checkpoint = Path(path) if path else bundled(domain)
        params = self.params
        estimator = DepthEstimator(checkpoint, params.model.device, params.depth.resolution)
        card = estimator.card
        height, width = card.input_size
        self.get_logger().info(f"{domain}: {checkpoint} ({width}x{height}, {card.domain})")
        if not card.metric:
            self.get_logger().warning(
                f"{checkpoint} is not metric: depth is true up to one unknown factor"
            )
        return estimator


def _heard(output: Any) -> bool:
    """Tell whether anybody listens to a publisher."""
    return output.get_subscription_count() > 0


def main(args: list[str] | None = None) -> int:
    """Run the node; return its exit code."""
    return run(DepthNode, "depth", args)


if __name__ == "__main__":
    sys.exit(main())
