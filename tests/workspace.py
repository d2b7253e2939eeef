"""The two packages, built and installed by colcon in a folder of the test's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def build(root: Path, *options: str) -> Path:
    """Return the install folder of what ``make ros-build`` builds from a copy in ``root``."""
    for part in ("launch", "rviz", "weights"):
        shutil.copytree(ROOT / part, root / part)
    shutil.copytree(ROOT / "ros2_ws/src", root / "ros2_ws/src", symlinks=True)
    done = subprocess.run(
        [str(ROOT / "tools/ros_build.sh"), str(root / "ros2_ws"), *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SDEPTH_PYTHON": sys.executable},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "ros2_ws/install"


def sourced(install: Path, command: str) -> list[str]:
    """Return the command line that runs a command with a workspace sourced."""
    return ["bash", "-c", f". {install}/setup.bash && exec {command}"]
