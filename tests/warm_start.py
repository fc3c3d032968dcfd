"""Runs of a script that start warm: forked from a process that has loaded what runs load, and done no more.

Loading takes longer than most runs of tests, so it is done once. Each run is still a process with a session,
an environment, signals, streams, workers and an end of its own, and what one does no other sees.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
POSSIBLE = sys.platform == "linux"
"""Elsewhere a process that has loaded libraries of the system may not fork, or none can."""
LARGEST_ORDER = 1_000_000
FREE = ("XDG_CACHE_HOME", "PART_OF_IMAGENET_", "PYTEST_", "COLUMNS", "LINES", "OPENBLAS_NUM_THREADS")
"""How the names begin of what may differ in the environment: a run reads these itself, when it needs them
(the last is set where images are judged). So it does proxies; of anything else a library may have taken
notice when it was loaded."""
MODULES = (
    "utils.cli.run_command",
    "utils.cli.find_command",
    "utils.gallery.output_writer",
    "utils.pipeline.worker",
)
"""What most runs load; with them comes all that these import."""
TaskFinished = tuple[int, str, str]
"""Exit code, standard output, standard error."""


def _fixed(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if not (name.startswith(FREE) or name.lower().endswith("_proxy"))
    }


@functools.cache
def before() -> dict[str, str]:
    """Give the environment as it was when this was first asked: before any test may have changed it."""
    return _fixed(os.environ)


def run(command: list[str], environment: Mapping[str, str], timeout: float) -> TaskFinished | None:
    """Run a script with its flags to its end; None if it cannot start warm: it was not started."""
    if not POSSIBLE or not _free.acquire(blocking=False):
        return None
    try:
        nursery = _nursery()
        return nursery.run(command, environment, timeout) if nursery.suits(environment) else None
    finally:
        _free.release()


_free = threading.Lock()


@functools.cache
def _nursery() -> Nursery:
    nursery = Nursery()
    atexit.register(nursery.close)
    return nursery


class Nursery:
    """The process that has loaded everything; it brings up one run after the other."""

    def __init__(self) -> None:
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_start", str(theirs.fileno())],
                cwd=ROOT,
                env=before(),
                stdout=subprocess.PIPE,  # as a run has them: Python looks at what they are as it starts
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
            )

    def close(self) -> None:
        """Let it end."""
        self._connection.close()
        self._process.communicate()

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Say whether a run with this environment may come from here."""
        return _fixed(environment) == before()

    def run(self, command: list[str], environment: Mapping[str, str], timeout: float) -> TaskFinished:
        """Run a script with its flags to its end."""
        deadline = time.monotonic() + timeout
        with ThreadPoolExecutor(2) as readers, self._begun(command, environment) as (process, streams):
            reading = [readers.submit(_read, stream) for stream in streams]
            try:
                out, err = (told.result(max(0.0, deadline - time.monotonic())) for told in reading)
                return self._hear(deadline), out, err
            except (TimeoutError, futures.TimeoutError) as error:
                os.kill(process, signal.SIGKILL)
                self._hear(time.monotonic() + timeout)
                raise subprocess.TimeoutExpired(command, timeout) from error

    @contextlib.contextmanager
    def _begun(self, command: list[str], environment: Mapping[str, str]) -> Iterator[tuple[int, list[int]]]:
        """Start a run; gives its process and the ends of its streams."""
        pipes = [os.pipe(), os.pipe()]
        order = {"command": command, "environment": dict(environment), "folder": str(Path.cwd())}
        socket.send_fds(self._connection, [json.dumps(order).encode()], [theirs for _, theirs in pipes])
        for _, theirs in pipes:
            os.close(theirs)
        yield self._hear(time.monotonic() + 60), [ours for ours, _ in pipes]

    def _hear(self, deadline: float) -> int:
        self._connection.settimeout(max(0.1, deadline - time.monotonic()))
        said = self._connection.recv(100)
        if not said:
            raise RuntimeError(f"No run can start warm any more: {self._process.communicate()[0]!r}")
        return int(said)


def _read(stream: int) -> str:
    with open(stream) as file:  # a number, no path
        return file.read()


def _serve(connection: socket.socket) -> None:
    """Bring up one run after the other, each in a process that leaves here as a script ends."""
    _load()
    while True:
        order, streams, _, _ = socket.recv_fds(connection, LARGEST_ORDER, 2)
        if not order:
            return
        process = os.fork()
        if not process:
            connection.close()
            _become_a_run(json.loads(order), streams)
        for stream in streams:
            os.close(stream)
        connection.send(b"%d" % process)
        connection.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


def _load() -> None:
    """Load what most runs load, one without worker processes among them."""
    from utils.images import validation

    for name in MODULES:
        importlib.import_module(name)
    validation.load_decoder()
    gc.freeze()  # looking through all of it in each run would copy it there


def _become_a_run(order: dict[str, Any], streams: list[int]) -> None:
    """Do what the system does before a script begins, and begin."""
    os.setsid()
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = order["command"]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
