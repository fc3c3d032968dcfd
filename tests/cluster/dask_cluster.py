"""A Dask scheduler and workers for tests: processes on loopback that cannot import our code."""

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

from tests.machine import process_group, wait_until

CONFIGURATION = {
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "8s",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "5s",
    "DASK_DISTRIBUTED__WORKER__MEMORY__MONITOR_INTERVAL": "1s",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
}
"""A silent worker is given up soon, and idle processes use less of the CPU."""


def free_port() -> int:
    """Return a port that is not in use."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def is_open(port: int) -> bool:
    """Whether a port accepts connections."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@dataclass
class DaskCluster:
    """A scheduler and its workers, each with one thread and in a process group of its own."""

    path: Path
    port: int = field(default_factory=free_port)
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The scheduler's address."""
        return f"tcp://127.0.0.1:{self.port}"

    def start(self, workers: int = 2) -> None:
        """Start the scheduler and so many workers, except those that run already."""
        if self.scheduler is None or self.scheduler.poll() is not None:
            self.stop()
            where = ("--host", "127.0.0.1", "--port", f"{self.port}", "--no-dashboard")
            self.scheduler = self._start("scheduler", *where)
            wait_until(lambda: is_open(self.port))
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < workers:
            flags = ("--nthreads", "1", "--local-directory", str(self.path), "--no-nanny", "--no-dashboard")
            self.workers.append(self._start("worker", self.address, "--host", "127.0.0.1", *flags))

    def busy_worker(self) -> int:
        """Return the number of a worker that has started processes."""
        counts = [len(process_group(worker.pid)) for worker in self.workers]
        return counts.index(max(counts))

    def kill_worker(self, number: int) -> None:
        """Kill a worker, but not the processes that it has started."""
        self.workers[number].kill()
        self.workers[number].wait()

    def kill_children(self, number: int) -> None:
        """Kill the processes that a worker has started."""
        leader = self.workers[number].pid
        for pid in process_group(leader):
            if pid != leader:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def kill_scheduler(self) -> None:
        """Kill the scheduler."""
        assert self.scheduler
        kill_group(self.scheduler)

    def suspend_scheduler(self) -> None:
        """Suspend the scheduler; its connections stay open."""
        assert self.scheduler
        os.killpg(self.scheduler.pid, signal.SIGSTOP)

    def resume_scheduler(self) -> None:
        """Resume the scheduler."""
        assert self.scheduler
        os.killpg(self.scheduler.pid, signal.SIGCONT)

    def suspend_worker(self, number: int) -> None:
        """Suspend a worker with all processes that it has started."""
        os.killpg(self.workers[number].pid, signal.SIGSTOP)

    def resume_worker(self, number: int) -> None:
        """Resume a worker."""
        os.killpg(self.workers[number].pid, signal.SIGCONT)

    def shard_processes(self) -> list[int]:
        """Return all processes that workers have started and that still run."""
        leaders = [worker.pid for worker in self.workers]
        return [pid for leader in leaders for pid in process_group(leader) if pid != leader]

    def stop(self) -> None:
        """End all processes."""
        for process in [*self.workers, *([self.scheduler] if self.scheduler else [])]:
            kill_group(process)
        self.workers, self.scheduler = [], None

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.path,
            env=os.environ | CONFIGURATION,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with its group, and wait until none of it is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not process_group(process.pid))


@contextlib.contextmanager
def dask_cluster(path: Path) -> Iterator[DaskCluster]:
    """Give a cluster; all processes that it has started end."""
    cluster = DaskCluster(path)
    try:
        yield cluster
    finally:
        cluster.stop()
