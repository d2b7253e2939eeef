"""Images and their depth in; the vehicle's pose and twist, its trail and its transform out."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from math import isfinite
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import PoseStamped, TransformStamped
from nav_msgs.msg import Odometry as OdometryMsg
from nav_msgs.msg import Path
from numpy.typing import NDArray
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_msgs.msg import Float64, Header
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from sdepth.camera import Camera
from sdepth.checkpoint import bundled
from sdepth.daynight import DAY
from sdepth.errors import ImageError
from sdepth.models.refiner import fixed_refiner
from sdepth.odometry import Odometry, OdometryState
from sdepth.stamps import StampOrder
from sdepth_ros import stats
from sdepth_ros.conversions import stamp_ns, to_depth, to_rgb, write_transform
from sdepth_ros.frame_node import Frame, FrameNode
from sdepth_ros.frames import StaticFrames
from sdepth_ros.managed_node import ACTIVE
from sdepth_ros.motion import Motion, MotionTracker, up_to_scale
from sdepth_ros.node_params import OdometryParams
from sdepth_ros.node_process import run
from sdepth_ros.qos import LARGE, LATCHED, STATE, TF, TF_STATIC
from sdepth_ros.rivals import Rivals
from sdepth_ros.sync import StampSync

if TYPE_CHECKING:
    from sdepth_ros.depth_node import DepthNode

_RECENT = 300
"""Frames of which the diagnostics say how many refinements were refused."""


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
        self._trail: deque[PoseStamped] = deque()
        self._path_ns = 0
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
        checkpoint = FilePath(model.path) if model.path else bundled(DAY)
        fixed = fixed_refiner() if self.params.features == "fixed" else None
        self._odometry = Odometry(checkpoint, model.device, refiner=fixed)
        self._trail = deque(maxlen=self.params.path.max_poses)
        self.start()
        self._odom = self.advertise(OdometryMsg, "odom", STATE)
        self._path = self.advertise(Path, "path", LARGE)
        self._tf = self.advertise(TFMessage, "/tf", TF)

    def activate(self) -> None:
        """Start at the origin: how the camera moved while nobody looked is not known."""
        self._start_anew()
        self._order = StampOrder()
        self._static = StaticFrames(self.wake)
        self._metric = True  # unless who gives depth says otherwise
        self._others = [
            self.create_subscription(TFMessage, "/tf_static", self._static.add, TF_STATIC),
            self.create_subscription(Float64, "scale", self._on_scale, LATCHED),
        ]
        if self._depth_node is not None:
            self.expect_frames()
            self._depth_node.followers.append(self._follow)
            return
        self._sync = StampSync(self._on_pair, lambda n: self.stats.count(stats.DROPPED, n))
        self.listen(self._on_image)
        self.subscribe(Image, "depth/image_rect", self._sync.add_second)

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

    def missing(self, frame: Frame) -> str:
        """Return what the frame must wait for: also the way from base to camera."""
        base, camera = self.params.base_frame, self._camera_frame(frame)
        if base and self._static.lookup(base, camera) is None:
            return (
                f"the transform {base} <- {camera or 'an unnamed camera frame'} on /tf_static; "
                "publish it, or set base_frame to '' for odometry of the camera itself"
            )
        return super().missing(frame)

    def source(self) -> str:
        """Return who should send frames, in words."""
        if self._depth_node is None:
            return super().source()
        return f"{self._depth_node.get_fully_qualified_name()}, in this process"

    def doubt(self) -> str:
        """Return that somebody else moves the base frame, too."""
        return self._rivals.look() if self.params.publish_tf else ""

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
            image, depth = to_rgb(frame.image), to_depth(frame.depth)
        with self.stats.part("rectify"):
            return *self.camera.develop(image), depth

    def _check_order(self, stamp: int) -> None:
        """Refuse a frame that is late or comes twice; start anew where time does.

        Raises:
            ImageError: the frame is not after the last one.
        """
        order = self._order.take(stamp)
        if order == "late":
            raise ImageError(
                f"stamp {stamp * 1e-9:.3f} s is not after that of the last frame; expected each "
                "image once, in order; does another publisher send on its topic?"
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
        self._trail.clear()
        self._path_ns = 0

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
        self._sync.add_first(msg)

    def _follow(self, frame: Frame) -> None:
        """Take a frame of the depth node, in its thread."""
        self.stats.count(stats.IN)
        self.offer(frame)

    def _on_pair(self, image: Any, depth: Any) -> None:
        """Take an image with its depth."""
        self.offer(Frame(image, depth, time.monotonic()))

    def _on_scale(self, msg: Float64) -> None:
        """Hear whether depth is in metres."""
        self._metric = isfinite(msg.data)

    def _camera_frame(self, frame: Frame) -> str:
        """Return the optical frame of the camera."""
        return self.params.camera_frame or frame.image.header.frame_id

    def _base_from_camera(self, frame: Frame) -> NDArray[np.float64] | None:
        """Return T_base_cam, or None for odometry of the camera itself."""
        base = self.params.base_frame
        return self._static.lookup(base, self._camera_frame(frame)) if base else None

    def _publish(self, motion: Motion, frame: Frame) -> None:
        """Publish pose and twist, the transform and the trail."""
        child = self.params.base_frame or self._camera_frame(frame)
        header = Header(stamp=frame.image.header.stamp, frame_id=self.params.odom_frame)
        odom = OdometryMsg(header=header, child_frame_id=child)
        pose, twist = odom.pose.pose, odom.twist.twist
        write_transform(motion.T_odom_base, pose.position, pose.orientation)
        twist.linear.x, twist.linear.y, twist.linear.z = motion.velocity.tolist()
        twist.angular.x, twist.angular.y, twist.angular.z = motion.angular_velocity.tolist()
        odom.pose.covariance = motion.pose_covariance.ravel()
        odom.twist.covariance = motion.twist_covariance.ravel()
        self._odom.publish(odom)
        if self.params.publish_tf:
            moved = TransformStamped(header=header, child_frame_id=child)
            write_transform(
                motion.T_odom_base, moved.transform.translation, moved.transform.rotation
            )
            self._rivals.sent(moved)
            self._tf.publish(TFMessage(transforms=[moved]))
        self._publish_path(PoseStamped(header=header, pose=pose))

    def _publish_path(self, pose: PoseStamped) -> None:
        """Publish the trail, not too often: it grows."""
        self._trail.append(pose)
        stamp = stamp_ns(pose.header)
        if stamp - self._path_ns >= self.params.path.period_s * 1e9:
            self._path_ns = stamp
            self._path.publish(Path(header=pose.header, poses=list(self._trail)))


def main(args: list[str] | None = None) -> int:
    """Run the node; return its exit code."""
    return run(lambda: [OdometryNode()], args)


if __name__ == "__main__":
    sys.exit(main())
