"""Copies the annotation archives of all categories from a collection into `annotation/`.

A collection is a tar with members `<wnid>.tar.gz`, or a folder of such files. It is read twice: first all
archives are checked, then the usable ones are written, each atomically.
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
from ..files import PARTIAL_PREFIX, PARTIAL_SUFFIX, open_file, write_atomic
from ..tar_reader import BLOCK, GZIP_MAGIC, is_header, iter_files
from ..text import join_names

FOLDER_NAME = "annotation"
MAX_ARCHIVE_BYTES = 64_000_000
"""Of one archive, compressed or not; the real ones have less than six million."""

_ARCHIVE_NAME = re.compile(r"n[0-9]{8}\.tar(\.gz)?")
_XML_FOLDER_NAME = re.compile(r"n[0-9]{8}")
_CODE = slice(0, 9)
_INCOMPLETE_MARKER = ".unfinished"
_START_BYTES = 4096
_CHUNK = 1 << 16
_Archive = tuple[str, int, Callable[[], bytes]]
"""Name, size in bytes, and a function that reads the archive."""


@dataclass
class ArchiveCheck:
    """The result of checking a collection.

    Attributes
    ----------
    usable
        Names of the archives that can be used.
    size
        Their size in bytes.
    rejected
        Names of the other archives by reason.
    """

    usable: set[str] = field(default_factory=set)
    size: int = 0
    rejected: dict[str, list[str]] = field(default_factory=dict)

    def describe_rejected(self) -> list[str]:
        """Return a text for each reason, with names."""
        return [f"{len(names):,} {reason} ({join_names(names)})" for reason, names in self.rejected.items()]


def count_categories(folder: Path) -> int:
    """Count the categories with annotations in a folder; 0 if the folder is incomplete."""
    if not folder.is_dir() or (folder / _INCOMPLETE_MARKER).exists():
        return 0
    return len(_codes_in(folder))


def check_archives(source: Path, known_codes: Collection[str], progress: Advance) -> ArchiveCheck:
    """Check all archives of a collection.

    Parameters
    ----------
    source
        A tar, compressed with gzip or not, or a folder of archives.
    known_codes
        The wnids of all categories.
    progress
        Called with done and total bytes.

    Raises
    ------
    OneSourceError
        If the collection itself is damaged.
    """
    check = ArchiveCheck()
    with wrap_archive_errors():
        for name, size, read in _iter_archives(source, progress):
            if name[_CODE] not in known_codes:
                check.rejected.setdefault("of unknown categories", []).append(name)
            elif size > MAX_ARCHIVE_BYTES:
                check.rejected.setdefault("too large", []).append(name)
            elif not _is_intact(read()):
                check.rejected.setdefault("damaged", []).append(name)
            else:
                check.usable.add(name)
                check.size += size
    return check


def write_archives(
    source: Path, folder: Path, names: Collection[str], *, replace: bool, progress: Advance
) -> int:
    """Write archives of a collection to a folder, and return their number.

    Parameters
    ----------
    source
        The collection.
    folder
        The destination, which is created.
    names
        The archives to write.
    replace
        Whether to replace existing archives.
    progress
        Called with done and total bytes.

    Raises
    ------
    OneSourceError
        If the collection is damaged.
    DiskError
        If the folder cannot be written.
    """
    written: set[str] = set()
    with wrap_archive_errors(), _marked_incomplete(folder):
        existing = set() if replace else _codes_in(folder)
        for name, _size, read in _iter_archives(source, progress):
            if name in names and name[_CODE] not in existing:
                data = read()
                try:
                    write_atomic(folder / name, data)
                except OSError as error:
                    raise DiskError(f"{folder / name} cannot be written: {error.strerror}.") from error
                written.add(name)
    return len(written)


def _codes_in(folder: Path) -> set[str]:
    return {entry.name[_CODE] for entry in folder.iterdir() if _is_annotation(entry)}


def _is_annotation(entry: Path) -> bool:
    if _XML_FOLDER_NAME.fullmatch(entry.name):
        return entry.is_dir()
    return bool(_ARCHIVE_NAME.fullmatch(entry.name)) and entry.is_file() and entry.stat().st_size > 0


def _iter_archives(source: Path, progress: Advance) -> Iterator[_Archive]:
    return _iter_folder(source, progress) if source.is_dir() else _iter_tar(source, progress)


def _iter_tar(path: Path, progress: Advance) -> Iterator[_Archive]:
    with open_regular_file(path) as file:
        if fault := check_start(file.read(_START_BYTES)):
            raise OneSourceError(fault)
        total = os.fstat(file.fileno()).st_size
        for member in iter_files(file, max_bytes=MAX_UNPACKED):
            if _ARCHIVE_NAME.fullmatch(member.name):
                yield member.name, member.size, member.read
                progress(file.tell(), total)


def _iter_folder(folder: Path, progress: Advance) -> Iterator[_Archive]:
    paths = sorted(path for path in folder.iterdir() if _ARCHIVE_NAME.fullmatch(path.name) and path.is_file())
    sizes = [path.stat().st_size for path in paths]
    done, total = 0, sum(sizes)
    for path, size in zip(paths, sizes, strict=True):
        yield path.name, size, path.read_bytes
        done += size
        progress(done, total)


def _is_intact(data: bytes) -> bool:
    """Whether an archive can be unpacked, has the right checksum, and begins like a tar."""
    file, unpacked = io.BytesIO(data), 0
    try:
        with gzip.GzipFile(fileobj=file) if data.startswith(GZIP_MAGIC) else file as tar:
            start = tar.read(BLOCK)
            while unpacked <= MAX_ARCHIVE_BYTES and (chunk := tar.read(_CHUNK)):
                unpacked += len(chunk)
    except (OSError, EOFError, zlib.error):
        return False
    return unpacked <= MAX_ARCHIVE_BYTES and (is_header(start) or start == bytes(BLOCK))


@contextlib.contextmanager
def _marked_incomplete(folder: Path) -> Iterator[None]:
    """Mark the folder while it is written, so that the next run completes it after an interruption."""
    marker = folder / _INCOMPLETE_MARKER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        open_file(marker, "ab").close()
        for path in folder.glob(f"{PARTIAL_PREFIX}n*{PARTIAL_SUFFIX}"):  # of a killed run
            path.unlink()
    except OSError as error:
        raise DiskError(f"{folder} cannot be written: {error.strerror}.") from error
    yield
    marker.unlink(missing_ok=True)
