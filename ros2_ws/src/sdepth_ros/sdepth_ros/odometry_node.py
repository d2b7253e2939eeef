"""Images and their depth in; the vehicle's pose and twist, its trail and its transform out."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_msgs.msg import Float64
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from sdepth.alignment.refiner import fixed_refiner
from sdepth.checkpoint import bundled
from sdepth.depth.daynight import DAY
from sdepth.errors import ImageError
from sdepth.geometry.camera import Camera
from sdepth.odometry.odometry import Odometry, OdometryState
from sdepth.stamp_order import StampOrder, fault
from sdepth_ros import notices, stats
from sdepth_ros.conversions import stamp_ns, to_depth, to_rgb
from sdepth_ros.frame_node import QUIET_S, Frame, FrameNode
from sdepth_ros.frame_tree import FrameTree, plain
from sdepth_ros.managed_node import ACTIVE
from sdepth_ros.motion import Motion, MotionTracker, up_to_scale
from sdepth_ros.node_params import OdometryParams
from sdepth_ros.node_process import run
from sdepth_ros.notices import Said
from sdepth_ros.pose_publishers import PosePublishers
from sdepth_ros.qos import LATCHED, TF, TF_STATIC
from sdepth_ros.stamp_sync import StampSync
from sdepth_ros.tf_conflicts import Rivals

if TYPE_CHECKING:
    from sdepth_ros.depth_node import DepthNode

_RECENT = 300
"""Frames of which the diagnostics say how many refinements were refused."""
_STARTS_S = 60.0
"""How long a depth node may take to load its networks, the first time."""


class OdometryNode(FrameNode[OdometryParams]):
    """Publishes where the base frame is, under the stamp of the image."""

    SLOTS = 5  # each pose builds on the one before: a short wait is better than a gap
    THREADS = 1  # on images this small a second thread mostly waits

    def __init__(self, depth_node: DepthNode | None = None) -> None:
        """Wait to be configured; a depth node of this process gives frames without topics."""
        super().__init__("odometry", OdometryParams)
        self._depth_node = depth_node
        self._odometry: Odometry | None = None
        self._tracker = MotionTracker()
        self._state: OdometryState | None = None
        self._refused: deque[bool] = deque(maxlen=_RECENT)
        self._anew = threading.Event()
        self._others: list[Subscription] = []
        self._rivals = Rivals(self)
        self._metric = True
        self.create_service(Trigger, "~/reset_odometry", self._on_reset)

    def configure(self) -> None:
        """Load the network.

        Raises:
            CheckpointError: the checkpoint cannot be used.
        """
        model = self.params.model
        checkpoint = Path(model.path) if model.path else bundled(DAY)
        fixed = fixed_refiner() if self.params.features == "fixed" else None
        self._odometry = Odometry(checkpoint, model.device, refiner=fixed)
        self.start()
        self._out = PosePublishers(self, self.params.path, self._rivals.sent)

    def activate(self) -> None:
        """Start at the origin: how the camera moved while nobody looked is not known."""
        self._start_anew()
        self._order = StampOrder()
        self._frames = FrameTree(self.wake)
        self._hears_tf = False
        self._metric = True  # unless who gives depth says otherwise
        self._others = [
            self.create_subscription(TFMessage, "/tf_static", self._frames.add_fixed, TF_STATIC),
            self.create_subscription(Float64, "depth/scale", self._on_scale, LATCHED),
        ]
        if self._depth_node is not None:
            self.expect_frames()
            self._depth_node.followers.append(self._follow)
            return
        self._sync = StampSync(self._on_pair, lambda n: self.stats.count(stats.DROPPED, n))
        self._began_s = self._paired_s = time.monotonic()
        self._unpaired = 0
        self.listen(self._on_image)
        self._depth_in = self.subscribe(Image, "depth/image_rect", self._sync.add_second)

    def deactivate(self) -> None:
        """Unsubscribe also from the static transforms and the scale."""
        if self._depth_node is not None and self._follow in self._depth_node.followers:
            self._depth_node.followers.remove(self._follow)
        self._rivals.close()
        while self._others:
            self.destroy_subscription(self._others.pop())
        super().deactivate()

    def cleanup(self) -> None:
        """Let go of the network."""
        self._odometry = self._state = None
        super().cleanup()

    def warm_up(self) -> None:
        """Show the odometry two images: the first are slow."""
        rng = np.random.default_rng(0)
        image = rng.integers(0, 255, (96, 320, 3), np.uint8)
        camera = Camera(160.0, 160.0, 159.5, 47.5, 320, 96)
        assert self._odometry is not None
        for stamp in (0, 100_000_000):
            self._odometry.update(image, np.full((96, 320), 5, np.float32), camera, stamp)

    def missing(self, frame: Frame) -> Said | None:
        """Return what the frame must wait for: also names of frames, and the way between them."""
        base, camera = plain(self.params.base_frame), self.header_of(frame.image).frame_id
        if not camera:
            return notices.NO_FRAME_ID()
        if (moved := base or camera) == plain(self.params.odom_frame):
            return notices.OWN_CHILD(frame=moved)
        if base and self._base_from_camera(frame) is None:
            return notices.NO_TRANSFORM(base=base, camera=camera)
        return super().missing(frame)

    def source(self) -> str:
        """Return who should send frames, in words."""
        if self._depth_node is None:
            return super().source()
        return f"{self._depth_node.get_fully_qualified_name()}, in this process"

    def doubts(self) -> list[Said]:
        """Return that images have no depth, or that somebody else moves the base frame, too."""
        rival = self._rivals.look() if self.params.publish_tf else None
        return [said for said in (self._without_depth(), rival, *super().doubts()) if said]

    def _without_depth(self) -> Said | None:
        """Return that images came and no depth of their stamps, or that more than one sends it."""
        now_s = time.monotonic()
        if self._depth_node is not None:
            return None
        if (publishers := self._depth_in.count()) > 1:
            return notices.TWO_DEPTHS(publishers=publishers, topic=self._depth_in.topic)
        if self._unpaired < 3 or now_s - self._paired_s < QUIET_S:
            return None
        if now_s - self._began_s < _STARTS_S and not publishers:
            return notices.NO_DEPTH_YET(topic=self._depth_in.topic)
        topic, seconds = self._depth_in.describe(), f"{now_s - self._paired_s:.0f}"
        return notices.NO_DEPTH(topic=topic, seconds=seconds, images=self._unpaired)

    def describe(self) -> dict[str, str]:
        """Return how well the motion is known, at the last frame and over those before it."""
        state, refused = self._state, list(self._refused)
        if state is None:
            return {}
        values = {"tracking": state.tracking, "metric": str(self._metric)}
        if np.isfinite(state.residual_ratio):
            values["residual refined over initial"] = f"{state.residual_ratio:.3f}"
            values["image seen %"] = f"{100 * state.valid:.1f}"
        if refused:
            values["refinements refused %"] = f"{100 * np.mean(refused):.1f}"
        return values

    def process(self, frame: Frame) -> bool:
        """Publish the pose at a frame; always, since it builds on every frame."""
        image, camera, depth = frame.views or self._read(frame)
        assert self._odometry is not None
        stamp = stamp_ns(frame.image.header)
        self._check_order(stamp)
        if self._anew.is_set():
            self._start_anew()
        with self.stats.part("align"):
            state = self._odometry.update(image, depth, camera, stamp)
        if self._state is None or state.tracking != self._state.tracking:
            self.get_logger().info(f"tracking {state.tracking}")
        if self._state is not None:  # the first frame has nothing to be refined against
            self._refused.append(state.tracking != "ok")
        self._state = state
        with self.stats.part("pose"):
            T_base_cam = self._base_from_camera(frame)
            motion = self._tracker.update(state.T_world_cam, state.covariance, T_base_cam, stamp)
        with self.stats.part("publish"):
            self._publish(motion if self._metric else up_to_scale(motion), frame)
        return True

    def _read(self, frame: Frame) -> tuple[NDArray[np.uint8], Camera, NDArray[np.float32]]:
        """Return image (H, W, 3), camera and depth (h, w) of messages."""
        with self.stats.part("decode"):
            image, depth = to_rgb(frame.image, self.bits), to_depth(frame.depth)
        with self.stats.part("rectify"):
            return *self.camera.rectify(image), depth

    def _check_order(self, stamp: int) -> None:
        """Refuse a frame that is late or comes twice; start anew where time does.

        Raises:
            ImageError: the frame is not after the last one.
        """
        before = self._order.last
        order = self._order.take(stamp)
        if order == "late":
            wrong = fault(stamp, stamp if before is None else before)
            raise ImageError(
                f"{wrong}; expected each image once, in order, stamped by its driver; does "
                "another publisher send, too?"
            )
        if order == "anew":
            self.get_logger().warning("stamps went back (a bag looped?), odometry starts anew")
            self._anew.set()

    def _start_anew(self) -> None:
        """Make the next frame the origin."""
        assert self._odometry is not None
        self._anew.clear()
        self._odometry.reset()
        self._state = None
        self._refused.clear()
        self._tracker.reset()
        self._out.start_anew()

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
        self._unpaired += 1
        self._sync.add_first(msg)

    def _follow(self, frame: Frame) -> None:
        """Take a frame of the depth node, in its thread."""
        self.stats.count(stats.IN)
        self.offer(frame)

    def _on_pair(self, image: Any, depth: Any) -> None:
        """Take an image with its depth."""
        self._paired_s, self._unpaired = time.monotonic(), 0
        self.offer(Frame(image, depth, time.monotonic()))

    def _on_scale(self, msg: Float64) -> None:
        """Hear whether depth is in metres."""
        self._metric = isfinite(msg.data)

    def _base_from_camera(self, frame: Frame) -> NDArray[np.float64] | None:
        """Return T_base_cam at an image's stamp, or None for odometry of the camera itself."""
        base, camera = self.params.base_frame, self.header_of(frame.image)
        return self._frames.lookup(base, camera.frame_id, stamp_ns(camera)) if base else None

    def _refresh(self) -> None:
        """Follow the publishers, and /tf where an image waits for a camera that moves."""
        super()._refresh()
        waiting = self._worker.waiting() if self._worker is not None else None
        if waiting is None or self._hears_tf or self._base_from_camera(waiting) is not None:
            return
        if self.params.base_frame:
            self._hears_tf = True
            self._others.append(
                self.create_subscription(TFMessage, "/tf", self._frames.add_moving, TF)
            )

    def _publish(self, motion: Motion, frame: Frame) -> None:
        """Publish pose and twist, the transform and the trail."""
        header = self.header_of(frame.image)
        child = plain(self.params.base_frame) or header.frame_id
        header.frame_id = plain(self.params.odom_frame)
        self._out.publish(motion, header, child, self.params.publish_tf)


def main(args: list[str] | None = None) -> int:
    """Run the node; return its exit code."""
    return run(lambda: [OdometryNode()], args)


if __name__ == "__main__":
    sys.exit(main())
