"""The lock of a result folder."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import ROOT
from utils.errors import FolderInUseError, InputError
from utils.results.folder_lock import LOCK_NAME, FolderLock

HOLDER = """
import sys, time
from pathlib import Path
from utils.results.folder_lock import FolderLock
with FolderLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(30)
"""


def names(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(path.name for path in folder.iterdir())


@contextlib.contextmanager
def locked_by_other_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Lock a folder in another process."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_second_lock_is_refused(tmp_path: Path) -> None:
    """A locked folder cannot be locked again, in the same process or another; no file is left at the end."""
    in_use = pytest.raises(FolderInUseError, match="Another run is using")
    with FolderLock(tmp_path), in_use, FolderLock(tmp_path):
        pass
    assert names(tmp_path) == []
    with locked_by_other_process(tmp_path), pytest.raises(FolderInUseError), FolderLock(tmp_path):
        pass


@pytest.mark.skipif(os.name != "posix", reason="Windows has other locks")
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_file_system_without_locks(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If the file system has no locks, one warning is logged, and no file is left."""

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)  # as Lustre without -o flock, and NFS without lockd
    for _ in range(2):
        with FolderLock(tmp_path):
            assert names(tmp_path) == [LOCK_NAME]
        assert names(tmp_path) == []
    (record,) = caplog.records
    assert f"{tmp_path} does not support locks ({os.strerror(code)})" in record.getMessage()


def test_killed_process(tmp_path: Path) -> None:
    """The lock of a killed process is free, although its file still exists."""
    with locked_by_other_process(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert names(tmp_path) == [LOCK_NAME]
        with FolderLock(tmp_path):
            assert names(tmp_path) == [LOCK_NAME]
    assert names(tmp_path) == []


def test_missing_folder(tmp_path: Path) -> None:
    """A folder that cannot be locked is an input error."""
    with pytest.raises(InputError, match="cannot be written to"), FolderLock(tmp_path / "missing"):
        pass


def _compete(folder: Path, rounds: int) -> None:
    """Take the lock many times, and check that no other process holds it at the same time."""
    inside = folder / "inside"
    entered = 0
    deadline = time.monotonic() + 20
    while entered < rounds and time.monotonic() < deadline:
        with contextlib.suppress(FolderInUseError), FolderLock(folder):
            os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
            inside.unlink()
            entered += 1
    os._exit(0 if entered == rounds else 1)


def test_competing_processes(tmp_path: Path) -> None:
    """Deleting the lock file never lets two processes hold the lock, even if a third has it open."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_compete, args=(tmp_path, 300)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert names(tmp_path) == []
