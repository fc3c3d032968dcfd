"""One big text inside a zip, tgz, tar or gz, or as it is, as a stream.

Keeper of those containers, which it tells by their first bytes. Nothing is ever extracted under a name
from an archive: the biggest suitable member is read, and its checksum with it.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Protocol, cast

from .errors import OneSourceError

MOST_MEMBERS = 100_000
_BUFFER = 1 << 20
_TAR_MAGIC, _TAR_MAGIC_PLACE = b"ustar", 257
_ZIP_MAGIC, _GZIP_MAGIC = b"PK\x03\x04", b"\x1f\x8b"
_WEB_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_TEXT_SUFFIXES = frozenset({".txt", ".csv", ".tsv"})
_DAMAGE = (EOFError, OSError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
_UNREADABLE = (NotImplementedError, ValueError)  # a rare method, or names in no encoding
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
    with damage_told(), path.open("rb") as file:
        opener = _opener(file)
        with opener(file) as text:
            yield text


@contextlib.contextmanager
def open_tar(file: BinaryIO) -> Iterator[tarfile.TarFile]:
    """Open a tar, packed with gzip or not, for one reading of its `plain_files`.

    When this context is left, the rest has been read, so that gzip's checksum has been compared.
    """
    file.seek(0)
    packed = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(gzip.GzipFile(fileobj=file)) if packed else file
        yield stack.enter_context(tarfile.open(fileobj=cast("IO[bytes]", plain), mode="r|"))
        while plain.read(_BUFFER):
            pass


def plain_files(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Give the members that are regular files: no links, no devices, nothing sparse."""
    for place, member in enumerate(archive):
        if place >= MOST_MEMBERS:
            raise OneSourceError(f"it holds more than {MOST_MEMBERS} files")
        if member.isreg() and not member.issparse():
            yield member


@contextlib.contextmanager
def damage_told() -> Iterator[None]:
    """Turn what the containers' readers raise into a sentence about the source."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise OneSourceError(f"it cannot be opened ({error.strerror})") from error
    except _DAMAGE as error:
        raise OneSourceError(f"it is damaged or cut ({error})") from error
    except _UNREADABLE as error:
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
    return _tar_text if _is_tar(beginning) else opener


def _is_tar(beginning: bytes) -> bool:
    return beginning[_TAR_MAGIC_PLACE:].startswith(_TAR_MAGIC)


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
    with open_tar(file) as archive:
        members = enumerate(plain_files(archive))
        chosen = _biggest_text(_Candidate(place, member.name, member.size) for place, member in members)
    with open_tar(file) as archive:
        member = next(itertools.islice(plain_files(archive), chosen.place, None))
        stream = archive.extractfile(member)
        if stream is None:  # only what is no file has no content
            raise OneSourceError(f"its member {member.name!a} cannot be read")
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
