"""The real nodes as separate processes over DDS: replay a bag, record what they say."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence

from diagnostic_msgs.msg import DiagnosticArray
from rich.console import Console

from bags.read import count_messages
from bags.write import IMAGE
from demo.config import DemoConfig
from demo.domain import domain_variables, free_domain
from demo.peer import Peer
from demo.processes import ProcessError, Processes, processes
from sdepth_ros.middleware import PROFILES_VARIABLE, profile_file

RECORDED = (
    *("/camera/image_raw", "/camera/camera_info", "/ground_truth/odometry", "/tf", "/tf_static"),
    *("/depth/image_rect", "/depth/camera_info", "/depth/color", "/points"),
    *("/fused/depth/image_rect", "/fused/depth/camera_info", "/fused/points"),
    *("/odom", "/path", "/depth/mode", "/diagnostics"),
)
NODES = ("depth", "odometry")
_START_S, _DRAIN_S = 180.0, 60.0
_STILL = 4
"""So many diagnostics without a change, one a second, mean that a node has come to rest."""
CAMERA_ARGS = ["-r", "image:=/camera/image_raw", "-r", "camera_info:=/camera/camera_info"]


class Watcher(Peer):
    """Listens to the nodes' diagnostics: which are alive, and how many frames they are through."""

    def __init__(self, domain: int, nodes: Sequence[str] = NODES) -> None:
        """Join the domain, to watch ``nodes``."""
        super().__init__(domain, "demo")
        self.nodes = nodes
        self.values: dict[str, dict[str, str]] = {}
        self.reports = 0
        self._still: dict[str, int] = {}
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_report, 10)

    def wait_until(
        self, condition: Callable[[], bool], timeout_s: float, group: Processes, what: str
    ) -> None:
        """Return when the condition holds.

        Raises:
            ProcessError: a process failed meanwhile, or it took too long.
        """

        def holds() -> bool:
            group.check()
            return condition()

        if not self.spin_until(holds, timeout_s):
            logs = "\n".join(map(group.tail, group.names()))
            raise ProcessError(f"{what}: not within {timeout_s:.0f} s\n{logs}")

    def alive(self) -> bool:
        """Tell whether all nodes have reported."""
        return all(name in self.values for name in self.nodes)

    def settled(self, frames: int) -> bool:
        """Tell whether all nodes have dealt with all frames, or with no other one lately.

        A frame the middleware lost on a busy machine may never be dealt with.
        """
        return all(
            _handled(self.values[name]) >= frames or self._still[name] >= _STILL
            for name in self.nodes
        )

    def _on_report(self, msg: DiagnosticArray) -> None:
        """Keep the last values of each node."""
        self.reports += 1
        for status in msg.status:
            name = status.name.split(":")[0]
            values = {item.key: item.value for item in status.values}
            same = _handled(values) == _handled(self.values.get(name, {}))
            self._still[name] = self._still.get(name, 0) + 1 if same else 0
            self.values[name] = values


def run_nodes(config: DemoConfig, console: Console) -> None:
    """Replay the bag through the nodes and record them into ``config.result``.

    Raises:
        ProcessError: a node failed or did not answer in time; its last words are in the message.
    """
    shutil.rmtree(config.result, ignore_errors=True)
    shutil.rmtree(config.logs, ignore_errors=True)
    with free_domain() as domain:
        watcher = Watcher(domain)
        try:
            with processes(config.logs, environment(domain)) as group:
                _run(config, watcher, group, console)
        finally:
            watcher.close()
    images = count_messages(config.result).get(IMAGE, 0)
    if images != config.frames:
        raise ProcessError(
            f"{config.result}: holds {images} of {config.frames} images; the machine was too busy "
            "to record, run the demo again"
        )


def _run(config: DemoConfig, watcher: Watcher, group: Processes, console: Console) -> None:
    """Start, replay, drain, stop."""
    settings = [
        *_parameter("day_night.window_s", config.window_s),
        *_parameter("model.day_path", config.day_weights),
        *_parameter("model.night_path", config.night_weights),
    ]
    group.start("depth", "sdepth_ros.depth_node", "--ros-args", *CAMERA_ARGS, *settings)
    model = _parameter("model.path", config.day_weights)
    group.start("odometry", "sdepth_ros.odometry_node", "--ros-args", *CAMERA_ARGS, *model)
    group.start("record", "sdepth_ros.bags.record", str(config.result), *RECORDED)
    console.print("  depth_node, odometry_node and record are starting, each a process ...")
    watcher.wait_until(watcher.alive, _START_S, group, "the nodes' first diagnostics")
    console.print(f"  both nodes are up; replaying {config.frames} images at {config.rate:g}x ...")
    heard = ["/camera/image_raw", "/depth/image_rect", "/odom", "/points", "/fused/points"]
    group.start("replay", "sdepth_ros.bags.replay", str(config.bag), "--rate", str(config.rate),
                "--start-delay", "2", "--wait-for", *heard)  # fmt: skip
    seconds = _START_S + config.frames * 0.1 / config.rate
    watcher.wait_until(lambda: group.ended("replay"), seconds, group, "the replay")
    last = watcher.reports
    watcher.wait_until(
        lambda: watcher.reports > last + 2 and watcher.settled(config.frames),
        _DRAIN_S, group, f"{config.frames} frames dealt with",
    )  # fmt: skip
    for name in ("record", *NODES):
        group.stop(name)


def _parameter(name: str, value: float | str) -> list[str]:
    """Return the arguments that set a node's parameter; none for an empty text."""
    return ["-p", f"{name}:={value}"] if value != "" else []


def environment(domain: int) -> dict[str, str]:
    """Return what the processes need besides our environment."""
    threads = max(1, (os.cpu_count() or 2) // 2)  # two networks share the cores
    return {
        **domain_variables(domain),
        PROFILES_VARIABLE: str(profile_file()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)),
    }


def _handled(values: dict[str, str]) -> int:
    """Return the number of frames a node has answered, dropped or refused, or did not get."""
    return sum(int(values.get(f"frames {fate}", 0)) for fate in ("out", "dropped", "bad", "lost"))
