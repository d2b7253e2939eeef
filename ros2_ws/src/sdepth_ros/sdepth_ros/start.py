"""The commands as they are installed: each imports its module, which takes seconds."""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib import import_module

from sdepth_ros.stopping import on_stop

_BY_PIP = ("torch", "safetensors", "rosbags")
"""What ``rosdep`` does not install everywhere."""


def _start(name: str) -> int:
    """Run the module ``name``; return its exit code. Ctrl-C meanwhile ends it without a word."""
    on_stop(lambda: os._exit(0))  # an exception in an import would be told of, with traceback
    try:
        main = import_module(f"sdepth_ros.{name}").main
    except ModuleNotFoundError as err:
        if err.name not in _BY_PIP:
            raise
        python, pip = sys.executable, f"-m pip install {' '.join(_BY_PIP)}"
        print(
            f"{name}: {python} has no {err.name}; build with make ros-build, so that .venv's "
            f"Python runs it, or: {python} {pip}",
            file=sys.stderr,
        )
        return 2
    return int(main())


depth_node, odometry_node, vision_node = (
    partial(_start, name) for name in ("depth_node", "odometry_node", "vision_node")
)
replay, record, doctor = (
    partial(_start, name) for name in ("bags.replay", "bags.record", "doctor")
)
