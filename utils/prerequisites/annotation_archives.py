"""The archives of all annotated categories: from one big tar, or a folder, into `annotation/`.

This module alone knows how the published collection is packed: members `<wnid>.tar.gz`, perhaps under
folders. It streams by twice: first it is judged, to its checksum, then what is good is written under our
own path, each archive whole.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DiskError, OneSourceError
from ..fetch.archive_stream import MAX_UNPACKED, check_start, open_regular_file, wrap_archive_errors
from ..fetch.file_download import Advance
from ..files import PARTIAL_PREFIX, PARTIAL_SUFFIX, write_atomic
from ..tar_reader import BLOCK, is_header, iter_files
from ..text import listed

FOLDER_NAME = "annotation"
LARGEST_ARCHIVE = 64_000_000  # bytes, packed or not; the real ones have less than six million
_NAME = re.compile(r"n[0-9]{8}\.tar(\.gz)?")
_XML_FOLDER = re.compile(r"n[0-9]{8}")
_CODE = slice(0, 9)
_UNFINISHED_NAME = ".unfinished"
_MOST_NAMES = 5
_BEGINNING = 4096  # bytes by which a web page is told
_CHUNK = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass
class ArchiveCheck:
    """What a collection holds, by the names of its archives.

    Attributes
    ----------
    good
        Those that can be used.
    size
        Their bytes.
    damaged, unknown, too_large
        Those that are left out: cut, of a category that does not exist, or too large to be real.
    """

    good: set[str] = field(default_factory=set)
    size: int = 0
    damaged: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    too_large: list[str] = field(default_factory=list)

    def left_out(self) -> list[str]:
        """Say which archives are left out, and why."""
        why = {
            "damaged": self.damaged,
            "of no category that there is": self.unknown,
            "too large to be real": self.too_large,
        }
        return [
            f"{len(names):,} {words} ({listed(names, _MOST_NAMES)})" for words, names in why.items() if names
        ]


@dataclass(frozen=True)
class WrittenCounts:
    """How many archives were written, and how many were there already."""

    written: int
    present: int


@dataclass(frozen=True)
class _Archive:
    name: str
    size: int
    read: Callable[[], bytes]


def present(folder: Path) -> int:
    """Count the categories whose annotations lie in a folder; 0 while it is not wholly filled."""
    if not folder.is_dir() or (folder / _UNFINISHED_NAME).exists():
        return 0
    return len(_codes_in(folder))


def survey(source: Path, known: Collection[str], say: Advance) -> ArchiveCheck:
    """Judge the archives of a collection, packed or in a folder.

    Parameters
    ----------
    source
        A tar, packed with gzip or not, or a folder of archives.
    known
        The wnids of all categories.
    say
        Told how far it is.

    Raises
    ------
    OneSourceError
        If the collection itself is damaged.
    """
    found = ArchiveCheck()
    with wrap_archive_errors():
        for archive in _archives(source, say):
            if archive.name[_CODE] not in known:
                found.unknown.append(archive.name)
            elif archive.size > LARGEST_ARCHIVE:
                found.too_large.append(archive.name)
            elif not _is_sound(archive.read()):
                found.damaged.append(archive.name)
            else:
                found.good.add(archive.name)
                found.size += archive.size
    return found


def write(source: Path, folder: Path, good: Collection[str], *, replace: bool, say: Advance) -> WrittenCounts:
    """Put the good archives of a collection into `folder`.

    Parameters
    ----------
    source
        The collection.
    folder
        Where to; it is made.
    good
        The names of the archives that are to be put there.
    replace
        Whether categories that are there are written anew.
    say
        Told how far it is.

    Raises
    ------
    OneSourceError
        If the collection is damaged.
    DiskError
        If the folder cannot be written.
    """
    written: set[str] = set()
    with wrap_archive_errors(), _being_filled(folder):
        there = set() if replace else _codes_in(folder)
        for archive in _archives(source, say):
            if archive.name in good and archive.name[_CODE] not in there:
                _put(folder / archive.name, archive.read())
                written.add(archive.name)
    return WrittenCounts(len(written), len(good) - len(written))


def _codes_in(folder: Path) -> set[str]:
    return {entry.name[_CODE] for entry in folder.iterdir() if _is_one(entry)}


def _is_one(entry: Path) -> bool:
    if _XML_FOLDER.fullmatch(entry.name):
        return entry.is_dir()
    return bool(_NAME.fullmatch(entry.name)) and entry.is_file() and entry.stat().st_size > 0


def _archives(source: Path, say: Advance) -> Iterator[_Archive]:
    return _in_folder(source, say) if source.is_dir() else _in_tar(source, say)


def _in_tar(path: Path, say: Advance) -> Iterator[_Archive]:
    with open_regular_file(path) as file:
        if fault := check_start(file.read(_BEGINNING)):
            raise OneSourceError(fault)
        size = os.fstat(file.fileno()).st_size
        for member in iter_files(file, max_bytes=MAX_UNPACKED):
            if _NAME.fullmatch(member.name):
                yield _Archive(member.name, member.size, member.read)
                say(file.tell(), size)


def _in_folder(folder: Path, say: Advance) -> Iterator[_Archive]:
    files = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_file())
    done, size = 0, sum(path.stat().st_size for path in files)
    for path in files:
        archive = _Archive(path.name, path.stat().st_size, path.read_bytes)
        yield archive
        done += archive.size
        say(done, size)


def _is_sound(data: bytes) -> bool:
    """Whether an archive unpacks to its checksum, and begins as a tar does."""
    file, unpacked = io.BytesIO(data), 0
    try:
        with gzip.GzipFile(fileobj=file) if data.startswith(_GZIP_MAGIC) else file as tar:
            beginning = tar.read(BLOCK)
            while unpacked <= LARGEST_ARCHIVE and (chunk := tar.read(_CHUNK)):
                unpacked += len(chunk)
    except (OSError, EOFError, zlib.error):
        return False
    return unpacked <= LARGEST_ARCHIVE and (is_header(beginning) or beginning == bytes(BLOCK))


@contextlib.contextmanager
def _being_filled(folder: Path) -> Iterator[None]:
    """Mark the folder for as long as it is being filled, so that a broken run is taken up again."""
    marker = folder / _UNFINISHED_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        marker.touch()
        for leftover in folder.glob(f"{PARTIAL_PREFIX}n*{PARTIAL_SUFFIX}"):  # of a killed run
            leftover.unlink()
    except OSError as error:
        raise DiskError(f"{folder} cannot be written: {error.strerror}.") from error
    yield
    marker.unlink(missing_ok=True)


def _put(target: Path, data: bytes) -> None:
    try:
        write_atomic(target, data)
    except OSError as error:
        raise DiskError(f"{target} cannot be written: {error.strerror}.") from error
