"""What the web sends packed: one big text in a zip, tgz, tar or gz, or as it is; the files in a tar.

Keeper of those containers, which it tells by their first bytes. Nothing is ever extracted under a name
from an archive: members are read as streams, and checksums with them. Every read is bounded.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from ..errors import OneSourceError
from ..tar_reader import BLOCK, READ_ERRORS, TarLimitError, is_header, iter_files

MOST_UNPACKED = 20 * 1024**3  # bytes of one tar; the largest of ours has 1.1 GB
_BUFFER = 1 << 20
_ZIP_MAGIC, _GZIP_MAGIC = b"PK\x03\x04", b"\x1f\x8b"
_WEB_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_TEXT_SUFFIXES = frozenset({".txt", ".csv", ".tsv"})
_DAMAGE = (*READ_ERRORS, zipfile.BadZipFile)
_RARE = NotImplementedError, RuntimeError  # ways to pack a zip that Python does not know
_ENCRYPTED = 1  # a zip member's flag


@dataclass(frozen=True)
class TextStream:
    """The text, to be read once from its beginning.

    Attributes
    ----------
    stream
        Its bytes.
    size
        How many there are, in bytes, as far as the container says; an estimate.
    position
        Tells how much of the file on disk has been read, in bytes.
    """

    stream: io.BufferedReader
    size: int
    position: Callable[[], int]


@dataclass(frozen=True)
class _Candidate:
    place: int
    name: str
    size: int


def fault_of(beginning: bytes) -> str:
    """Say what is wrong with a file that begins so; nothing if it may be one of ours."""
    return "it is a web page, not the file" if _WEB_PAGE.match(beginning) else ""


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[TextStream]:
    """Open the text in a file.

    When the text has been read to its end and this context is left, all checksums have been compared.

    Raises
    ------
    OneSourceError
        If there is none, or the container turns out to be damaged, now or while the text is read.
    """
    with opened(path) as file:
        opener = _opener(file)
        with opener(file) as text:
            yield text


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file that somebody named, and nothing else of that name; what is wrong with it is told.

    Raises
    ------
    OneSourceError
        If it is no file, cannot be opened, or turns out to be damaged while it is read.
    """
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise OneSourceError("it is a folder, not a file")
        if not stat.S_ISREG(kind):  # it may never end, and can be read but once
            raise OneSourceError("it is a pipe or a device: save what comes out of it as a file")
        file = path.open("rb")
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        raise OneSourceError(f"it cannot be opened ({getattr(error, 'strerror', error)})") from error
    with damage_told(), file:
        yield file


@contextlib.contextmanager
def damage_told() -> Iterator[None]:
    """Turn what the containers' readers raise into a sentence about the source."""
    try:
        yield
    except TarLimitError as error:
        raise OneSourceError(str(error)) from error
    except _DAMAGE as error:
        raise OneSourceError(f"it is damaged or cut ({error})") from error
    except _RARE as error:
        raise OneSourceError(f"it cannot be unpacked ({error})") from error


def _opener(file: BinaryIO) -> Callable[[BinaryIO], AbstractContextManager[TextStream]]:
    beginning = file.read(4096)
    file.seek(0)
    if fault_of(beginning):
        raise OneSourceError(fault_of(beginning))
    if beginning.startswith(_ZIP_MAGIC):
        return _zip_text
    if beginning.startswith(_GZIP_MAGIC):
        with gzip.GzipFile(fileobj=file) as unpacked:
            beginning, opener = unpacked.read(4096), _gzip_text
        file.seek(0)
    else:
        opener = _plain_text
    return _tar_text if is_header(beginning[:BLOCK]) else opener


@contextlib.contextmanager
def _zip_text(file: BinaryIO) -> Iterator[TextStream]:
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        chosen = _biggest_text(_Candidate(place, m.filename, m.file_size) for place, m in enumerate(members))
        if members[chosen.place].flag_bits & _ENCRYPTED:
            raise OneSourceError("it is locked with a password")
        # A symbolic link in a zip is a short text; it is read as one, never followed.
        with archive.open(members[chosen.place]) as stream:
            yield TextStream(_buffered(stream), chosen.size, file.tell)


@contextlib.contextmanager
def _tar_text(file: BinaryIO) -> Iterator[TextStream]:
    members = enumerate(iter_files(file, max_bytes=MOST_UNPACKED))  # to the end, which has the checksum
    chosen = _biggest_text(_Candidate(place, member.name, member.size) for place, member in members)
    with contextlib.closing(iter_files(file, max_bytes=MOST_UNPACKED)) as again:
        stream = next(itertools.islice(again, chosen.place, None))
        yield TextStream(_buffered(stream), chosen.size, file.tell)


@contextlib.contextmanager
def _gzip_text(file: BinaryIO) -> Iterator[TextStream]:
    file.seek(-4, io.SEEK_END)  # gzip ends with the size of what it holds, modulo 4 GB
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


def _buffered(stream: _Readable) -> io.BufferedReader:
    return io.BufferedReader(_Told(stream), _BUFFER)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Told(io.RawIOBase):
    """A stream whose damage is told where it is read, so that it is not taken for a failure to write."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader gives no other
        with damage_told():
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _biggest_text(candidates: Iterable[_Candidate]) -> _Candidate:
    """Choose the biggest text; where none is called one, the biggest file."""
    everything = list(candidates)
    texts = [one for one in everything if PurePosixPath(one.name).suffix.lower() in _TEXT_SUFFIXES]
    if not everything:
        raise OneSourceError("it holds no file")
    return max(texts or everything, key=lambda one: one.size)
