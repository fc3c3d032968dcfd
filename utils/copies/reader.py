"""The interface of readers. Each reads one layout of copies.

To add a layout, write a module with a subclass of `Reader` and add it to `registry.FILE_READERS`. A reader
either finds the members of a category quickly (`members`), or yields all members once (`scan`), and the index
keeps them.
"""

from __future__ import annotations

import abc
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from ..models.http_defaults import MAX_IMAGE_BYTES
from ..models.rows import LocalImage
from .members import Member

MAX_READ_BYTES = MAX_IMAGE_BYTES + 1
"""Bytes that are read of an image: of one that is too large only its beginning, which is rejected as such."""
READ_ERRORS = (OSError, EOFError, ValueError)
"""Errors of reading a damaged file."""


class Reader(abc.ABC):
    """Reads one file or folder of a copy.

    Parameters
    ----------
    name
        Of the file, relative to the copy; empty if it is the copy.

    Attributes
    ----------
    layout
        What it is, in words: for one, and for several.
    must_scan
        Whether members of a category can only be found by a scan of all.
    has_row_groups
        Whether several images are read at once; the first number of a member's place tells which.
    faults
        What is damaged, which costs only itself: texts that complete a sentence about the file.
    position
        The bytes of its file that were read, while a scan reads all of them.
    is_incomplete
        Whether a scan was ended by an error that may pass, as that of a network.
    """

    layout: ClassVar[tuple[str, str]]
    must_scan: ClassVar[bool] = True
    has_row_groups: ClassVar[bool] = False

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self.faults: list[str] = []
        self.position = 0
        self.is_incomplete = False

    @property
    def problems(self) -> list[str]:
        """Sentences about what is damaged."""
        return [f"{self.name or self.path}: {fault}." for fault in self.faults]

    @classmethod
    @abc.abstractmethod
    def recognise(cls, path: Path, start: bytes) -> bool:
        """Whether a file, which begins with these bytes, has this layout.

        Raises
        ------
        OSError, EOFError, ValueError
            If it cannot be read.
        """

    def scan(self) -> Iterator[Member]:
        """Yield all members; damage ends it, and is reported in `faults`."""
        raise NotImplementedError

    def members(self, code: str) -> Iterable[Member]:
        """Return the members of a category; with an empty code, those whose path tells no category."""
        raise NotImplementedError

    @abc.abstractmethod
    def image(self, member: Member) -> LocalImage:
        """Return a member as workers read it."""

    def read(self, member: Member) -> bytes:
        """Read a member, e.g. a table of labels; see `LocalImage.read`."""
        return self.image(member).read()

    def add_error(self, error: Exception, problem: str = "") -> None:
        """Report the error that ended a scan, with a text of its own or as the problem."""
        self.is_incomplete |= isinstance(error, OSError) and bool(error.errno)
        self.add_problem(getattr(error, "strerror", None) or problem or str(error))

    def add_problem(self, problem: str) -> None:
        """Report damage, unless it was reported before."""
        if problem not in self.faults:
            self.faults.append(problem)


def require_file(path: Path) -> os.stat_result:
    """Check that a path is a file, because opening a pipe would block; returns its status.

    Raises
    ------
    OSError
        If not.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        code = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        raise OSError(code, "it is not a file")
    return status
