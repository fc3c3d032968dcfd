"""The archives of all annotated categories: from one big tar, or a folder, into `annotation/`.

This module alone knows how the published collection is packed: members `<wnid>.tar.gz`, perhaps under
folders. Only regular files with such a name are taken, under our own path, each written whole.
"""

from __future__ import annotations

import contextlib
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from .errors import DiskError, OneSourceError
from .packed import damage_told, fault_of, open_tar, plain_files
from .storage import write_whole

FOLDER_NAME = "annotation"
LARGEST_ARCHIVE = 64_000_000  # bytes; the real ones have less than one million
_NAME = re.compile(r"n[0-9]{8}\.tar(\.gz)?")
_XML_FOLDER = re.compile(r"n[0-9]{8}")
_UNFINISHED_NAME = ".unfinished"


@dataclass(frozen=True)
class UnpackOptions:
    """Whether archives that are there are written anew, and how many a collection holds at least."""

    replace: bool = False
    least: int = 1


@dataclass(frozen=True)
class UnpackedCounts:
    """How many archives were written, were there already, or were too large to be one."""

    written: int
    present: int
    refused: int


@dataclass(frozen=True)
class _Archive:
    name: str
    size: int
    read: Callable[[], bytes]


def present(folder: Path) -> int:
    """Count the categories whose annotations lie in a folder; 0 while it is not wholly filled."""
    if not folder.is_dir() or (folder / _UNFINISHED_NAME).exists():
        return 0
    return len({entry.name[:9] for entry in folder.iterdir() if _is_one(entry)})


def unpack(
    source: Path, folder: Path, options: UnpackOptions, say: Callable[[int, int], None]
) -> UnpackedCounts:
    """Put the archives of a collection, or of a folder, into `folder`.

    Parameters
    ----------
    source
        A tar, packed with gzip or not, or a folder of archives.
    folder
        Where to; it is made.
    options
        What to do with archives that are there, and how many to expect.
    say
        Told the bytes done and the bytes in all.

    Raises
    ------
    OneSourceError
        If the source is damaged or holds no archive; nothing has been written then.
    DiskError
        If the folder cannot be written.
    """
    with damage_told():
        if source.is_dir():
            if folder.exists() and source.samefile(folder):
                raise OneSourceError("it is the very folder into which the annotations are to go")
            return _write(_in_folder(source), folder, replace=options.replace)
        with source.open("rb") as file:
            _require_sound(file, options.least)
            with open_tar(file) as archive:
                members = _told(_in_tar(archive), file, source.stat().st_size, say)
                return _write(members, folder, replace=options.replace)


def _is_one(entry: Path) -> bool:
    if _XML_FOLDER.fullmatch(entry.name):
        return entry.is_dir()
    return bool(_NAME.fullmatch(entry.name)) and entry.is_file() and entry.stat().st_size > 0


def _require_sound(file: BinaryIO, least: int) -> None:
    """Read the collection once, to its checksum, so that a damaged one replaces nothing."""
    beginning = file.read(4096)
    if fault_of(beginning):
        raise OneSourceError(fault_of(beginning))
    with open_tar(file) as archive:
        count = sum(1 for _ in _in_tar(archive))
    if count < least:
        raise OneSourceError(f"it holds {count:,} archives named <wnid>.tar.gz, of {least:,} at least")


def _in_tar(archive: tarfile.TarFile) -> Iterator[_Archive]:
    for member in plain_files(archive):
        name = PurePosixPath(member.name).name
        if _NAME.fullmatch(name):
            yield _Archive(name, member.size, partial(_content, archive, member))


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return stream.read() if stream else b""


def _in_folder(folder: Path) -> list[_Archive]:
    files = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_file())
    if not files:
        raise OneSourceError("it holds no <wnid>.tar.gz")
    return [_Archive(path.name, path.stat().st_size, path.read_bytes) for path in files]


def _told(
    archives: Iterator[_Archive], file: BinaryIO, total: int, say: Callable[[int, int], None]
) -> Iterator[_Archive]:
    for archive in archives:
        yield archive
        say(file.tell(), total)


def _write(archives: Iterable[_Archive], folder: Path, *, replace: bool) -> UnpackedCounts:
    written = present = refused = 0
    with _unfinished(folder):
        for archive in archives:
            target = folder / archive.name
            if archive.size > LARGEST_ARCHIVE:
                refused += 1
            elif not replace and _is_one(target):
                present += 1
            else:
                _put(target, archive.read())
                written += 1
    return UnpackedCounts(written, present, refused)


@contextlib.contextmanager
def _unfinished(folder: Path) -> Iterator[None]:
    """Mark the folder for as long as it is being filled, so that a broken run is taken up again."""
    marker = folder / _UNFINISHED_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError as error:
        raise DiskError(f"{folder} cannot be written: {error.strerror}.") from error
    yield
    marker.unlink(missing_ok=True)


def _put(target: Path, data: bytes) -> None:
    try:
        write_whole(target, data)
    except OSError as error:
        raise DiskError(f"{target} cannot be written: {error.strerror}.") from error
