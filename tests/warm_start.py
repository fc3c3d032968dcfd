"""Runs of a script that are forked from a process with all modules loaded.

Imports take longer than most runs of the tests, so they are done once. Each run is still a process with
its own session, environment, signals, streams and workers, and does not affect other runs.
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
IS_SUPPORTED = sys.platform == "linux"
"""Other systems have no fork, or do not allow it after system libraries were loaded."""
MAX_REQUEST = 1_000_000
FREE_VARIABLES = (
    "XDG_CACHE_HOME",
    "PART_OF_IMAGENET_",
    "PYTEST_",
    "COLUMNS",
    "LINES",
    "OPENBLAS_NUM_THREADS",
)
"""Prefixes of environment variables that may differ between runs, because each run reads them itself; so may
those of proxies. Libraries may have read any other variable when they were loaded."""
MODULES = (
    "utils.cli.run_command",
    "utils.cli.find_command",
    "utils.gallery.output_writer",
    "utils.pipeline.worker",
)
"""Modules that most runs import."""
RunResult = tuple[int, str, str]
"""Exit code, standard output, standard error."""


def _fixed(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if not (name.startswith(FREE_VARIABLES) or name.lower().endswith("_proxy"))
    }


@functools.cache
def initial_environment() -> dict[str, str]:
    """Return the environment at the first call, before any test can have changed it."""
    return _fixed(os.environ)


def run(command: list[str], environment: Mapping[str, str], timeout: float) -> RunResult | None:
    """Run a script; None if it cannot be forked, and was not started."""
    if not IS_SUPPORTED or not _lock.acquire(blocking=False):
        return None
    try:
        server = _fork_server()
        return server.run(command, environment, timeout) if server.accepts(environment) else None
    finally:
        _lock.release()


_lock = threading.Lock()


@functools.cache
def _fork_server() -> ForkServer:
    server = ForkServer()
    atexit.register(server.close)
    return server


class ForkServer:
    """A process that has loaded all modules, and forks one run after the other."""

    def __init__(self) -> None:
        self._connection, child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with child_end:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_start", str(child_end.fileno())],
                cwd=ROOT,
                env=initial_environment(),
                stdout=subprocess.PIPE,  # pipes, as for a run: Python checks them at its start
                stderr=subprocess.STDOUT,
                pass_fds=[child_end.fileno()],
            )

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.communicate()

    def accepts(self, environment: Mapping[str, str]) -> bool:
        """Whether a run with this environment can be forked."""
        return _fixed(environment) == initial_environment()

    def run(self, command: list[str], environment: Mapping[str, str], timeout: float) -> RunResult:
        """Run a script to its end."""
        deadline = time.monotonic() + timeout
        with ThreadPoolExecutor(2) as readers, self._start(command, environment) as (process, streams):
            reading = [readers.submit(_read, stream) for stream in streams]
            try:
                out, err = (text.result(max(0.0, deadline - time.monotonic())) for text in reading)
                return self._receive(deadline), out, err
            except (TimeoutError, futures.TimeoutError) as error:
                os.kill(process, signal.SIGKILL)
                self._receive(time.monotonic() + timeout)
                raise subprocess.TimeoutExpired(command, timeout) from error

    @contextlib.contextmanager
    def _start(self, command: list[str], environment: Mapping[str, str]) -> Iterator[tuple[int, list[int]]]:
        """Start a run; yields its process id and the read ends of its streams."""
        pipes = [os.pipe(), os.pipe()]
        request = {"command": command, "environment": dict(environment), "folder": str(Path.cwd())}
        socket.send_fds(
            self._connection, [json.dumps(request).encode()], [child_end for _, child_end in pipes]
        )
        for _, child_end in pipes:
            os.close(child_end)
        yield self._receive(time.monotonic() + 60), [own_end for own_end, _ in pipes]

    def _receive(self, deadline: float) -> int:
        self._connection.settimeout(max(0.1, deadline - time.monotonic()))
        message = self._connection.recv(100)
        if not message:
            raise RuntimeError(f"No further run can be forked: {self._process.communicate()[0]!r}")
        return int(message)


def _read(stream: int) -> str:
    with open(stream) as file:  # a file descriptor
        return file.read()


def _serve(connection: socket.socket) -> None:
    """Fork a process for each request, one after the other."""
    _load()
    while True:
        request, streams, _, _ = socket.recv_fds(connection, MAX_REQUEST, 2)
        if not request:
            return
        process = os.fork()
        if not process:
            connection.close()
            _exec(json.loads(request), streams)
        for stream in streams:
            os.close(stream)
        connection.send(b"%d" % process)
        connection.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


def _load() -> None:
    """Import what most runs need, including those without worker processes."""
    from utils.images import validation

    for name in MODULES:
        importlib.import_module(name)
    validation.load_decoder()
    gc.freeze()  # a collection in a run would copy all memory pages


def _exec(request: dict[str, Any], streams: list[int]) -> None:
    """Set up session, streams and environment as the system does, and run the script."""
    os.setsid()
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["command"]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
