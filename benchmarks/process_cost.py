"""Measures a command: wall time, CPU time and memory of all its processes.

The kernel reports CPU time when the command ends. Memory is sampled as proportional set size (PSS), which
counts shared pages once; files on a tmpfs are not included.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchmarkError

INTERVAL = 0.25  # seconds between samples; each takes a few ms
TIMEOUT = 1200.0  # seconds for a command
PROC = Path("/proc")
SESSION_FIELD = 3  # of /proc/<pid>/stat, counted after the name


@dataclass(frozen=True)
class Cost:
    """The cost of a command.

    Attributes
    ----------
    wall, processor
        Seconds; `processor` is user and system time of all processes that were waited for.
    memory, own_memory
        Peak in bytes: of all processes, and of the first process.
    code
        Exit code.
    """

    wall: float
    processor: float
    memory: int
    own_memory: int
    code: int


def run(command: Sequence[str | Path], *, environment: Mapping[str, str], folder: Path, log: Path) -> Cost:
    """Run a command in a folder, and measure it.

    Parameters
    ----------
    log
        File for the output of the command.

    Raises
    ------
    BenchmarkError
        If the command takes longer than `TIMEOUT`.
    """
    with log.open("wb") as output:
        start = time.monotonic()
        process = subprocess.Popen(  # noqa: S603
            [str(part) for part in command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    with _killed_at_exit(process), MemorySampler(process.pid) as sampler:
        _pid, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if sampler.timed_out:
        raise BenchmarkError(f"{command[0]} did not end within {TIMEOUT:.0f} s.")
    return Cost(
        wall=wall,
        processor=usage.ru_utime + usage.ru_stime,
        memory=sampler.peak,
        own_memory=sampler.own_peak,
        code=process.returncode,
    )


@contextlib.contextmanager
def _killed_at_exit(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill the process group at exit, so that no process of it disturbs the next measurement."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.returncode is None:
            process.wait()


class MemorySampler:
    """Samples the memory of a session's processes in a thread; a context manager.

    Attributes
    ----------
    peak, own_peak
        Peak in bytes: of all processes, and of the session's first process.
    timed_out
        Whether the session was killed after `TIMEOUT`.
    """

    def __init__(self, session: int) -> None:
        self.peak = 0
        self.own_peak = 0
        self.timed_out = False
        self._session = session
        self._others: set[str] = set()  # processes of other sessions
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> MemorySampler:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        deadline = time.monotonic() + TIMEOUT
        while not self._ended.wait(INTERVAL):
            sizes = {pid: _memory(pid) for pid in self._processes()}
            self.peak = max(self.peak, sum(sizes.values()))
            self.own_peak = max(self.own_peak, sizes.get(str(self._session), 0))
            if time.monotonic() > deadline:
                self.timed_out = True
                os.killpg(self._session, signal.SIGKILL)
                return

    def _processes(self) -> set[str]:
        candidates = {entry.name for entry in PROC.iterdir() if entry.name.isdigit()} - self._others
        processes = {pid for pid in candidates if _session_of(pid) == self._session}
        self._others |= candidates - processes
        return processes


def _memory(pid: str) -> int:
    """Return the PSS of a process in bytes; 0 if it has ended."""
    with contextlib.suppress(OSError):
        for line in (PROC / pid / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _session_of(pid: str) -> int:
    with contextlib.suppress(OSError):
        return int((PROC / pid / "stat").read_text().rpartition(")")[2].split()[SESSION_FIELD])
    return -1
