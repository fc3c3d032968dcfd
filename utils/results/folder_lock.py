"""A lock that prevents a second run in the same folder."""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import os
from pathlib import Path

from ..errors import DiskError, FolderInUseError, InputError
from ..files import open_descriptor

try:
    import fcntl
except ImportError:  # Windows has another lock
    fcntl = None  # type: ignore[assignment]
    import msvcrt

LOCK_NAME = ".lock"
_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_LOCKED = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})
"""Errors for a file that is locked; any other error means that the file system has no locks, e.g. Lustre."""
_log = logging.getLogger(__name__)


class FolderLock:
    """Prevents a second run in the same folder; the system releases the lock of a killed run.

    If the file system has no locks, a warning is logged instead. `flag` names the folder in messages.
    """

    def __init__(self, folder: Path, flag: str = "--save_dir") -> None:
        self._path = folder / LOCK_NAME
        self._flag = flag
        self._descriptor = -1

    def __enter__(self) -> FolderLock:
        while self._descriptor < 0:
            descriptor = self._open()
            try:
                if fcntl is not None:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                else:
                    msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except OSError as error:
                if error.errno in _LOCKED:
                    os.close(descriptor)
                    raise FolderInUseError(
                        f"Another run is using {self._path.parent}. Wait until it ends, or choose another "
                        f"{self._flag}."
                    ) from error
                _warn(self._path.parent, error.strerror)
            if self._is_current(descriptor):
                self._descriptor = descriptor
            else:
                os.close(descriptor)
        return self

    def __exit__(self, *error: object) -> None:
        # Deleted before it is released: a run that opens it in between finds it deleted and creates another.
        if fcntl is not None:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1

    def _open(self) -> int:
        try:
            return open_descriptor(self._path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            kind = DiskError if error.errno in _FULL else InputError
            raise kind(
                f"{self._path} cannot be written to: {error.strerror}. Choose another {self._flag}."
            ) from error

    def _is_current(self, descriptor: int) -> bool:
        """Whether an open lock file still has its name; a run that has just ended deletes it."""
        with contextlib.suppress(FileNotFoundError):
            return self._path.stat().st_ino == os.fstat(descriptor).st_ino
        return False


@functools.cache  # once for each folder
def _warn(folder: Path, error: str) -> None:
    _log.warning(
        "The file system of %s does not support locks (%s): start no second run in it until this one ends.",
        folder,
        error,
    )
