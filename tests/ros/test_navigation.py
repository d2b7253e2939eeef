"""What docs/navigation.md promises other stacks is what the nodes do."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")

from sdepth.geometry.camera import R_BODY_OPTICAL
from sdepth.odometry.motion import LOST_VARIANCE, MotionTracker, up_to_scale
from sdepth_ros.depth_publishers import FUSED, POINTS
from sdepth_ros.node_params import DepthParams, OdometryParams
from sdepth_ros.parameters import leaves
from tests.conftest import ROOT

PAGE = (ROOT / "docs/navigation.md").read_text()
BLOCKS: dict[str, Any] = {}
for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
    BLOCKS |= yaml.safe_load(text)
IN_FILTER = ("x", "y", "z", "roll", "pitch", "yaw", "vx", "vy", "vz", "vroll", "vpitch", "vyaw")


def test_the_manager_brings_up_our_nodes_without_bond() -> None:
    manager = BLOCKS["lifecycle_manager_sdepth"]["ros__parameters"]
    launch = (ROOT / "launch/sdepth.launch.py").read_text()
    names = re.findall(r'DEPTH, ODOMETRY, RVIZ = "(\w+)", "(\w+)"', launch)
    assert [tuple(manager["node_names"])] == names
    assert manager["bond_timeout"] == 0.0


def test_every_parameter_the_page_names_exists() -> None:
    known = {name for kind in (DepthParams, OdometryParams) for name, _ in leaves(kind)}
    launch = (ROOT / "launch/sdepth.launch.py").read_text()
    named = re.findall(r"([a-z_.]+):=|`((?:(?:fused\.)?cloud|scale)\.\w+)`", PAGE)
    named = [argument or parameter for argument, parameter in named]
    assert {"publish_tf", "cloud.max_rate_hz", "fused.cloud.max_rate_hz"} <= set(named)
    assert [n for n in named if n not in known and f'"{n}"' not in launch and n != "__node"] == []


def test_the_filter_fuses_a_twist_with_variances() -> None:
    filter_ = BLOCKS["ekf_filter_node"]["ros__parameters"]
    fused = [name for name, on in zip(IN_FILTER, filter_["odom0_config"], strict=False) if on]
    assert (len(filter_["odom0_config"]), fused) == (15, ["vx", "vy", "vyaw"])
    tracker, T_base_cam, ahead = MotionTracker(), np.eye(4), np.eye(4)
    T_base_cam[:3, :3], ahead[2, 3] = R_BODY_OPTICAL, 0.5
    first = tracker.update(np.eye(4), np.eye(6) * 1e-6, T_base_cam, 0)
    moved = tracker.update(ahead, np.eye(6) * 1e-4, T_base_cam, 100_000_000)
    assert moved.velocity[0] == pytest.approx(5.0)
    assert (np.diag(moved.twist_covariance) > 0).all()
    assert (np.diag(first.twist_covariance) == LOST_VARIANCE).all()
    assert (np.diag(up_to_scale(moved).twist_covariance)[:3] == LOST_VARIANCE).all()


def test_the_costmap_looks_no_farther_than_points_go() -> None:
    layer = BLOCKS["local_costmap"]["local_costmap"]["ros__parameters"]["obstacle_layer"]
    source = layer[layer["observation_sources"]]
    cloud = OdometryParams().fused.cloud
    assert (source["topic"], source["data_type"]) == (f"/{FUSED}{POINTS}", "PointCloud2")
    assert source["obstacle_max_range"] < source["raytrace_max_range"] < cloud.max_m
    assert source["max_obstacle_height"] < cloud.road_height_max
