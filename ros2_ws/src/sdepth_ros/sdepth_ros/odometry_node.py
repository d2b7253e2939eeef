"""Images and their depth in; the vehicle's pose, twist, trail and transform, better depth out."""

from __future__ import annotations

import sys
import threading
import time
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_msgs.msg import Float64, Header
from std_srvs.srv import Trigger

from sdepth.depth.estimator import DepthMap
from sdepth.geometry.camera import Camera
from sdepth.odometry.motion import Motion
from sdepth.odometry.odometry import Odometry
from sdepth.odometry.pipeline import THREADS, OdometryPipeline, load_odometry, warm_up
from sdepth_ros import stats
from sdepth_ros.conversions import plain, stamp_ns, to_depth, to_rgb
from sdepth_ros.depth_pairs import DepthPairs
from sdepth_ros.frame_node import Frame, FrameNode
from sdepth_ros.fused_publishers import FusedPublishers, looks_of
from sdepth_ros.managed_node import ACTIVE
from sdepth_ros.mounting import Mounting
from sdepth_ros.node_params import DepthOutputParams, OdometryParams
from sdepth_ros.node_process import run
from sdepth_ros.notices import Said
from sdepth_ros.pose_publishers import PosePublishers
from sdepth_ros.qos import LATCHED
from sdepth_ros.stats import TrackingLog
from sdepth_ros.tf_conflicts import Rivals

if TYPE_CHECKING:
    from sdepth_ros.depth_node import DepthNode


