"""Keeps where a category's XML files come from: an archive or a folder, streamed, never extracted.

Every read is bounded, the stream only moves forward, and of a member's path nothing but its last part
is looked at. Links, devices and whatever else is no regular file are passed over.

::

    <folder>/<code>.tar.gz  or  <folder>/<code>.tar     .../<image code>.xml, at any depth
    <folder>/<code>/                                    the same as a folder
"""

from __future__ import annotations

import gzip
import os
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from .tar_headers import Headers, padded

# The largest real archive has 3,691 members in 5 MB, the largest XML some 10 KB.
MAX_MEMBERS = 50_000
MAX_MEMBER_BYTES = 256 * 1024
MAX_TOTAL_BYTES = 32 * 1024 * 1024

UNREADABLE = (OSError, EOFError, zlib.error, ValueError)
"""What `members` raises when it cannot go on; the members before that are good."""

_CHUNK = 64 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_CATEGORY_NAME = re.compile(r"n[0-9]{8}(\.tar(\.gz)?)?")
_IMAGE_CODE_FILE = re.compile(r"(n[0-9]{8}_[0-9]{1,12})\.xml", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class XmlMember:
    """An XML file: the image code that its name says, and its bytes (none if it is too large)."""

    image_code: str
    data: bytes


def find(folder: Path, code: str) -> Path | None:
    """Find where a category's XML files lie; an archive goes before a folder."""
    for path in (folder / f"{code}.tar.gz", folder / f"{code}.tar"):
        if path.is_file():
            return path
    return folder / code if (folder / code).is_dir() else None


def any_in(folder: Path) -> bool:
    """Say whether XML files of any category lie in a folder, as far as names tell."""
    with os.scandir(folder) as entries:
        return any(_CATEGORY_NAME.fullmatch(entry.name) for entry in entries)


def members(path: Path) -> Iterator[XmlMember]:
    """Go through the XML files of an archive or folder that are named by an image code.

    Raises
    ------
    OSError, EOFError, zlib.error, ValueError
        See `UNREADABLE`: where it is damaged, or beyond the limits; the text says how.
    """
    return _folder_members(path) if path.is_dir() else _archive_members(path)


def _folder_members(path: Path) -> Iterator[XmlMember]:
    files = (Path(parent) / name for parent, _, names in os.walk(path) for name in sorted(names))
    for file in islice(files, MAX_MEMBERS):
        image_code = _image_code(file.name)
        status = file.lstat()  # a link may lead out of the folder, and a pipe may never end
        if image_code and stat.S_ISREG(status.st_mode):
            yield XmlMember(image_code, file.read_bytes() if status.st_size <= MAX_MEMBER_BYTES else b"")


def _archive_members(path: Path) -> Iterator[XmlMember]:
    with path.open("rb") as file:
        start = file.read(len(_GZIP_MAGIC))
        file.seek(0)
        if not start:
            raise ValueError("it is empty")
        if start != _GZIP_MAGIC:  # whatever its name says: some browsers unpack what they download
            yield from _tar_members(_Stream(file))
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            stream = _Stream(unpacked)
            yield from _tar_members(stream)
            stream.drain()  # gzip's checksum comes last


def _tar_members(stream: _Stream) -> Iterator[XmlMember]:
    headers = Headers()
    for _ in range(MAX_MEMBERS):
        entry = headers.read(stream)
        if entry is None:
            return
        image_code = _image_code(entry.name.decode("utf-8", "replace")) if entry.regular else ""
        if image_code:
            yield XmlMember(image_code, _read_payload(stream, entry.size))
        else:
            stream.skip(entry.room)
    raise ValueError(f"it has more than {MAX_MEMBERS:,} members")


def _image_code(name: str) -> str:
    """Return the image code that a file's name says, or "" if it is named otherwise."""
    found = _IMAGE_CODE_FILE.fullmatch(name.rpartition("/")[2])
    return found[1] if found else ""


def _read_payload(stream: _Stream, size: int) -> bytes:
    if size > MAX_MEMBER_BYTES:
        stream.skip(padded(size))
        return b""
    return stream.read(padded(size))[:size]


class _Stream:
    """Reads forward only, exactly as much as is asked for, and not beyond `MAX_TOTAL_BYTES`."""

    def __init__(self, source: BinaryIO | gzip.GzipFile) -> None:
        self._source = source
        self._left = MAX_TOTAL_BYTES

    def read(self, size: int) -> bytes:
        self._take(size)
        data = self._source.read(size)
        if len(data) < size:
            raise EOFError("it ends too early")
        return data

    def skip(self, size: int) -> None:
        self._take(size)
        for at in range(0, size, _CHUNK):
            self._left += min(_CHUNK, size - at)
            self.read(min(_CHUNK, size - at))

    def drain(self) -> None:
        """Go to the end."""
        while data := self._source.read(_CHUNK):
            self._take(len(data))

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError(f"it holds more than {MAX_TOTAL_BYTES // 1024**2} MB")
