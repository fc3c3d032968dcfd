"""A Dask scheduler and workers for tests: processes over TCP on loopback that know nothing of ours."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.machine import group_of, wait_until


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answers(port: int) -> bool:
    """Say whether somebody listens on a port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@dataclass
class Machines:
    """A scheduler and its workers, each with one thread; all end with the test."""

    path: Path
    port: int = field(default_factory=free_port)
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The scheduler's address."""
        return f"tcp://127.0.0.1:{self.port}"

    def start(self, workers: int = 2) -> None:
        """Start the scheduler, if there is none, and so many more workers."""
        if self.scheduler is None:
            where = ("--host", "127.0.0.1", "--port", f"{self.port}", "--no-dashboard")
            self.scheduler = self._start("scheduler", *where)
            wait_until(lambda: answers(self.port))
        for _ in range(workers):
            folder = self.path / f"worker-{len(self.workers)}"
            folder.mkdir()
            flags = ("--nthreads", "1", "--local-directory", str(folder), "--no-nanny", "--no-dashboard")
            self.workers.append(self._start("worker", self.address, "--host", "127.0.0.1", *flags))

    def kill_worker(self, number: int) -> None:
        """Kill a worker with all that it has started, at once."""
        kill(self.workers[number])

    def kill_worker_alone(self, number: int) -> None:
        """Kill a worker, but nothing that it has started: that ends by itself, a little later."""
        self.workers[number].kill()

    def kill_scheduler(self) -> None:
        """Kill the scheduler at once."""
        assert self.scheduler
        kill(self.scheduler)
        self.scheduler = None

    def suspend_scheduler(self) -> None:
        """Let the scheduler stand still; its connections stay."""
        assert self.scheduler
        os.killpg(self.scheduler.pid, signal.SIGSTOP)

    def suspend_worker(self, number: int) -> None:
        """Let a worker and all that it has started stand still."""
        os.killpg(self.workers[number].pid, signal.SIGSTOP)

    def wake_worker(self, number: int) -> None:
        """Let it go on."""
        os.killpg(self.workers[number].pid, signal.SIGCONT)

    def stop(self) -> None:
        """End all of it."""
        for process in [*self.workers, *([self.scheduler] if self.scheduler else [])]:
            kill(process)

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its group, and see that nothing of it is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not group_of(process.pid))


@contextlib.contextmanager
def machines(path: Path, workers: int = 2) -> Iterator[Machines]:
    """Give a scheduler with workers."""
    folder = path / "machines"
    folder.mkdir()
    found = Machines(folder)
    try:
        found.start(workers)
        yield found
    finally:
        found.stop()
