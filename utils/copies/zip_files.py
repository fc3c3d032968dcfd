"""Zips, e.g. Kaggle's of 155 GB. Their directory is read in small parts.

`zipfile` of the standard library keeps an object for each of the 1.9 million members of Kaggle's zip.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..models.fast_pickle import FastPickle
from ..models.rows import LocalImage
from .members import Member, classify
from .reader import MAX_READ_BYTES, READ_ERRORS, Reader

_MAGIC = b"PK\x03\x04"
_ARCHIVES = (".tar", ".tgz", ".tar.gz", ".zip")
_STORED, _DEFLATED = 0, 8
_UTF_8, _ENCRYPTED = 1 << 11, 1
_LOCAL = struct.Struct("<4s5H3L2H")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_MAX_COMMENT = 65_535
_UNKNOWN = 0xFFFF_FFFF
"""In place of a number of 32 bits that is too large for them; the Zip64 extra field has it."""
_LARGEST = 1 << 62
"""In place of larger numbers, which are false, and too large for SQLite and for `seek`."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ZipImage(FastPickle, LocalImage):
    """A member of a zip, stored or deflated.

    Attributes
    ----------
    offset
        Of its local header.
    packed_size, size
        Bytes in the zip, and unpacked.
    """

    path: Path
    offset: int
    packed_size: int
    size: int

    def read(self) -> bytes:
        """Read and unpack it, up to `MAX_READ_BYTES`.

        Raises
        ------
        OSError, EOFError, ValueError
            If it is damaged, encrypted or packed by another method.
        """
        size = min(self.size, MAX_READ_BYTES)
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset)
            header = file.read(_LOCAL.size)
            if len(header) < _LOCAL.size or not header.startswith(_MAGIC):
                raise ValueError("the zip has another content at its place")
            _, _, flags, method, _, _, checksum, _, _, name_size, extra_size = _LOCAL.unpack(header)
            file.seek(name_size + extra_size, 1)
            data = file.read(min(self.packed_size, MAX_READ_BYTES))
        if flags & _ENCRYPTED:
            raise ValueError("it is encrypted")
        if method == _DEFLATED:
            with _invalid_data():
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)[:MAX_READ_BYTES]
        elif method != _STORED:
            raise ValueError(f"it is packed by method {method}, which is not supported")
        if len(data) != size:
            raise EOFError("it is incomplete")
        if checksum and size == self.size and zlib.crc32(data) != checksum:
            raise ValueError("its checksum is wrong")
        return data


class ZipReader(Reader):
    """A zip of class folders, with or without a validation set, annotations and labels."""

    layout = ("zip of images", "zips of images")

    @classmethod
    def recognise(cls, path: Path, start: bytes) -> bool:
        """Whether it is a zip with a member that is of use.

        Raises
        ------
        OSError, EOFError, ValueError
            If its directory is damaged.
        """
        return start.startswith(_MAGIC) and any(classify(name) for name, _place in _files(path))

    def scan(self) -> Iterator[Member]:
        """Yield the members that are of use, from the directory at the end."""
        try:
            for name, place in _files(self.path):
                if member := classify(name, place):
                    yield member
                elif name.lower().endswith(_ARCHIVES):
                    self.add_problem(f"{name} is not read as long as it is in the zip; unpack the zip")
        except READ_ERRORS as error:
            self.add_error(error, "its directory is damaged")

    def image(self, member: Member) -> ZipImage:
        """Return a member as workers read it."""
        return ZipImage(self.path, *member.place)


def _files(path: Path) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Yield path, and offset, packed size and size of every member.

    Raises
    ------
    OSError, EOFError, ValueError
        If the directory is damaged.
    """
    try:
        with path.open("rb") as file:
            yield from _directory(file, path.stat().st_size)
    except struct.error as error:
        raise EOFError from error


def _directory(file: BinaryIO, size: int) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Yield the members; see `_files`."""
    offset, length = _find_directory(file, size)
    if offset + length > size:
        raise EOFError
    file.seek(offset)
    buffer, position, left = b"", 0, length
    while left or position < len(buffer):
        if left and len(buffer) - position < _ENTRY.size + 3 * _MAX_COMMENT:
            chunk = file.read(min(_CHUNK, left))
            if not chunk:
                raise EOFError
            buffer, position, left = buffer[position:] + chunk, 0, left - len(chunk)
            continue
        fields = _ENTRY.unpack_from(buffer, position)
        if fields[0] != b"PK\x01\x02":
            raise ValueError
        flags, packed_size, full_size = fields[3], fields[8], fields[9]
        name_size, extra_size, comment_size, local = fields[10], fields[11], fields[12], fields[16]
        begin = position + _ENTRY.size
        name = buffer[begin : begin + name_size]
        extra = buffer[begin + name_size : begin + name_size + extra_size]
        position = begin + name_size + extra_size + comment_size
        full_size, packed_size, local = _with_zip64(extra, full_size, packed_size, local)
        yield name.decode("utf-8" if flags & _UTF_8 else "cp437", "replace"), (local, packed_size, full_size)


def _find_directory(file: BinaryIO, size: int) -> tuple[int, int]:
    """Return offset and size in bytes of the directory."""
    tail_size = min(size, _END.size + _MAX_COMMENT)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise EOFError
    fields = _END.unpack_from(tail, at)
    length, offset = fields[5], fields[6]
    end = size - tail_size + at
    if _UNKNOWN in (length, offset) or fields[4] == 0xFFFF:
        file.seek(max(0, end - _LOCATOR64.size))
        magic, _, end64, _ = _LOCATOR64.unpack(file.read(_LOCATOR64.size))
        if magic == b"PK\x06\x07":
            file.seek(end64)
            fields64 = _END64.unpack(file.read(_END64.size))
            if fields64[0] != b"PK\x06\x06":
                raise ValueError
            length, offset = fields64[8], fields64[9]
    return offset, length


def _with_zip64(extra: bytes, *numbers: int) -> tuple[int, ...]:
    """Replace the numbers that are too large for 32 bits by those of the extra field."""
    if _UNKNOWN not in numbers:
        return numbers
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        position += 4
        if kind == 1:
            large = iter(struct.unpack_from(f"<{length // 8}Q", extra, position))
            return tuple(
                min(next(large, number), _LARGEST) if number == _UNKNOWN else number for number in numbers
            )
        position += length
    return numbers


@contextlib.contextmanager
def _invalid_data() -> Iterator[None]:
    try:
        yield
    except zlib.error as error:
        raise ValueError("it cannot be unpacked") from error
