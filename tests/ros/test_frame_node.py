"""What the nodes share, in this process."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")

import rclpy
from sensor_msgs.msg import Image

from sdepth_ros.frame_node import Frame, FrameNode
from sdepth_ros.node_params import InputParams

pytestmark = pytest.mark.ros


class StoppedNode(FrameNode[InputParams]):
    """Is told to stop while it answers a frame."""

    def configure(self) -> None:
        self.start()

    def activate(self) -> None:
        self.listen(lambda msg: None)

    def process(self, frame: Frame) -> bool:
        rclpy.shutdown()
        return True


def test_a_node_told_to_stop_at_the_end_of_a_frame_does_not_fail(domain: int) -> None:
    rclpy.init(domain_id=domain)
    node = StoppedNode("stopped", InputParams)
    try:
        assert node.autostart()
        node._work(Frame(Image()))  # the times cannot be published any more
    finally:
        node.close()
        rclpy.try_shutdown()
    assert not node.crashed
