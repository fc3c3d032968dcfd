"""Reads a large text from a zip, tgz, tar, gz or plain file, as a stream.

The format is recognised by the first bytes. Nothing is extracted under a name from the archive, and every
read is bounded.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ..errors import OneSourceError
from ..tar_reader import BLOCK, GZIP_MAGIC, READ_ERRORS, Readable, TarLimitError, is_header, iter_files

MAX_UNPACKED = 20 * 1024**3
"""Bytes of one tar; the largest expected one has 1.1 GB."""
_BUFFER = 1 << 20
_ZIP_MAGIC = b"PK\x03\x04"
_WEB_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_TEXT_SUFFIXES = frozenset({".txt", ".csv", ".tsv"})
_ENCRYPTED = 1  # a flag of zip members


@dataclass(frozen=True)
class TextStream:
    """A text that can be read once.

    Attributes
    ----------
    stream
        Its bytes.
    size
        In bytes, as the container states it; an estimate.
    position
        Returns how many bytes of the file on disk have been read.
    """

    stream: io.BufferedReader
    size: int
    position: Callable[[], int]


def check_start(start: bytes) -> str:
    """Return what is wrong with a file that starts with these bytes; empty if nothing is."""
    return "it is a web page, not the file" if _WEB_PAGE.match(start) else ""


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[TextStream]:
    """Open the text in a file.

    All checksums have been compared when the text was read to its end and the context is left.

    Raises
    ------
    OneSourceError
        If there is no text, or the container is damaged; also while the text is read.
    """
    with open_regular_file(path) as file:
        opener = _opener(file)
        with opener(file) as text:
            yield text


@contextlib.contextmanager
def open_regular_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read an archive from it.

    Raises
    ------
    OneSourceError
        If it is no regular file, cannot be opened, or is damaged; also while it is read.
    """
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise OneSourceError("it is a folder, not a file")
        if not stat.S_ISREG(kind):  # it may be endless, and cannot be read twice
            raise OneSourceError("it is a pipe or a device: save its output as a file")
        file = path.open("rb")
    except (OSError, ValueError) as error:  # ValueError for a NUL in the path
        raise OneSourceError(f"it cannot be opened ({getattr(error, 'strerror', error)})") from error
    with wrap_archive_errors(), file:
        yield file


@contextlib.contextmanager
def wrap_archive_errors() -> Iterator[None]:
    """Raise OneSourceError instead of the errors of a damaged archive."""
    try:
        yield
    except TarLimitError as error:
        raise OneSourceError(str(error)) from error
    except (*READ_ERRORS, zipfile.BadZipFile) as error:
        raise OneSourceError(f"it is damaged or cut ({error})") from error
    except RuntimeError as error:  # a compression method of zip that Python lacks
        raise OneSourceError(f"it cannot be unpacked ({error})") from error


def _opener(file: BinaryIO) -> Callable[[BinaryIO], AbstractContextManager[TextStream]]:
    start = file.read(4096)
    file.seek(0)
    if fault := check_start(start):
        raise OneSourceError(fault)
    if start.startswith(_ZIP_MAGIC):
        return _zip_text
    opener = _plain_text
    if start.startswith(GZIP_MAGIC):
        opener = _gzip_text
        with gzip.GzipFile(fileobj=file) as unpacked:
            start = unpacked.read(4096)
        file.seek(0)
    return _tar_text if is_header(start[:BLOCK]) else opener


@contextlib.contextmanager
def _zip_text(file: BinaryIO) -> Iterator[TextStream]:
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        member = members[_largest_text([(one.filename, one.file_size) for one in members])]
        if member.flag_bits & _ENCRYPTED:
            raise OneSourceError("it is locked with a password")
        # A symbolic link in a zip is stored as a short text; it is read as such and never followed.
        with archive.open(member) as stream:
            yield TextStream(_buffered(stream), member.file_size, file.tell)


@contextlib.contextmanager
def _tar_text(file: BinaryIO) -> Iterator[TextStream]:
    # Read to the end, where the checksum is.
    members = [(member.name, member.size) for member in iter_files(file, max_bytes=MAX_UNPACKED)]
    index = _largest_text(members)
    with contextlib.closing(iter_files(file, max_bytes=MAX_UNPACKED)) as files:
        stream = next(itertools.islice(files, index, None))
        yield TextStream(_buffered(stream), members[index][1], file.tell)


@contextlib.contextmanager
def _gzip_text(file: BinaryIO) -> Iterator[TextStream]:
    file.seek(-4, io.SEEK_END)  # the size of the content, modulo 4 GB
    size = int.from_bytes(file.read(4), "little")
    file.seek(0)
    with gzip.GzipFile(fileobj=file) as stream:
        yield TextStream(_buffered(stream), size, file.tell)


@contextlib.contextmanager
def _plain_text(file: BinaryIO) -> Iterator[TextStream]:
    if b"\0" in file.read(4096):
        raise OneSourceError("it is neither a zip, tgz, tar or gz archive nor a text")
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    yield TextStream(_buffered(file), size, file.tell)


def _buffered(stream: Readable) -> io.BufferedReader:
    return io.BufferedReader(_CheckedStream(stream), _BUFFER)


class _CheckedStream(io.RawIOBase):
    """Wraps read errors where they occur, so that they are not mistaken for write errors."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader passes no other
        with wrap_archive_errors():
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _largest_text(members: Sequence[tuple[str, int]]) -> int:
    """Return the index of the largest text among names and sizes; without a text, of the largest file."""
    if not members:
        raise OneSourceError("it contains no file")
    texts = [
        index
        for index, (name, _size) in enumerate(members)
        if PurePosixPath(name).suffix.lower() in _TEXT_SUFFIXES
    ]
    return max(texts or range(len(members)), key=lambda index: members[index][1])
