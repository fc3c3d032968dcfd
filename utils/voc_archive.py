"""Keeps where a category's XML files come from: an archive or a folder, streamed, never extracted.

This module alone knows the layout of tar. Python's own `tarfile` reads whole extended headers into
memory, however long they claim to be, and older releases of it can be led in circles; here every read
is bounded, the stream only moves forward, and of a member's path nothing but its last part is looked
at. Links, devices and whatever else is no regular file are passed over.

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

# The largest real archive has 3,691 members in 5 MB, the largest XML some 10 KB.
MAX_MEMBERS = 50_000
MAX_MEMBER_BYTES = 256 * 1024
MAX_TOTAL_BYTES = 32 * 1024 * 1024
MAX_HEADER_BYTES = 64 * 1024
"""Of an extended header, which holds little more than a long name."""

UNREADABLE = (OSError, EOFError, zlib.error, ValueError)
"""What `members` raises when it cannot go on; the members before that are good."""

_NO_TAR = "it is not a tar archive from there on"
_BLOCK = 512
_CHUNK = 64 * 1024
_NO_BLOCK = bytes(_BLOCK)
_GZIP_MAGIC = b"\x1f\x8b"
_REGULAR = (b"0", b"\0", b"7")
_WITHOUT_PAYLOAD = (b"1", b"2", b"3", b"4", b"5", b"6")
_LONG_NAME, _EXTENDED, _SPARSE = b"L", b"x", b"S"
_IMAGE_CODE_FILE = re.compile(r"(n[0-9]{8}_[0-9]{1,12})\.xml", re.IGNORECASE)
_PAX_PATH = re.compile(rb"(?:^|\n)[0-9]{1,6} path=([^\n]{1,4096})\n")


@dataclass(frozen=True, slots=True)
class Member:
    """An XML file: the image code that its name says, and its bytes (none if it is too large)."""

    image_code: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Header:
    """What matters of a tar header: `name` as written, `kind` its type flag, `size` of its payload."""

    name: bytes
    kind: bytes
    size: int
    goes_on: bool


def find(folder: Path, code: str) -> Path | None:
    """Find where a category's XML files lie; an archive goes before a folder."""
    for path in (folder / f"{code}.tar.gz", folder / f"{code}.tar"):
        if path.is_file():
            return path
    return folder / code if (folder / code).is_dir() else None


def members(path: Path) -> Iterator[Member]:
    """Go through the XML files of an archive or folder that are named by an image code.

    Raises
    ------
    OSError, EOFError, zlib.error, ValueError
        See `UNREADABLE`: where it is damaged, or beyond the limits; the text says how.
    """
    return _folder_members(path) if path.is_dir() else _archive_members(path)


def _folder_members(path: Path) -> Iterator[Member]:
    files = (Path(parent) / name for parent, _, names in os.walk(path) for name in sorted(names))
    for file in islice(files, MAX_MEMBERS):
        image_code = _image_code(file.name)
        status = file.lstat()  # a link may lead out of the folder, and a pipe may never end
        if image_code and stat.S_ISREG(status.st_mode):
            yield Member(image_code, file.read_bytes() if status.st_size <= MAX_MEMBER_BYTES else b"")


def _archive_members(path: Path) -> Iterator[Member]:
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


def _tar_members(stream: _Stream) -> Iterator[Member]:
    long_name = b""
    for _ in range(MAX_MEMBERS):
        block = stream.read(_BLOCK)
        if block == _NO_BLOCK:
            return
        header = _parse_header(block)
        if header.kind in (_LONG_NAME, _EXTENDED):
            long_name = _read_long_name(stream, header) or long_name
            continue
        image_code = _image_code((long_name or header.name).decode("utf-8", "replace"))
        long_name = b""
        if image_code and header.kind in _REGULAR:
            yield Member(image_code, _read_payload(stream, header))
        else:
            _skip_payload(stream, header)
    raise ValueError(f"it has more than {MAX_MEMBERS:,} members")


def _image_code(name: str) -> str:
    """Return the image code that a file's name says, or "" if it is named otherwise."""
    found = _IMAGE_CODE_FILE.fullmatch(name.rpartition("/")[2])
    return found[1] if found else ""


def _parse_header(block: bytes) -> _Header:
    checksum = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if checksum != _number(block[148:156]):
        raise ValueError(_NO_TAR)
    return _Header(
        name=block[:100].partition(b"\0")[0],
        kind=block[156:157],
        size=_number(block[124:136]),
        goes_on=block[482] != 0,
    )


def _number(field: bytes) -> int:
    """Read a number of a tar header: octal digits, or binary where those do not suffice."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    if digits.strip(b"01234567"):  # a sign, too: who skips backwards comes under every limit
        raise ValueError(_NO_TAR)
    return int(digits or b"0", 8)


def _read_payload(stream: _Stream, header: _Header) -> bytes:
    if header.size > MAX_MEMBER_BYTES:
        _skip_payload(stream, header)
        return b""
    return stream.read(_padded(header.size))[: header.size]


def _skip_payload(stream: _Stream, header: _Header) -> None:
    goes_on = header.kind == _SPARSE and header.goes_on
    while goes_on:  # a sparse file's map of holes may need further blocks
        goes_on = stream.read(_BLOCK)[504] != 0
    if header.kind not in _WITHOUT_PAYLOAD:
        stream.skip(_padded(header.size))


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _read_long_name(stream: _Stream, header: _Header) -> bytes:
    if header.size > MAX_HEADER_BYTES:
        raise ValueError("it has an extended header beyond all measure")
    payload = stream.read(_padded(header.size))[: header.size]
    if header.kind == _LONG_NAME:
        return payload.rstrip(b"\0")
    found = _PAX_PATH.search(payload)
    return found[1] if found else b""


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