class OdometryNode(FrameNode[OdometryParams]):
    """Publishes where the base frame is, under the stamp of the image."""

    SLOTS = 2  # each pose builds on the one before: a short wait is better than a gap
    THREADS = THREADS
    _pipeline: OdometryPipeline

    def __init__(self, depth_node: DepthNode | None = None) -> None:
        """Wait to be configured; a depth node of this process gives frames without topics."""
        super().__init__("odometry", OdometryParams)
        self._depth_node = depth_node
        self._odometry: Odometry | None = None
        self._mounting: Mounting | None = None
        self._scale: Subscription | None = None
        self._log, self._metric = TrackingLog(), True
        self._anew = threading.Event()
        self._rivals = Rivals(self)
        self.create_service(Trigger, "~/reset_odometry", self._on_reset)

    def configure(self) -> None:
        """Load the networks.

        Raises:
            CheckpointError: the checkpoint cannot be used.
        """
        model = self.params.model
        checkpoint = Path(model.path) if model.path else None
        how = model.device, model.engine, model.precision
        self._odometry = load_odometry(self.params, checkpoint, *how)
        self._pipeline = OdometryPipeline(self._odometry, self.params, self.stats.part)
        self.start()
        self._out = PosePublishers(self, self.params.path, self._rivals.sent)
        self._fused_out = FusedPublishers(self)

    def activate(self) -> None:
        """Start at the origin: how the camera moved while nobody looked is not known."""
        assert self._odometry is not None
        self._pipeline = OdometryPipeline(self._odometry, self.params, self.stats.part)
        self._log, self._metric = TrackingLog(), True  # unless who gives depth says otherwise
        self._anew.clear()
        self._mounting = Mounting(self, self.params, self.wake)
        if self._depth_node is not None:
            self.expect_frames()
            self._depth_node.followers.append(self._follow)
            return
        self._scale = self.create_subscription(Float64, "depth/scale", self._on_scale, LATCHED)
        self._pairs = DepthPairs(self._on_pair, lambda n: self.stats.count(stats.DROPPED, n))
        self.listen(self._on_image)
        self._depth_in = self.subscribe(Image, "depth/image_rect", self._pairs.add_depth)

    def reconfigure(self) -> None:
        """Let the pipeline use what changed from the next frame on."""
        self._pipeline.config = self.params

    def deactivate(self) -> None:
        """Unsubscribe also from the transforms and the scale."""
        if self._depth_node is not None and self._follow in self._depth_node.followers:
            self._depth_node.followers.remove(self._follow)
        self._rivals.close()
        if self._mounting is not None:
            self._mounting.close()
        if self._scale is not None:
            self.destroy_subscription(self._scale)
            self._scale = None
        super().deactivate()

    def cleanup(self) -> None:
        """Let go of the network."""
        self._odometry, self._log = None, TrackingLog()
        super().cleanup()

    def warm_up(self) -> None:
        """Show the odometry two images: the first are slow."""
        assert self._odometry is not None
        warm_up(self._odometry)

    def missing(self, frame: Frame) -> Said | None:
        """Return what the frame must wait for: also frame names and their transform."""
        assert self._mounting is not None
        return self._mounting.missing(self.header_of(frame.image)) or super().missing(frame)

    def source(self) -> str:
        """Return who should send frames, in words."""
        if self._depth_node is None:
            return super().source()
        return f"{self._depth_node.get_fully_qualified_name()}, in this process"

    def doubts(self) -> list[Said]:
        """Return warnings: images without depth, another publisher of our transform."""
        unpaired = self._pairs.doubt(self._depth_in) if self._depth_node is None else None
        rival = self._rivals.look() if self.params.publish_tf else None
        return [said for said in (unpaired, rival, *super().doubts()) if said]

    def describe(self) -> dict[str, str]:
        """Return how well the motion is known, at the last frame and over those before it."""
        return self._log.values(self._metric)

    def process(self, frame: Frame) -> bool:
        """Publish the pose at a frame; always, since it builds on every frame."""
        assert self._mounting is not None
        header, params = self.header_of(frame.image), self.params.fused
        image, camera, depth = self._read(frame)
        if self._anew.is_set():
            self._anew.clear()
            self._pipeline.reset()
        how = stamp_ns(header), self._mounting.lookup(header), self._metric, depth.seen
        result = self._pipeline.process(image, camera, depth.depth, *how)
        if result.first:
            self._out.start_anew()
        if self._log.add(result):
            self.get_logger().info(f"tracking {result.state.tracking}")
        with self.stats.part("publish"):
            self._publish(result.motion, header)
        frame.let_go()  # the transform is out
        if heard := self._fused_out.heard(params):
            fused = self._pipeline.fuse(image, camera, depth.depth, result)
            self._log.told = fused.told
            source = image, depth, self._looks(frame)
            self._fused_out.publish(heard, fused.depth, source, header, params)
        return True

    def _read(self, frame: Frame) -> tuple[NDArray[np.uint8], Camera, DepthMap]:
        """Return image (H, W, 3), its camera, and depth: a depth node's here, or messages'."""
        if (seen := frame.result) is not None:
            self._metric = seen.scale.metric
            return seen.image, seen.camera, seen.depth
        with self.stats.part("decode"):
            raw, depth = to_rgb(frame.image, self.bits), to_depth(frame.depth)
        with self.stats.part("rectify"):
            image, camera = self.camera.rectify(raw)
        height, width = depth.shape
        return image, camera, DepthMap(depth, camera.resized(width, height))

    def _looks(self, frame: Frame) -> DepthOutputParams:
        """Return what the depth of a frame looks like where it is published."""
        if self._depth_node is not None:
            return self._depth_node.params.depth
        return looks_of(frame.depth, self.params.max_depth_m)

    def _publish(self, motion: Motion, header: Header) -> None:
        """Publish pose and twist, the transform and the trail, at the stamp of an image."""
        child = plain(self.params.base_frame) or header.frame_id
        header = Header(stamp=header.stamp, frame_id=plain(self.params.odom_frame))
        self._out.publish(motion, header, child, self.params.publish_tf)

    def _on_reset(self, request: Any, response: Any) -> Any:
        """Let the worker start anew, between two frames."""
        response.success = self.state == ACTIVE
        if response.success:
            self._anew.set()
            response.message = "the next frame is the origin"
        else:
            response.message = f"odometry is {self.state}; it starts anew when activated"
        return response

    def _on_image(self, msg: Any) -> None:
        """Take an image, its depth follows."""
        self.stats.count(stats.IN)
        self._pairs.add_image(msg)

    def _follow(self, frame: Frame) -> None:
        """Take a frame of the depth node, in its thread."""
        self.stats.count(stats.IN)
        if self.missing(frame):  # it may wait long, and have no pose in the end
            frame.let_go()
        self.offer(frame)

    def _on_pair(self, image: Any, depth: Any) -> None:
        """Take an image with its depth."""
        self.offer(Frame(image, depth, time.monotonic()))

    def _on_scale(self, msg: Float64) -> None:
        """Hear whether depth is in metres."""
        self._metric = isfinite(msg.data)

    def _refresh(self) -> None:
        """Follow the publishers, and /tf where an image waits for a camera that moves."""
        super()._refresh()
        waiting = self._worker.waiting() if self._worker is not None else None
        if waiting is not None and self._mounting is not None:
            self._mounting.follow_moving(self.header_of(waiting.image))


def main(args: list[str] | None = None) -> int:
    """Run the node; return its exit code."""
    return run(lambda: [OdometryNode()], args)


if __name__ == "__main__":
    sys.exit(main())
