"""Inputs from the vehicle: its speed (for metric scale) and illuminance (for day or night)."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, hypot, isfinite, radians
from typing import Any

from geometry_msgs.msg import TwistWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Illuminance, NavSatFix

from sdepth.odometry.motion import LOST_VARIANCE
from sdepth.scale.speed import SpeedRatio
from sdepth.scale.tracker import GPS, TWIST, WHEEL, ScaleTracker
from sdepth_ros.conversions import stamp_ns
from sdepth_ros.qos import InputSubscription

_DEGREE_M = 111_320.0  # of latitude; a factor between positions metres apart, so a sphere will do
_BASELINE_M = 5.0  # between two fixes that make a speed: their noise is half a metre


class VehicleSpeed:
    """Listens to a topic of the vehicle's speed and to our odometry, and tells a tracker."""

    def __init__(self, node: Node, source: str, tracker: ScaleTracker) -> None:
        """Subscribe to what ``source`` names."""
        self._tracker, self._ratio = tracker, SpeedRatio()
        self._fix: tuple[int, float, float] | None = None
        kind, topic, hear = {
            WHEEL: (Odometry, "wheel_odom", self._on_wheel),
            TWIST: (TwistWithCovarianceStamped, "vehicle_twist", self._on_wheel),
            GPS: (NavSatFix, "fix", self._on_fix),
        }[source]
        self._inputs = [
            InputSubscription(node, kind, topic, hear, "best_effort"),
            InputSubscription(node, Odometry, "odom", self._on_own, "best_effort"),
        ]

    def close(self) -> None:
        """Unsubscribe."""
        while self._inputs:
            self._inputs.pop().close()

    def _on_own(self, msg: Any) -> None:
        """Take our own speed, unless we are lost: then even the rotation is not known."""
        if msg.twist.covariance[35] < 0.99 * LOST_VARIANCE:
            self._tell(self._ratio.own(stamp_ns(msg.header), _speed(msg.twist.twist)))

    def _on_wheel(self, msg: Any) -> None:
        """Take the speed of wheels, or of whatever makes a twist."""
        self._tell(self._ratio.vehicle(stamp_ns(msg.header), _speed(msg.twist.twist)))

    def _on_fix(self, msg: Any) -> None:
        """Take the speed between two fixes far enough apart, at the time between them."""
        if msg.status.status < 0:
            self._fix = None
            return
        now, last = (stamp_ns(msg.header), msg.latitude, msg.longitude), self._fix
        if last is None or now[0] <= last[0]:
            self._fix = now
            return
        north = (now[1] - last[1]) * _DEGREE_M
        east = (now[2] - last[2]) * _DEGREE_M * cos(radians(now[1]))
        if (metres := hypot(north, east)) >= _BASELINE_M:
            self._fix = now
            speed = metres / ((now[0] - last[0]) * 1e-9)
            self._tell(self._ratio.vehicle((now[0] + last[0]) // 2, speed))

    def _tell(self, ratios: list[tuple[int, float]]) -> None:
        """Pass on what became known."""
        for stamp, ratio in ratios:
            self._tracker.observe_error(ratio, stamp)


class LightSensor:
    """Listens to topic ``illuminance``."""

    def __init__(self, node: Node, on_lux: Callable[[float | None], None]) -> None:
        """Subscribe; ``on_lux`` gets the illuminance, lux, None where the sensor knows none."""
        self._node, self._on_lux = node, on_lux
        self._input = node.create_subscription(
            Illuminance, "illuminance", self._on_message, qos_profile_sensor_data
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._input)

    def _on_message(self, msg: Illuminance) -> None:
        """Pass on how bright it is."""
        self._on_lux(msg.illuminance if isfinite(msg.illuminance) else None)


def _speed(twist: Any) -> float:
    """Return the speed of a Twist, m/s."""
    return hypot(twist.linear.x, twist.linear.y, twist.linear.z)
