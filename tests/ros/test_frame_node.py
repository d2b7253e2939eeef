"""What the nodes share, in this process."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("rclpy")

import rclpy
from sensor_msgs.msg import Image

from sdepth_ros.frame_node import Frame, FrameNode
from sdepth_ros.node_params import InputParams
from tests.ros import processes

pytestmark = pytest.mark.ros

INTERRUPTED = """
import os, signal, sys, time
from sdepth_ros.node_process import run
from tests.ros.test_frame_node import StoppedNode

class InterruptedNode(StoppedNode):
    def activate(self):
        super().activate()
        self.create_timer(0.1, self.interrupt)

    def interrupt(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
            time.sleep(0.1)
        self._health.report()
        print("the callback came to its end")

sys.exit(run(lambda: [InterruptedNode("interrupted")], ["node"]))
"""


class StoppedNode(FrameNode[InputParams]):
    """Is told to stop while it answers a frame."""

    def __init__(self, name: str) -> None:
        super().__init__(name, InputParams)

    def configure(self) -> None:
        self.start()

    def activate(self) -> None:
        self.listen(lambda msg: None)

    def process(self, frame: Frame) -> bool:
        rclpy.shutdown()
        return True


def test_a_node_told_to_stop_at_the_end_of_a_frame_does_not_fail(domain: int) -> None:
    rclpy.init(domain_id=domain)
    node = StoppedNode("stopped")
    try:
        assert node.autostart()
        node._work(Frame(Image()))  # the times cannot be published any more
    finally:
        node.close()
        rclpy.try_shutdown()
    assert not node.crashed


def test_signals_interrupt_no_callback(domain: int) -> None:
    command = [sys.executable, "-c", INTERRUPTED]
    ended = subprocess.run(
        command, env=processes.environment(), cwd=processes.ROOT, text=True, capture_output=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "the callback came to its end" in ended.stdout
    assert ended.stderr.count("frames in 0") == 1
    assert "Traceback" not in ended.stderr
