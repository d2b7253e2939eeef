"""Set-up: quick when done, clear when it cannot go on, and its messages are the real ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT


def set_up(root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Return what tools/setup.sh of ``root`` did, as on a machine without a sourced ROS 2."""
    kept = {k: v for k, v in os.environ.items() if k not in ("ROS_DISTRO", "TORCH_INDEX")}
    command = ["bash", str(root / "tools/setup.sh")]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**kept, **environment}
    )


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a folder that has nothing but the set-up script."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    return tmp_path


def test_second_set_up_takes_seconds() -> None:
    if not (ROOT / ".venv/.setup/check").exists() or "ROS_DISTRO" in os.environ:
        pytest.skip("this environment was not made by make setup without a sourced ROS 2")
    started = time.monotonic()
    done = set_up(ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - started < 10  # the machine may be busy; alone it takes 0.3 s


def test_missing_python_names_the_apt_command(elsewhere: Path) -> None:
    done = set_up(elsewhere, SDEPTH_PYTHON="no-such-python")
    assert done.returncode == 2
    assert "no Python 3.11 or 3.12" in done.stderr
    assert "sudo apt install python3-venv" in done.stderr
    assert not (elsewhere / ".venv").exists()


def test_another_ros_than_before_is_refused(elsewhere: Path) -> None:
    stamps = elsewhere / ".venv/.setup"
    stamps.mkdir(parents=True)
    (stamps / "ros").write_text("another\n")
    done = set_up(elsewhere, SDEPTH_PYTHON=sys.executable)
    assert done.returncode == 2
    assert "was made for ROS 'another'" in done.stderr
    assert "make clean-venv setup" in done.stderr


def test_tf_messages_have_the_type_of_every_ros_2() -> None:
    path = Path(sys.prefix, "share/tf2_msgs/msg/TFMessage.json")
    if not path.exists():
        pytest.skip("tf2_msgs was not generated here: a ROS 2 install brings its own, or none")
    description = json.loads(path.read_text())
    hashes = {item["type_name"]: item["hash_string"] for item in description["type_hashes"]}
    assert hashes["tf2_msgs/msg/TFMessage"] == (
        "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087"
    )


@pytest.mark.parametrize(
    ("environment", "found"), [({"PIP_FIND_LINKS": "/a /b"}, "/a /b"), ({}, "/c /d")]
)
def test_what_pip_is_told_uv_is_told_too(
    tmp_path: Path, environment: dict[str, str], found: str
) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nfind-links =\n  /c\n  /d\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    code = 'VENV=$1; eval "$(sed -n "/^pip_s/,/^}/p" tools/setup.sh)"; pip_setting find-links'
    said = subprocess.check_output(
        ["bash", "-c", code, "bash", sys.prefix], text=True, cwd=ROOT,
        env={**kept, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), **environment},
    )  # fmt: skip
    assert said.split() == found.split()
