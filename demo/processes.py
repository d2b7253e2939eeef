"""Child processes that end with us, and whose failure is told with their last words."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sdepth.errors import SdepthError

_PATIENCE_S = 10.0


class ProcessError(SdepthError):
    """A process of the demo failed."""


class Processes:
    """Python modules running as processes of their own, each with a log file."""

    def __init__(self, logs: Path, environment: dict[str, str]) -> None:
        """Prepare to run; ``environment`` is added to ours."""
        logs.mkdir(parents=True, exist_ok=True)
        self._logs, self._environment = logs, {**os.environ, **environment}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, module: str, *args: str) -> None:
        """Start ``python -m module args``."""
        command = [sys.executable, "-u", "-m", module, *args]
        with (self._logs / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone, and we end them in order
            )

    def check(self) -> None:
        """Raise when a process has failed.

        Raises:
            ProcessError: one ended with another code than 0.
        """
        for name, process in self._running.items():
            if process.poll() not in (None, 0):
                code = process.returncode
                raise ProcessError(f"{name} failed with code {code}\n{self.tail(name)}")

    def ended(self, name: str) -> bool:
        """Tell whether a process has ended well, checking all of them."""
        self.check()
        return self._running[name].poll() is not None

    def names(self) -> list[str]:
        """Return the names of those started and not stopped."""
        return [*self._running]

    def pid(self, name: str) -> int:
        """Return the id of a process."""
        return self._running[name].pid

    def tail(self, name: str, lines: int = 12) -> str:
        """Return where a process's log is, and its last lines."""
        log = self._logs / f"{name}.log"
        last = log.read_text(errors="replace").replace("\r", "\n").splitlines()[-lines:]
        return "\n".join([f"--- {log}", *last])

    def stop(self, name: str) -> None:
        """End a process: ask, insist, kill."""
        process = self._running.pop(name)
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                return
            process.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_S)

    def stop_all(self) -> None:
        """End every process, the last started first."""
        for name in reversed(list(self._running)):
            self.stop(name)


@contextlib.contextmanager
def processes(logs: Path, environment: dict[str, str]) -> Iterator[Processes]:
    """Run processes while the block runs; none outlives it, however it ends."""
    group = Processes(logs, environment)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield group
    finally:
        signal.signal(signal.SIGTERM, before)
        group.stop_all()


def _interrupt(*_: object) -> None:
    """End as Ctrl-C does."""
    raise KeyboardInterrupt
