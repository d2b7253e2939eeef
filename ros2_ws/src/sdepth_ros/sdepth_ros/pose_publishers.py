"""What the odometry node publishes of a pose: odom, the transform and the trail."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import PoseStamped, TransformStamped
from nav_msgs.msg import Odometry, Path
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from sdepth.odometry.motion import Motion
from sdepth_ros.conversions import stamp_ns, write_transform
from sdepth_ros.frame_node import FrameNode
from sdepth_ros.node_params import PathParams
from sdepth_ros.qos import LARGE, STATE, TF


class PosePublishers:
    """Publishers of the base's motion."""

    def __init__(
        self, node: FrameNode[Any], path: PathParams, on_sent: Callable[[TransformStamped], None]
    ) -> None:
        """Advertise the topics of a node, which ends them.

        Args:
            node: that publishes.
            path: how long the trail is, and how often it is published.
            on_sent: gets each transform before it leaves.
        """
        self._on_sent, self._period_ns = on_sent, path.period_s * 1e9
        self._trail: deque[PoseStamped] = deque(maxlen=path.max_poses)
        self._path_ns = 0
        self._odom = node.advertise(Odometry, "odom", STATE)
        self._path = node.advertise(Path, "path", LARGE)
        self._tf = node.advertise(TFMessage, "/tf", TF)

    def start_anew(self) -> None:
        """Forget the trail."""
        self._trail.clear()
        self._path_ns = 0

    def publish(self, motion: Motion, header: Header, child: str, with_tf: bool) -> None:
        """Publish a pose.

        Args:
            motion: of the base.
            header: stamp of the image, and the frame the pose is given in.
            child: frame of the base.
            with_tf: whether it is a transform, too.
        """
        odom = Odometry(header=header, child_frame_id=child)
        pose, twist = odom.pose.pose, odom.twist.twist
        write_transform(motion.T_odom_base, pose.position, pose.orientation)
        twist.linear.x, twist.linear.y, twist.linear.z = motion.velocity.tolist()
        twist.angular.x, twist.angular.y, twist.angular.z = motion.angular_velocity.tolist()
        odom.pose.covariance = motion.pose_covariance.ravel()
        odom.twist.covariance = motion.twist_covariance.ravel()
        self._odom.publish(odom)
        if with_tf:
            moved = TransformStamped(header=header, child_frame_id=child)
            transform = moved.transform
            write_transform(motion.T_odom_base, transform.translation, transform.rotation)
            self._on_sent(moved)
            self._tf.publish(TFMessage(transforms=[moved]))
        self._extend(PoseStamped(header=header, pose=pose))

    def _extend(self, pose: PoseStamped) -> None:
        """Publish the trail, not too often and only where heard: it grows, to 5 ms a message."""
        self._trail.append(pose)
        stamp = stamp_ns(pose.header)
        due = stamp - self._path_ns >= self._period_ns
        if due and self._path.get_subscription_count() > 0:
            self._path_ns = stamp
            self._path.publish(Path(header=pose.header, poses=list(self._trail)))
