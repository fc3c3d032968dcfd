"""Errors that stop a run. Their messages are one sentence that says what is wrong and what to do.

::

    DatasetError             exit code 1: the command cannot be completed
    ├── InputError           exit code 2: a flag or a file of the user is wrong
    │   └── FolderInUseError another run uses the result folder
    ├── SourceError          no source of a prerequisite can be used
    │   └── OneSourceError   one source of it cannot be used; the next one is tried
    ├── DiskError            the disk is full or fails, or too many files are open
    ├── FolderError          the folder of one category cannot be used; other categories continue
    ├── ProxyError           the proxy from the environment cannot be used
    └── WorkersLostError     worker processes die repeatedly

The failure of a single image is not an exception but an `Outcome`.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path


class DatasetError(Exception):
    """Base class of errors that stop a run; `cli` prints the message and exits with `exit_code`."""

    exit_code = 1


class InputError(DatasetError):
    """A flag, a file or a folder given by the user cannot be used."""

    exit_code = 2


class FolderInUseError(InputError):
    """Another run uses the result folder."""


class SourceError(DatasetError):
    """No source of a prerequisite can be used."""


class OneSourceError(SourceError):
    """One source of a prerequisite cannot be used; the next one is tried.

    `status` is the HTTP status if that is the reason, else 0.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class DiskError(DatasetError):
    """A file that the run needs cannot be written or opened."""


class FolderError(DatasetError):
    """The folder of one category cannot be used; other categories continue."""


class ProxyError(DatasetError):
    """The proxy from the environment cannot be used."""


class WorkersLostError(DatasetError):
    """Worker processes die repeatedly without finishing anything."""


FATAL_ERRNOS = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EIO})
MAKE_ROOM = "Saved images are kept; make room, and run again to continue."
TOO_MANY_OPEN_FILES = frozenset({errno.EMFILE, errno.ENFILE})
RAISE_FILE_LIMIT = (
    "Raise the limit, e.g. with `ulimit -n 4096`, and run again to continue. Saved images are kept."
)
NO_THREAD = "can't start new thread"
"""Python's message for a limit of processes and threads; for processes it is that of `errno.EAGAIN`."""
TOO_MANY_PROCESSES = (
    "No further process or thread can be started. Raise the limit, e.g. with `ulimit -u 4096`, end other "
    "programs, or use --parallel False; and run again to continue."
)
_REMEDIES = {
    errno.EACCES: "Give this user permission",
    errno.EPERM: "Give this user permission, or move it out of the way",
    errno.EROFS: "Make it writable",
    errno.EFBIG: "Raise the limit of file sizes, e.g. with `ulimit -f unlimited`",
}
_IS_FOLDER = frozenset({errno.EISDIR, errno.EPERM})
"""Linux and macOS report these if a folder has the name of a file to be written."""


def disk_error(path: Path, error: OSError) -> DatasetError:
    """Return the error to raise if a file cannot be read or written."""
    if error.errno in FATAL_ERRNOS:
        return DiskError(f"Cannot write {path}: {error.strerror}. {MAKE_ROOM}")
    if error.errno in TOO_MANY_OPEN_FILES:
        return DiskError(f"Cannot open {path}: {error.strerror}. {RAISE_FILE_LIMIT}")
    if error.errno in _IS_FOLDER:
        named = Path(str(error.filename2 or error.filename or path))  # it may be a file descriptor
        path = named if named.is_dir() else path
    remedy = _REMEDIES.get(error.errno or 0, "Move it out of the way")
    return FolderError(f"Cannot work with {path}: {error.strerror}. {remedy}, and run again.")


@contextlib.contextmanager
def wrap_os_errors(path: Path) -> Iterator[None]:
    """Raise a DatasetError for an OSError while a file or folder, or a file in it, is used.

    Raises
    ------
    DiskError, FolderError
        In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise disk_error(Path(str(error.filename or path)), error) from error
