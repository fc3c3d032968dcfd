"""What a command costs: seconds, processor time and memory of all its processes.

Time and processor time come from the kernel when the command ends. Memory is sampled: the proportional share
(PSS), so that what processes have in common counts once; files on a tmpfs are not in it.
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

INTERVAL = 0.25  # seconds between samples; each costs a few ms
LONGEST = 1200.0  # seconds for a command
PROC = Path("/proc")
SESSION_FIELD = 3  # of /proc/<pid>/stat, counted behind the name's closing bracket


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Attributes
    ----------
    wall, processor
        Seconds; those of the processor are user's and system's, of all processes that were waited for.
    memory, own_memory
        Bytes at the worst moment: of all processes together, and of the first alone.
    code
        How it ended.
    """

    wall: float
    processor: float
    memory: int
    own_memory: int
    code: int


def run(
    command: Sequence[str | Path], *, environment: Mapping[str, str], folder: Path, log: Path | None = None
) -> Cost:
    """Run a command in a folder to its end, and say what it cost.

    Parameters
    ----------
    log
        Takes what it prints; beside the folder if none is named.

    Raises
    ------
    BenchmarkError
        If it takes longer than anybody would wait.
    """
    with (log or folder.with_suffix(".log")).open("wb") as output:
        begun = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  (who races is our choice)
            [str(part) for part in command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    with _ended_with_us(process), Sampler(process.pid) as sampler:
        _pid, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if sampler.overtime:
        raise BenchmarkError(f"{command[0]} did not end within {LONGEST:.0f} s.")
    return Cost(
        wall=wall,
        processor=usage.ru_utime + usage.ru_stime,
        memory=sampler.most,
        own_memory=sampler.most_of_first,
        code=process.returncode,
    )


@contextlib.contextmanager
def _ended_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a command's whole process group, whatever happens: nothing may be left to disturb the next."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.returncode is None:
            process.wait()


class Sampler:
    """Watches the memory of a session's processes, on a thread, while entered.

    Attributes
    ----------
    most, most_of_first
        Bytes: of all at once, and of the session's first process.
    overtime
        Whether the session was ended because it took too long.
    """

    def __init__(self, session: int) -> None:
        self.most = 0
        self.most_of_first = 0
        self.overtime = False
        self._session = session
        self._strangers: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        deadline = time.monotonic() + LONGEST
        while not self._ended.wait(INTERVAL):
            self._sample()
            if time.monotonic() > deadline:
                self.overtime = True
                os.killpg(self._session, signal.SIGKILL)
                return

    def _sample(self) -> None:
        sizes = {pid: memory(int(pid)) for pid in self._members()}
        self.most = max(self.most, sum(sizes.values()))
        self.most_of_first = max(self.most_of_first, sizes.get(str(self._session), 0))

    def _members(self) -> list[str]:
        """Name the session's processes; who was found to be a stranger is not asked again."""
        found = {entry.name for entry in PROC.iterdir() if entry.name.isdigit()} - self._strangers
        members = {pid for pid in found if _session_of(pid) == self._session}
        self._strangers |= found - members
        return sorted(members)


def memory(pid: int) -> int:
    """Say how many bytes a process has in memory, shared ones by its share; 0 if it is gone."""
    with contextlib.suppress(OSError):
        for line in (PROC / f"{pid}" / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _session_of(pid: str) -> int:
    with contextlib.suppress(OSError):
        return int((PROC / pid / "stat").read_text().rpartition(")")[2].split()[SESSION_FIELD])
    return -1
