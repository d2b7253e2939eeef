"""Which of a bag's topics were ours."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")

from sdepth_ros.bags.own_outputs import OUTPUTS, own_topics

CAMERA = {"/camera/image_raw", "/camera/camera_info", "/tf", "/tf_static"}


def test_of_our_recording_all_outputs_are_ours_in_whatever_namespace() -> None:
    for space in ("/", "/front/"):
        ours = {f"{space}{name}" for name in OUTPUTS}
        assert own_topics(CAMERA | ours) == ours


def test_a_depth_camera_and_wheels_are_not_ours() -> None:
    theirs = {"/camera/depth/image_rect", "/camera/depth/camera_info", "/odom", "/points"}
    assert own_topics(CAMERA | theirs) == set()
    fused = {"/fused/depth/image_rect", "/fused/depth/color", "/fused/points"}
    others = {"/fused/odom", "/fused/map"}  # such as a filter's
    assert own_topics(CAMERA | fused | others) == fused
    assert own_topics(CAMERA | {"/depth/image_rect", "/odom"}) == {"/depth/image_rect", "/odom"}
