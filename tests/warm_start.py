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
from collections.abc import Mapping
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
IS_SUPPORTED = sys.platform == "linux"
"""Other systems have no fork, or do not allow it after system libraries were loaded."""
MAX_REQUEST, MAX_MESSAGE = 1_000_000, 100
FREE_VARIABLES = (
    "XDG_CACHE_HOME",
    "PART_OF_IMAGENET_",
    "PYTEST_",
    "COLUMNS",
    "LINES",
    "OPENBLAS_NUM_THREADS",
    "SSL_CERT_",
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
MODULES_OF_FLAGS = {
    "--archive_url": "utils.fetch.file_download",
    "--export": "utils.cli.export_command",
    "--ncodes_dir": "utils.cli.prerequisites_command",
    "--scheduler": "distributed",
}
"""Modules that take long to import, by the flags of runs that need them."""


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


def start(command: list[str], environment: Mapping[str, str]) -> ForkedRun | None:
    """Start a script; None if it cannot be forked."""
    if not IS_SUPPORTED or _fixed(environment) != initial_environment():
        return None
    return ForkedRun(command, environment, _fork_server())


@functools.cache
def _fork_server() -> socket.socket:
    """Start the process that has loaded all modules; returns the connection to it."""
    connection, child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with child_end:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm_start", str(child_end.fileno())],
            cwd=ROOT,
            env=initial_environment(),
            stdout=subprocess.PIPE,  # pipes, as for a run: Python checks them at its start
            stderr=subprocess.STDOUT,
            pass_fds=[child_end.fileno()],
        )

    def close() -> None:
        connection.close()
        process.communicate()

    atexit.register(close)
    return connection


class ForkedRun:
    """A run, with the attributes and methods of `subprocess.Popen`, in a session of its own."""

    def __init__(self, command: list[str], environment: Mapping[str, str], server: socket.socket) -> None:
        self.args = command
        self.returncode: int | None = None
        request = {"command": command, "environment": dict(environment), "folder": str(Path.cwd())}
        outputs = [os.pipe(), os.pipe()]
        self._watcher, watchers_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with watchers_end:
            passed = [*(write_end for _, write_end in outputs), watchers_end.fileno()]
            socket.send_fds(server, [json.dumps(request).encode()], passed)
        for _, write_end in outputs:
            os.close(write_end)
        self.stdout, self.stderr = (os.fdopen(read_end) for read_end, _ in outputs)
        self._reading: list[futures.Future[str]] = []
        self.pid = int(self._watcher.recv(MAX_MESSAGE))

    def __enter__(self) -> ForkedRun:
        return self

    def __exit__(self, *error: object) -> None:
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.close()
        self.wait()

    def poll(self) -> int | None:
        """Return the exit code, or None if it still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; returns the exit code."""
        if self.returncode is None:
            self._watcher.settimeout(timeout)
            try:
                message = self._watcher.recv(MAX_MESSAGE)
            except (BlockingIOError, TimeoutError) as error:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from error
            self._watcher.close()
            self.returncode = int(message)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read all output, and wait for the end."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._reading:
            readers = ThreadPoolExecutor(2)
            self._reading = [readers.submit(_read, stream) for stream in (self.stdout, self.stderr)]
            readers.shutdown(wait=False)
        if futures.wait(self._reading, timeout).not_done:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(None if deadline is None else max(0.1, deadline - time.monotonic()))
        out, err = (text.result() for text in self._reading)
        return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(signal.SIGKILL)


def _read(stream: IO[str] | None) -> str:
    return stream.read() if stream and not stream.closed else ""


def _serve(connection: socket.socket) -> None:
    """Fork a process for each request."""
    _load()
    while True:
        request, descriptors, _, _ = socket.recv_fds(connection, MAX_REQUEST, 3)
        if not request:
            return
        with contextlib.suppress(ChildProcessError):  # there is no further one
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        run = json.loads(request)
        for flag in MODULES_OF_FLAGS.keys() & run["command"]:
            importlib.import_module(MODULES_OF_FLAGS[flag])
            gc.freeze()
        if not os.fork():
            connection.close()
            _watch(run, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _watch(request: dict[str, Any], descriptors: list[int]) -> None:
    """Fork the run; send its exit code, and let its process id exist until the code was received."""
    *outputs, descriptor = descriptors
    with socket.socket(fileno=descriptor) as client:
        run = os.fork()
        if not run:
            os.setsid()
            client.send(b"%d" % os.getpid())
            client.close()
            _exec(request, outputs)
        for output in outputs:
            os.close(output)
        end = os.waitid(os.P_PID, run, os.WEXITED | os.WNOWAIT)
        assert end
        client.send(b"%d" % (end.si_status if end.si_code == os.CLD_EXITED else -end.si_status))
        client.recv(1)
    os.waitpid(run, 0)
    os._exit(0)


def _load() -> None:
    """Import and read what most runs need, including those without worker processes."""
    from utils.catalog import categories
    from utils.images import decoding

    for name in MODULES:
        importlib.import_module(name)
    decoding.load()
    categories.load_synsets()
    gc.freeze()  # a collection in a run would copy all memory pages


def _exec(request: dict[str, Any], streams: list[int]) -> None:
    """Set up streams and environment as the system does, and run the script."""
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["command"]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if not isinstance(end.code, str):
            _exit(end.code or 0)
        raise
    sys.exit()


def _exit(code: int) -> None:
    """Exit as Python does, except that modules are not destroyed, which would copy their memory pages."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
