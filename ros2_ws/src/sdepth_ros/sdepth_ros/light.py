"""How bright it is, by a sensor of light."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Illuminance


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
