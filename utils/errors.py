"""What stops a run. Each error is one sentence that says what is wrong and what to do.

::

    DatasetError             exit code 1: something asked for could not be done
    ├── InputError           exit code 2: a flag or a file of the user's is not as it should be
    │   └── FolderInUseError another run works on the same result folder
    ├── SourceError          a prerequisite could not be fetched from anywhere
    │   └── OneSourceError   one source of it cannot be used; the next one is tried
    ├── DiskError            the disk is full, or takes nothing, or no more files may be open
    ├── FolderError          one category's folder cannot be worked with; the others can
    ├── ProxyError           the proxy from the environment refuses
    └── WorkersLostError     the worker processes die again and again

The failure of a single image is never an exception; it is an `Outcome`.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path


class DatasetError(Exception):
    """Anything that stops a run; `cli` shows its sentence and exits with its code."""

    exit_code = 1


class InputError(DatasetError):
    """A flag, a file or a folder that the user gave cannot be worked with."""

    exit_code = 2


class FolderInUseError(InputError):
    """Another run works on the same result folder."""


class SourceError(DatasetError):
    """None of the sources of a prerequisite could be used."""


class OneSourceError(SourceError):
    """One source of a prerequisite cannot be used; the next one is tried.

    `status` is what its server answered, if that was why; else 0.
    """

    def __init__(self, sentence: str, *, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


class DiskError(DatasetError):
    """A file that the run needs could not be written, or not even be opened."""


class FolderError(DatasetError):
    """The folder of one category cannot be worked with; the others can."""


class ProxyError(DatasetError):
    """The proxy from the environment refuses to work for us."""


class WorkersLostError(DatasetError):
    """Worker processes die faster than they do anything."""


NO_SENSE_IN_GOING_ON = frozenset(
    {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EROFS, errno.EIO}
)
TOO_MANY_OPEN = frozenset({errno.EMFILE, errno.ENFILE})
MORE_FILES = "Raise their limit, e.g. by `ulimit -n 4096`, and run again to go on; what is saved stays."
_FOLDER_FOR_A_FILE = frozenset({errno.EISDIR, errno.EPERM})
"""Where a file belongs there is a folder: what Linux and macOS say of that."""


def disk_error(path: Path, error: OSError) -> DatasetError:
    """Make a sentence of what the system says when a file cannot be read or written."""
    if error.errno in NO_SENSE_IN_GOING_ON:
        return DiskError(
            f"Cannot write {path}: {error.strerror}. What is saved stays; make room, and run again to go on."
        )
    if error.errno in TOO_MANY_OPEN:
        return DiskError(f"Cannot open {path}: {error.strerror}. {MORE_FILES}")
    if error.errno in _FOLDER_FOR_A_FILE:
        named = Path(str(error.filename2 or error.filename or path))  # it may be a number, too
        path = named if named.is_dir() else path
    what_to_do = "Let this user do so" if error.errno == errno.EACCES else "Move it out of the way"
    return FolderError(f"Cannot work with {path}: {error.strerror}. {what_to_do}, and run again.")


@contextlib.contextmanager
def wrap_os_errors(path: Path) -> Iterator[None]:
    """Make a sentence of what the system says while a file or folder is worked with, or something in it.

    Raises
    ------
    DiskError, FolderError
        In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise disk_error(Path(str(error.filename or path)), error) from error
