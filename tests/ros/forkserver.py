"""Executables of sdepth_ros as forks of a server that has imported torch and more of theirs.

``python -m sdepth_ros.depth_node`` spends most of its start on importing torch. A fork has its own
arguments, environment, folder and output, runs the module as ``-m`` does and ends as Python ends.
The test's child process is a small client: it passes signals on and takes the fork's exit code.

    python tests/ros/forkserver.py serve SOCKET                 until its standard input is closed
    python tests/ros/forkserver.py run SOCKET MODULE ARGS...
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from select import select

IMPORTED = ("torch", "cv2", "rosbags.highlevel", "sdepth.pipeline", "sdepth.odometry.odometry")
"""What takes long and starts no thread: threads do not live on in a fork. rclpy has two."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start(environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], list[str]]:
    """Return a server, and the command that runs a module, whose name and arguments follow."""
    path = str(Path(tempfile.mkdtemp(prefix="sdepth-"), "socket"))
    server = subprocess.Popen(
        [sys.executable, __file__, "serve", path], env=environment, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert server.stdout
    assert server.stdout.readline() == b"ready\n"
    return server, [sys.executable, "-I", "-S", __file__, "run", path]


def serve(path: str) -> None:
    """Answer requests, each by a fork that runs what was asked for."""
    for name in IMPORTED:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for supervisors
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while sys.stdin not in (ready := select([listener, sys.stdin], [], [])[0]):
            assert ready
            connection, _ = listener.accept()
            assert len([*Path("/proc/self/task").iterdir()]) == 1
            if os.fork() == 0:
                listener.close()
                return _supervise(connection)
            connection.close()
    Path(path).unlink()
    Path(path).parent.rmdir()


def _supervise(connection: socket.socket) -> None:
    """Fork what runs the request; send it the client's signals, and the client its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, streams, *_ = socket.recv_fds(connection, 1 << 18, 3)
    fork = os.fork()
    if fork == 0:
        connection.close()
        return _run(*json.loads(request), streams)
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(fork)
    while ended not in select([connection, ended], [], [])[0]:
        for number in connection.recv(64) or [signal.SIGKILL]:  # nothing: the client is no more
            os.kill(fork, number)
    code = os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        connection.send(str(code).encode())
    os._exit(0)


def _run(words: list[str], environment: dict[str, str], folder: str, streams: list[int]) -> None:
    """Be ``python -m`` of the words."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def run(path: str, words: list[str]) -> None:
    """End as a module does that the server runs with our streams."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(path)

    def pass_on(number: int, _: object) -> None:
        with contextlib.suppress(OSError):  # it has ended
            connection.send(bytes([number]))

    for number in _SIGNALS:
        signal.signal(number, pass_on)
    request = json.dumps([words, dict(os.environ), str(Path.cwd())])
    socket.send_fds(connection, [request.encode()], [0, 1, 2])
    code = int(connection.recv(16) or -signal.SIGKILL)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # it ended before this one came
    if code < 0:
        with contextlib.suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(sys.argv[2], sys.argv[3:])
    else:
        serve(sys.argv[2])
