"""Commands as they are installed: quiet while they import, and clear where they cannot."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from subprocess import PIPE, STDOUT, Popen

import pytest

pytest.importorskip("rclpy")

from sdepth_ros import start
from tests.conftest import ROOT
from tests.ros import processes

COMMANDS = ("depth_node", "odometry_node", "vision_node", "replay", "record", "doctor")


def test_every_command_is_installed_and_starts_its_module() -> None:
    setup = (ROOT / "ros2_ws/src/sdepth_ros/setup.py").read_text()
    assert f"\nCOMMANDS = {COMMANDS}".replace("'", '"') in setup
    for name in COMMANDS:
        (module,) = getattr(start, name).args
        assert module.rpartition(".")[2] == name
        assert find_spec(f"sdepth_ros.{module}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_while_it_imports_a_command_ends_without_a_word(number: int) -> None:
    code = "from sdepth_ros import start; print('importing', flush=True); start.vision_node()"
    command = [sys.executable, "-c", code]
    process = Popen(command, env=processes.environment(), stdout=PIPE, stderr=STDOUT, text=True)
    assert process.stdout
    assert process.stdout.readline() == "importing\n"
    time.sleep(0.15)  # imports take seconds
    process.send_signal(number)
    assert process.communicate(timeout=20)[0] == ""
    assert process.returncode == 0


def test_without_torch_a_command_says_what_to_do() -> None:
    code = "import sys; sys.modules['torch'] = None; from sdepth_ros import start; "
    command = [sys.executable, "-c", code + "sys.exit(start.depth_node())"]
    done = subprocess.run(
        command, env=processes.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"depth_node: {sys.executable} has no torch" in done.stderr
    assert "make ros-build" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_process_ends_without_a_last_look_for_garbage() -> None:
    code = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count())); "
    code += "from sdepth_ros.stopping import interrupt, on_stop; on_stop(interrupt)"
    command = [sys.executable, "-c", code]
    assert int(subprocess.check_output(command, env=processes.environment())) > 1000
